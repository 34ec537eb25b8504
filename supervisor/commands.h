#pragma once
/*
 * commands - what `cli-bridge <command>` asks the daemon, or has it do
 *
 * Each function returns the exit code of the program.  A command that changes
 * something waits until the change is done, and reports success only then.  If
 * a process that was named is already in the wanted state, that is an error, as
 * in supervisorctl; if it was only included in "all", it is not.
 */
#include <stdbool.h>

#include "proto/exit_code.h"

struct order {
	const char *command;
	char **names; /* ends with NULL; empty: all, where that is allowed */
	bool json;
};

typedef int command_fn(const struct order *);

command_fn command_status, command_start, command_stop, command_restart;
command_fn command_shutdown, command_verify;

/* These ask no daemon.  command_login() returns only on failure: the process
 * becomes the CLI. */
command_fn command_capabilities, command_login;
