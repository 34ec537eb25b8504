#pragma once
/*
 * profiles - the profiles that the operator keeps, each in a file
 *
 * A file <id>.json in the directory BRIDGE_PROFILES_DIR (or
 * SANDBOX_PROFILES_DIR; default: profiles in the data directory) is a profile.
 * It is read whenever it is asked for, so a change counts at once.  A file that
 * is no profile is never passed over: whoever lists them is told what is wrong
 * with it.
 */
#include <jansson.h>

#include "proto/error.h"

/* The profile of that id, which the caller json_decref()s; NULL: ERR_INVALID,
 * and what is wrong with its file.  `where` is where the id was found; members
 * that nobody knows are added to `unknown`, as of profile_read(). */
json_t *profiles_find(const char *where, const char *id, json_t *unknown,
		      struct error *);

/* The same, with ERR_NOT_FOUND if there is none. */
json_t *profiles_show(const char *id, struct error *);

/*
 * All of them as rows {"id","name","description","tags","loadedAt"}, and the
 * files that are none, or have members that nobody knows, as objects
 * {"file","error"} in `faults`.  The caller json_decref()s the rows.
 */
json_t *profiles_list(json_t *faults);
