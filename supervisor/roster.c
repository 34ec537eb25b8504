#include "supervisor/roster.h"

#include "proto/limits.h"

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

bool
list_has(const char *list, struct str word)
{
	struct str left = str_of(list), one;

	while (str_word(&left, &one))
		if (str_same(one, word))
			return true;
	return false;
}

const struct harness_row *
roster_find(struct str name)
{
	for (size_t i = 0; i < ROSTER_LEN; i++)
		if (str_same(name, str_of(roster[i].name)) ||
		    list_has(roster[i].aliases, name))
			return &roster[i];
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

size_t
roster_longest_name(void)
{
	size_t longest = sizeof "supervisor" - 1;

	for (size_t i = 0; i < ROSTER_LEN; i++)
		if (strlen(roster[i].name) > longest)
			longest = strlen(roster[i].name);
	return longest;
}
