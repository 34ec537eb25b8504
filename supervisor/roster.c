#include "supervisor/roster.h"

#include <ctype.h>

const struct harness_row roster[ROSTER_LEN] = {
#define HARNESS(name, program, aliases, serves, meaning) \
	{ name, program, aliases, SERVES_##serves },
#include "workers/harnesses.def"
};

_Static_assert(ROSTER_LEN < MAX_CHILDREN, "more harnesses than children");

static const struct {
	const char *name, *key;
} providers[] = {
#define PROVIDER(name, base_url, key) { name, key },
#include "workers/passthrough/providers.def"
};

enum { PROVIDERS = sizeof providers / sizeof *providers };

const struct harness_row *
roster_find(struct str name)
{
	for (size_t i = 0; i < ROSTER_LEN; i++)
		if (str_same(name, str_of(roster[i].name)) ||
		    str_list_has(str_of(roster[i].aliases), name))
			return &roster[i];
	return NULL;
}

static const struct {
	const char *prefix, *more, *program;
} families[] = {
#define FAMILY(prefix, more, program) { prefix, more, program },
#include "workers/harnesses.def"
};

/* Each worker has one name: in lower case, where its variable has capitals. */
static bool
read_name(char name[MAX_NAME + 1], struct str s)
{
	if (!s.len || s.len > MAX_NAME)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (!isupper((unsigned char)s.ptr[i]) &&
		    !isdigit((unsigned char)s.ptr[i]) && s.ptr[i] != '_')
			return false;
		name[i] = (char)tolower((unsigned char)s.ptr[i]);
	}
	name[s.len] = '\0';
	return true;
}

const char *
roster_read_own(struct str variable, char name[MAX_NAME + 1], bool *is_more)
{
	for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
		struct str more = str_of(families[i].more), left;

		if (!str_starts(variable, str_of(families[i].prefix)))
			continue;
		left = str_from(variable, strlen(families[i].prefix));
		*is_more = left.len > more.len &&
			   str_eq(str_from(left, left.len - more.len), more);
		if (*is_more)
			left.len -= more.len;
		if (read_name(name, left))
			return families[i].program;
	}
	return NULL;
}

const char *
roster_provider(size_t n)
{
	return n < PROVIDERS ? providers[n].name : NULL;
}

bool
roster_has_provider(struct str name)
{
	for (size_t i = 0; i < PROVIDERS; i++)
		if (str_same(name, str_of(providers[i].name)))
			return true;
	return false;
}

bool
roster_is_key(struct str variable)
{
	for (size_t i = 0; i < PROVIDERS; i++)
		if (str_is(variable, providers[i].key))
			return true;
	return false;
}
