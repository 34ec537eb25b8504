#pragma once
/*
 * commands - what `cli-bridge <command>` does to the daemon, or asks it
 *
 * Each returns the program's exit code.  What changes something waits until
 * it has changed, and says so only then.  A process that is named and already
 * is as it should be is an error, as in supervisorctl; one that "all" means is
 * not.
 */
#include <stdbool.h>

#include "proto/exit_code.h"

struct order {
	const char *command;
	char **names; /* ends with NULL; empty: all, where that makes sense */
	bool json;
};

typedef int command_fn(const struct order *);

command_fn command_status, command_start, command_stop, command_restart;
command_fn command_shutdown, command_verify;
