#pragma once
/*
 * plan - which processes shall run, and which variables each may see
 *
 * The plan is made of the settings, the tables workers/harnesses.def and
 * workers/passthrough/providers.def, and the operator's own workers and
 * providers.  plan_new() checks everything that can be checked before a process
 * is started: a plan that exists can be carried out.  An error (ERR_INVALID)
 * names the variable that is wrong.
 *
 * Each child gets only the variables that concern it: the workers that serve
 * providers get keys, the gateway gets the bearer.
 */
#include "proto/list.h"
#include "proto/settings.h"

struct planned {
	const char *name;    /* "gateway", "claude" */
	const char *program; /* "cli-bridge-claude" */
	bool is_worker, serves_providers;
	bool is_own; /* the operator's own worker, in no table */
	char **env;  /* NULL until plan_furnish(); ends with NULL */
	size_t env_count;
};

struct plan {
	struct settings settings;
	struct planned children[MAX_CHILDREN]; /* the gateway is the first */
	size_t count;
	struct list own; /* of struct own: the operator's own workers */
	char *routes;	 /* "claude=claude cc=claude openai=passthrough" */
	char *workers;
};

/* The variables that an instance adds to every environment. */
struct place {
	const char *instance, *run_dir, *data_dir;
};

/* Reads the environment of this process.  NULL, with `e`: it is wrong. */
struct plan *plan_new(struct error *e);
void plan_free(struct plan *);

/* Gives every child its environment; call it once. */
void plan_furnish(struct plan *, const struct place *);

/* NULL: the plan has no such child. */
const struct planned *plan_find(const struct plan *, const char *name);

bool planned_has_same_env(const struct planned *, const struct planned *);

/*
 * Does the child run something else now, so that CONFIGURE is not enough?  The
 * command of the operator's own agent is such a change.
 */
bool planned_is_another(const struct planned *, const struct planned *);
