#include "workers/capabilities.h"

#include <assert.h>

static const struct {
	const char *name, *refusal;
} rows[CAPABILITIES] = {
/* clang-format off */
#define CAPABILITY(ID, name, with, without, refusal) \
	[ID##_CAPABILITY] = { name, refusal },
#include "workers/capabilities.def"
};

const struct harness_can harnesses_can[] = {
#define HARNESS_CAN(ID, name, capabilities) { name, ID##_CAN },
#include "workers/capabilities.def"
	{ 0 },
};
/* clang-format on */

json_t *
capabilities_in(unsigned set)
{
	json_t *names = json_array();

	for (int i = 0; i < CAPABILITIES; i++)
		if (set & (1u << i))
			json_array_append_new(names, json_string(rows[i].name));
	return names;
}

unsigned
capabilities_all(void)
{
	return (1u << CAPABILITIES) - 1;
}

const char *
capability_refusal(enum capability capability)
{
	for (int i = 0; i < CAPABILITIES; i++)
		if ((unsigned)capability == 1u << i)
			return rows[i].refusal;
	assert(!"a capability is one bit");
	return "";
}
