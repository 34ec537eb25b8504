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
 * allowed.  Values are looked at without white space around them, and one of
 * nothing but white space is none (variables.h).
 */
#include "proto/error.h"
#include "proto/str.h"

typedef char *setting_text; /* NULL: none */
typedef char *setting_path; /* the same, with ~/ replaced */
typedef bool setting_flag;
typedef uint64_t setting_count;

/* Who reads a setting, and so must hear of its change. */
enum concern {
	FOR_SUPERVISOR = 1,
	FOR_GATEWAY = 2,
	FOR_CLIS = 4,	   /* the workers of CLIs */
	FOR_PROVIDERS = 8, /* the worker for vendors' APIs */
	FOR_WORKERS = FOR_CLIS | FOR_PROVIDERS,
	FOR_ALL = FOR_SUPERVISOR | FOR_GATEWAY | FOR_WORKERS,
	AT_START = 16, /* once only: a change needs another start */
	FOR_START = FOR_SUPERVISOR | AT_START,
};

struct settings {
#define SETTING(kind, name, VARIABLE, default, min, max, concerns, meaning) \
	setting_##kind name;
#include "proto/settings.def"
};

struct harness_settings {
#define HARNESS_SETTING(kind, name, SUFFIX, GLOBAL, default, min, max, \
			concerns, meaning)                             \
	setting_##kind name;
#include "proto/settings.def"
};

/* In both cases fini is needed even if it failed. */
must_check bool settings_read(struct settings *, struct error *);
void settings_fini(struct settings *);

/* Only BRIDGE_DATA_DIR, whatever the others are: which daemon is meant?  The
 * caller frees it; NULL: the default. */
must_check bool settings_data_dir(char **, struct error *);

/* `harness` is a name such as "claude": its variables begin with CLAUDE_. */
must_check bool harness_settings_read(struct harness_settings *,
				      const char *harness, struct error *);
void harness_settings_fini(struct harness_settings *);

/* Calls `unknown` with each BRIDGE_* variable that is no setting, and with
 * the one that was probably meant, or NULL. */
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

/* Calls `changed` with each variable that counts at the start only, and is
 * not what it was. */
void settings_find_fixed(const struct settings *old, const struct settings *new,
			 void (*changed)(const char *variable));

/*
 * Whether a variable may be known to the process called `name`, which is one
 * of `who`: those that make up an ordinary environment, the settings that
 * concern it, and <NAME>_*.
 */
bool settings_concern(struct str variable, const char *name, enum concern who);

/* The ordinary part of that: HOME, PATH, LANG, proxies and the like. */
bool settings_is_ordinary(struct str variable);

/*
 * A path as the operator wrote it, with ~/ replaced by the home directory.
 * The caller frees it; NULL, with `e`, if it begins with another ~.
 */
char *settings_expand(const char *variable, struct str path, struct error *);
