#include "workers/cli/ignored.h"

#include <ctype.h>

#include "proto/buf.h"
#include "proto/limits.h"
#include "workers/options/options.h"

/*
 * Whether it is neither honoured nor without influence on the answer.  A value
 * that is the default asks for nothing.
 */
static bool
is_ignored(const char *key, const json_t *value)
{
	static const char *const understood[] = {
		"model",      "messages",  "stream", "stream_options",
		"session_id", "resume_id", "cwd",    "user",
		"metadata",
	};

	if (json_is_null(value) || options_has_field(key))
		return false;
	if (options_has_field_in(key) && json_is_object(value))
		return false; /* its members are judged one by one */
	for (size_t i = 0; i < sizeof understood / sizeof *understood; i++)
		if (!strcmp(key, understood[i]))
			return false;
	if (!strcmp(key, "n"))
		return json_number_value(value) != 1;
	return !json_is_array(value) || json_array_size(value) > 0;
}

static void
note_stream_options(json_t *ignored, const json_t *options)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)options, key, value) {
		auto_free char *path = copy_format("stream_options.%s", key);

		if (json_is_null(value) || json_is_false(value) ||
		    !strcmp(key, "include_usage"))
			continue;
		json_object_set_new_nocheck(ignored, path, json_true());
	}
}

static void
note_members(json_t *ignored, const char *name, const json_t *object)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)object, key, value) {
		auto_free char *path = copy_format("%s.%s", name, key);

		if (!json_is_null(value) && !options_has_field(path))
			json_object_set_new_nocheck(ignored, path, json_true());
	}
}

void
ignored_note(json_t *ignored, const json_t *body)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)body, key, value) {
		if (is_ignored(key, value))
			json_object_set_new_nocheck(ignored, key, json_true());
		if (options_has_field_in(key))
			note_members(ignored, key, value);
	}
	note_stream_options(ignored, json_object_get(body, "stream_options"));
}

static void
add_name(struct buf *list, const char *name)
{
	for (const char *c = name; *c; c++)
		if (isalnum((unsigned char)*c) || strchr("_-.", *c))
			buf_put(list, (struct str){ c, 1 });
		else
			buf_print(list, "%%%02X", (unsigned char)*c);
}

char *
ignored_list(const json_t *ignored)
{
	enum { MAX_END = sizeof ", and 1000000 others" };
	struct buf list = BUF_INIT(8 * (size_t)MAX_DETAIL);
	size_t all = json_object_size(ignored), named = 0;
	const char *name;
	json_t *value;
	char *text;

	json_object_foreach ((json_t *)ignored, name, value) {
		size_t before = list.len;

		if (strlen(name) > MAX_DETAIL)
			break;
		buf_put(&list, str_of(named ? ", " : ""));
		add_name(&list, name);
		if (list.len + MAX_END > MAX_DETAIL) {
			list.len = before;
			break;
		}
		named++;
	}
	if (named < all)
		buf_print(&list, "%s%zu others", named ? ", and " : "",
			  all - named);
	text = list.len ? copy(buf_str(&list)) : NULL;
	buf_fini(&list);
	return text;
}
