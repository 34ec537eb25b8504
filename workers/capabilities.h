#pragma once
/*
 * capabilities - what the harness of a CLI can do, as data
 *
 * A set of capabilities is a number of 64 bits, of enum capability, or'ed.  Who
 * has which is in capabilities.def.  The engine accepts and refuses requests by
 * it, the test suite holds every harness to it, and docs/harnesses.md has it as
 * a table.
 */
#include <stdint.h>

#include <jansson.h>
#include <stdbool.h>

enum capability_index {
#define CAPABILITY(ID, name, otherwise, with, without, refusal) ID##_CAPABILITY,
#include "workers/capabilities.def"
	CAPABILITIES
};

enum capability {
#define CAPABILITY(ID, name, otherwise, with, without, refusal) \
	CAN_##ID = 1ull << ID##_CAPABILITY,
#include "workers/capabilities.def"
};

/* The sets of the harnesses: CLAUDE_CAN, ... */
enum {
#define HARNESS_CAN(ID, name, capabilities) ID##_CAN = (capabilities),
#define PROVIDERS_CAN(ID, name, capabilities) ID##_CAN = (capabilities),
#include "workers/capabilities.def"
};

struct harness_can {
	const char *name;
	uint64_t can;
	bool passes_on; /* what it can is up to who gets the request */
};

/* In the order of the list; the last has no name. */
extern const struct harness_can harnesses_can[];

/* An array of the names of the capabilities in the set. */
json_t *capabilities_in(uint64_t set);

/* Of every capability: how a harness does it that has those in the set, which
 * is done in the way `way`:
 * {"images":"native","history":"in_words","audio":"none"}.
 */
json_t *capabilities_ways(uint64_t set, const char *way);

/* All of them. */
uint64_t capabilities_all(void);

const char *capability_name(enum capability); /* "images" */

/* Ends the sentence that refuses what needs the capability: "takes no
 * images". */
const char *capability_refusal(enum capability);
