#pragma once
/*
 * settings - the choices of the operator
 *
 * All settings come from the environment.  The supervisor adds the variables of
 * an environment file, checks every value before it starts a process, and gives
 * each process the variables that concern it.  A process reads its part again,
 * from its own environment, through the same functions.
 *
 * A wrong value is an error that gives the variable, the value and what is
 * allowed.  White space around a value is ignored, and a value of nothing but
 * white space counts as not set (variables.h).
 */
#include "proto/error.h"
#include "proto/str.h"

typedef char *setting_text; /* NULL: none */
typedef char *setting_path; /* the same, with ~/ replaced */
typedef bool setting_flag;
typedef uint64_t setting_count;

/* The processes that read a setting, and must be told when it changes. */
enum concern {
	FOR_SUPERVISOR = 1,
	FOR_GATEWAY = 2,
	FOR_CLIS = 4,	   /* the workers of CLIs */
	FOR_PROVIDERS = 8, /* the worker for providers */
	FOR_WORKERS = FOR_CLIS | FOR_PROVIDERS,
	FOR_ALL = FOR_SUPERVISOR | FOR_GATEWAY | FOR_WORKERS,
	AT_START = 16, /* once only: a change needs a restart */
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

/* The caller needs settings_fini() even if reading failed. */
must_check bool settings_read(struct settings *, struct error *);
void settings_fini(struct settings *);

/*
 * Reads BRIDGE_DATA_DIR only, whatever is wrong with other settings: a command
 * needs it to find its daemon.  The caller frees it; NULL: the default.
 */
must_check bool settings_data_dir(char **, struct error *);

/* `harness` is a name such as "claude": its variables begin with CLAUDE_. */
must_check bool harness_settings_read(struct harness_settings *,
				      const char *harness, struct error *);
void harness_settings_fini(struct harness_settings *);

/*
 * Calls `unknown` for each BRIDGE_* variable that is no setting, with the name
 * that was probably meant, or NULL.
 */
void settings_find_unknown(void (*unknown)(const char *name,
					   const char *nearest));

/*
 * Calls `unknown` for each variable of a harness that resembles a setting.
 * Other <NAME>_* variables are left alone: they may be the vendor's.
 */
void settings_find_mistyped(const char *harness,
			    void (*unknown)(const char *name,
					    const char *nearest));

/* "BRIDGE_PROVIDER_ACME_BASE_URL": the caller frees it. */
char *settings_variable(const char *prefix, const char *name,
			const char *suffix);

/*
 * Calls `changed` for each variable that counts at the start only and whose
 * value has changed.
 */
void settings_find_fixed(const struct settings *old, const struct settings *new,
			 void (*changed)(const char *variable));

/*
 * Whether the process `name`, which is one of `who`, may see a variable: those
 * of an ordinary environment, the settings that concern the process, and
 * <NAME>_*.
 */
bool settings_concern(struct str variable, const char *name, enum concern who);

/* Is it one of an ordinary environment: HOME, PATH, LANG, proxies, ...? */
bool settings_is_ordinary(struct str variable);

/*
 * A path as the operator wrote it, with ~/ replaced by the home directory.
 * The caller frees it; NULL, with `e`, if it begins with another ~.
 */
char *settings_expand(const char *variable, struct str path, struct error *);
