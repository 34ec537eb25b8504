#include "workers/capabilities.h"

#include <assert.h>

#define IN_WORDS "in_words"
#define NONE "none"

static const struct {
	const char *name, *otherwise, *refusal;
} rows[CAPABILITIES] = {
/* clang-format off */
#define CAPABILITY(ID, name, otherwise, with, without, refusal) \
	[ID##_CAPABILITY] = { name, otherwise, refusal },
#include "workers/capabilities.def"
};

const struct harness_can harnesses_can[] = {
#define HARNESS_CAN(ID, name, capabilities) { name, ID##_CAN, false },
#define PROVIDERS_CAN(ID, name, capabilities) { name, ID##_CAN, true },
#include "workers/capabilities.def"
	{ 0 },
};
/* clang-format on */

json_t *
capabilities_in(uint64_t set)
{
	json_t *names = json_array();

	for (int i = 0; i < CAPABILITIES; i++)
		if (set & (1ull << i))
			json_array_append_new(names, json_string(rows[i].name));
	return names;
}

json_t *
capabilities_ways(uint64_t set, const char *way)
{
	json_t *ways = json_object();

	for (int i = 0; i < CAPABILITIES; i++)
		json_object_set_new(ways, rows[i].name,
				    json_string(set & (1ull << i)
							? way
							: rows[i].otherwise));
	return ways;
}

uint64_t
capabilities_all(void)
{
	return (1ull << CAPABILITIES) - 1;
}

static int
index_of(enum capability capability)
{
	for (int i = 0; i < CAPABILITIES; i++)
		if ((uint64_t)capability == 1ull << i)
			return i;
	assert(!"a capability is one bit");
	return 0;
}

const char *
capability_name(enum capability capability)
{
	return rows[index_of(capability)].name;
}

const char *
capability_refusal(enum capability capability)
{
	return rows[index_of(capability)].refusal;
}
