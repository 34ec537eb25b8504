#include "proto/variables.h"

#include <unistd.h>

/* An environment that CONFIGURE brought. */
struct block {
	char *bytes;
	char **entries; /* into the bytes; ends with NULL */
};

static struct block current, previous;

struct str
variable_value(const char *name)
{
	struct str value = str_trim(str_of(getenv(name)));

	return value.len ? value : (struct str){ NULL, 0 };
}

bool
variable_is_there(const char *name)
{
	return getenv(name) != NULL;
}

bool
variables_pack(struct buf *to, char *const *entries, struct error *e)
{
	for (; *entries; entries++)
		if (!buf_add(to, (struct str){ *entries, strlen(*entries) + 1 },
			     e))
			return false;
	return true;
}

static size_t
count_entries(struct str packed)
{
	size_t n = 0;

	for (size_t i = 0; i < packed.len; i++)
		n += packed.ptr[i] == '\0';
	return n;
}

static bool
is_packed(struct str packed)
{
	struct str rest = packed, entry, value;

	if (packed.len && packed.ptr[packed.len - 1] != '\0')
		return false;
	while (rest.len) {
		entry = str_cut(rest, '\0', &rest);
		if (!str_cut(entry, '=', &value).len || !value.ptr)
			return false;
	}
	return true;
}

static void
block_fini(struct block *b)
{
	free(b->bytes);
	free(b->entries);
	*b = (struct block){ NULL, NULL };
}

bool
variables_adopt(struct str packed, struct error *e)
{
	size_t count = count_entries(packed);
	struct block next;

	if (!is_packed(packed))
		return fail_with(e, ERR_PROTOCOL,
				 "an environment that is not NAME=value");
	next.bytes = xcalloc(packed.len + 1, 1);
	memcpy(next.bytes, packed.len ? packed.ptr : "", packed.len);
	next.entries = xcalloc(count + 1, sizeof *next.entries);
	for (size_t i = 0, at = 0; i < count; i++) {
		next.entries[i] = next.bytes + at;
		at += strlen(next.entries[i]) + 1;
	}
	block_fini(&previous);
	previous = current;
	current = next;
	environ = current.entries;
	return true;
}
