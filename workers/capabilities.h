#pragma once
/*
 * capabilities - what the harness of a CLI can do, as data
 *
 * A set of capabilities is an unsigned number, of enum capability, or'ed.  Who
 * has which is in capabilities.def.  The engine accepts and refuses requests by
 * it, the test suite holds every harness to it, and docs/harnesses.md has it as
 * a table.
 */
#include <jansson.h>

enum capability_index {
#define CAPABILITY(ID, name, with, without, refusal) ID##_CAPABILITY,
#include "workers/capabilities.def"
	CAPABILITIES
};

enum capability {
#define CAPABILITY(ID, name, with, without, refusal) \
	CAN_##ID = 1 << ID##_CAPABILITY,
#include "workers/capabilities.def"
};

/* The sets of the harnesses: CLAUDE_CAN, ... */
enum {
#define HARNESS_CAN(ID, name, capabilities) ID##_CAN = (capabilities),
#include "workers/capabilities.def"
};

struct harness_can {
	const char *name;
	unsigned can;
};

/* In the order of the list; the last has no name. */
extern const struct harness_can harnesses_can[];

/* An array of the names of the capabilities in the set. */
json_t *capabilities_in(unsigned set);

/* All of them. */
unsigned capabilities_all(void);

/* Ends the sentence that refuses what needs the capability: "takes no
 * images". */
const char *capability_refusal(enum capability);
