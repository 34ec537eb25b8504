#pragma once
/*
 * docker_login - the login of a CLI in the container that it is for
 */
#include "proto/settings.h"
#include "workers/io/words.h"

/* Does each container of the harness have a login of its own?  Otherwise it is
 * that of this machine.  False, with `e`, also if a setting is wrong. */
bool docker_has_logins(const struct harness_settings *, const char *name,
		       struct error *);

/*
 * Runs the CLI's login with our terminal in the container of the slot, which is
 * a number; NULL: the first.  argv[0] is the program as the container finds it:
 * it is empty so far.  Once it has run, `code` is its exit code.
 */
bool docker_login(const struct harness_settings *, const char *name,
		  const char *slot, const struct words *argv, int *code,
		  struct error *);
