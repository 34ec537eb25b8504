#pragma once
/*
 * roster - who could ever be there: the tables of harnesses and providers
 *
 * workers/harnesses.def and workers/passthrough/providers.def, to be looked
 * things up in.  Nothing else in the supervisor knows one of them by name.
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

/* By its name or by an alias; NULL: there is none. */
const struct harness_row *roster_find(struct str name);

/*
 * Is it a variable of a worker of the operator's own?  Then `name` is the
 * worker's, in lower case, and `is_more` whether it only tells the worker
 * more.  NULL: no, or its name is too long or has other characters than
 * capital letters, digits and underscores; else the worker's program.
 */
const char *roster_read_own(struct str variable, char name[MAX_NAME + 1],
			    bool *is_more);

/* The name of the n-th provider; NULL at the end. */
const char *roster_provider(size_t n);
bool roster_has_provider(struct str name);

/* Is it the variable with a provider's key? */
bool roster_is_key(struct str variable);
