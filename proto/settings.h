#pragma once
/*
 * settings - what the operator may choose
 *
 * All of it comes from the environment; the supervisor adds what an
 * environment file says, checks everything before it starts anything, and
 * gives each process what concerns it.  A process reads its part again, from
 * its own environment, through the same functions.
 *
 * A wrong value is an error that names the variable, the value and what is
 * allowed.
 */
#include "proto/error.h"
#include "proto/str.h"

typedef char *setting_text; /* NULL: none */
typedef bool setting_flag;
typedef uint64_t setting_count;

struct settings {
#define SETTING(kind, name, VARIABLE, default, min, max, meaning) \
	setting_##kind name;
#include "proto/settings.def"
};

struct harness_settings {
#define HARNESS_SETTING(kind, name, SUFFIX, GLOBAL, default, min, max, \
			meaning)                                       \
	setting_##kind name;
#include "proto/settings.def"
};

/* In both cases fini is needed even if it failed. */
must_check bool settings_read(struct settings *, struct error *);
void settings_fini(struct settings *);

/* `harness` is a name such as "claude": its variables begin with CLAUDE_. */
must_check bool harness_settings_read(struct harness_settings *,
				      const char *harness, struct error *);
void harness_settings_fini(struct harness_settings *);

/*
 * Adds the variables of a file (NAME=value lines, # comments, quotes as in a
 * shell) to the environment, unless they are set there already.
 */
must_check bool settings_load_file(const char *path, struct error *);

/* Calls `unknown` with each BRIDGE_* variable that is no setting, and with
 * the nearest that is. */
void settings_find_unknown(void (*unknown)(const char *name,
					   const char *nearest));

/*
 * Calls it with each variable of a harness that is almost a setting: <NAME>_*
 * is its vendor's as well, of which we do not know what there is.
 */
void settings_find_mistyped(const char *harness,
			    void (*unknown)(const char *name,
					    const char *nearest));

/* "BRIDGE_PROVIDER_ACME_BASE_URL": the caller frees it. */
char *settings_variable(const char *prefix, const char *name,
			const char *suffix);

/*
 * Whether a variable may be known to the processes of `name`: those that make
 * up an ordinary environment, the bridge's own except secrets, and <NAME>_*.
 */
bool settings_concern(const char *variable, const char *name);

/* The ordinary part of that: HOME, PATH, LANG, proxies and the like. */
bool settings_is_ordinary(const char *variable);
