#pragma once
/*
 * roster - the tables of harnesses and providers, and how to search them
 *
 * The tables are workers/harnesses.def and workers/passthrough/providers.def.
 * No other file of the supervisor knows a harness or a provider by name.
 */
#include "proto/limits.h"
#include "proto/str.h"

enum served { SERVES_CLI, SERVES_PROVIDERS, SERVES_NOTHING };

struct harness_row {
	const char *name, *program, *aliases;
	enum served serves;
};

#define HARNESS(name, program, aliases, serves, meaning) +1
enum {
	ROSTER_LEN = 0
#include "workers/harnesses.def"
};

extern const struct harness_row roster[ROSTER_LEN];

/* Finds a harness by its name or an alias; NULL: there is none. */
const struct harness_row *roster_find(struct str name);

/*
 * Recognizes a variable that defines a worker of the operator's own: returns
 * the worker's program and writes its name, in lower case.  `is_more` is true
 * if the variable only adds a detail to such a worker.  NULL: the variable is
 * another one, or the name is too long or has characters other than capital
 * letters, digits and underscores.
 */
const char *roster_read_own(struct str variable, char name[MAX_NAME + 1],
			    bool *is_more);

/* The name of the n-th provider; NULL at the end. */
const char *roster_provider(size_t n);
bool roster_has_provider(struct str name);

/* Does the variable hold the key of a provider? */
bool roster_is_key(struct str variable);
