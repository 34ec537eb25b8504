#pragma once
/*
 * plan - which processes there are to be, and what each may know
 *
 * Made of the settings, of workers/harnesses.def and of
 * workers/passthrough/providers.def, and of what the operator names besides.
 * Making it checks everything that can be
 * checked before something is started: a plan that was made can be carried
 * out, and what is wrong is said with the variable's name (ERR_INVALID).
 *
 * Each child gets the variables that concern it and no others: keys go to
 * whoever serves providers, the bearer to the gateway.
 */
#include "proto/list.h"
#include "proto/settings.h"

struct planned {
	const char *name;    /* "gateway", "claude" */
	const char *program; /* "cli-bridge-claude" */
	bool is_worker, serves_providers;
	bool is_own; /* the operator's: in no table */
	char **env;  /* NULL until furnished; ends with NULL */
	size_t env_count;
};

struct plan {
	struct settings settings;
	struct planned children[MAX_CHILDREN]; /* the gateway is the first */
	size_t count;
	struct list own; /* names of workers of the operator's own */
	char *routes;	 /* "claude=claude cc=claude openai=passthrough" */
	char *workers;
};

/* What an instance adds to every environment. */
struct place {
	const char *instance, *run_dir, *data_dir;
};

/* From the environment of this process.  NULL, with `e`, if it is wrong. */
struct plan *plan_new(struct error *e);
void plan_free(struct plan *);

/* Gives every child its environment; to be done once. */
void plan_furnish(struct plan *, const struct place *);

/* NULL: no such child. */
const struct planned *plan_find(const struct plan *, const char *name);

bool planned_has_same_env(const struct planned *, const struct planned *);

/* Is it to run something else, which it can't begin while it runs?  The
 * command of an agent of the operator's own is such a thing. */
bool planned_is_another(const struct planned *, const struct planned *);
