#include "workers/cli/client_names.h"

#include "proto/buf.h"
#include "workers/io/json.h"
#include "workers/options/tools.h"

/* Are they the same if underscores in a row are one? */
static bool
look_alike(const char *a, const char *b)
{
	while (*a && *a == *b) {
		if (*a == '_') {
			a += strspn(a, "_");
			b += strspn(b, "_");
		} else {
			a++;
			b++;
		}
	}
	return *a == *b;
}

static const char *
name_at(const json_t *tools, size_t i)
{
	return json_text(json_array_get(tools, i), "name");
}

static bool
has_double(const json_t *tools, size_t i)
{
	for (size_t k = 0; k < json_array_size(tools); k++)
		if (k != i && look_alike(name_at(tools, i), name_at(tools, k)))
			return true;
	return false;
}

char *
client_name(const json_t *tools, size_t i)
{
	const char *name = name_at(tools, i);

	return has_double(tools, i) ? tool_marked_name(name, MAX_CLIENT_TOOL)
				    : tool_told_name(name, MAX_CLIENT_TOOL);
}

const json_t *
client_named(const json_t *tools, const char *name)
{
	for (size_t i = 0; i < json_array_size(tools); i++) {
		auto_free char *told = client_name(tools, i);

		if (!strcmp(told, name))
			return json_array_get(tools, i);
	}
	return NULL;
}

const json_t *
client_shown(const json_t *tools, const char *shown, char **name)
{
	for (size_t i = 0; i < json_array_size(tools); i++) {
		auto_free char *told = client_name(tools, i);

		if (!look_alike(told, shown))
			continue;
		*name = copy(str_of(told));
		return json_array_get(tools, i);
	}
	return NULL;
}
