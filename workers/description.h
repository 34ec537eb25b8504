#pragma once
/*
 * description - all that a harness can take, and how, as a document
 *
 * GET /v1/capabilities and `cli-bridge capabilities` are made of it, from the
 * lists of the program: capabilities.def, proto/options.def and
 * options/profile_parts.def.
 *
 *   {"capabilities": {"images": "native", "history": "in_words", ...},
 *    "modes": {"byob": "native", "hosted-safe": "none", ...},
 *    "options": [{"name": "mcp", "how": "native", "type": "object", ...}, ...],
 *    "profile": {"model.default": "native", "skills": "preamble", ...}}
 *
 * The words for how something is done: "native", in the CLI's own way;
 * "in_words" and "preamble", the model is told; "none", it is refused, or does
 * not happen; "passed_on", whoever gets the request decides.
 */
#include <jansson.h>
#include <stdbool.h>

#include "proto/buf.h"
#include "workers/options/options.h"
#include "workers/options/profile.h"

/* The name in the list of what the operator adds. */
#define OWN_AGENT "an ACP agent of your own"

#define MODE_BIT(mode) (1u << (mode))

/* What is described. */
struct ability {
	uint64_t can;			   /* its capabilities */
	bool passes_on;			   /* it has no CLI */
	const struct profile_takes *takes; /* NULL: it takes no profile */
	unsigned efforts;		   /* as in harness.h */
	unsigned modes;			   /* MODE_BIT()s: what it is up to */
	bool is_set_up; /* otherwise it is not known whether it has a sandbox */
};

/* What the list says of the harness `name`, whatever it is set up for.  Returns
 * false if there is no such harness. */
bool ability_listed(struct ability *, const char *name);

/* The caller json_decref()s it. */
json_t *description_of(const struct ability *);

/* The same, as text. */
void description_add(struct buf *, const struct ability *);
