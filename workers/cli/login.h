#pragma once
/*
 * login - `cli-bridge login <name>`: the CLI's own login, on the operator's
 * terminal
 *
 * The process of the worker becomes the CLI, with the program and the
 * environment that the worker starts it with: so the worker finds what the
 * login leaves.  Nothing of it passes through the bridge.
 */
#include "proto/error.h"

/*
 * Returns only if there is nothing to run, with an exit code, and has said why.
 * `slot` is the container that the login is for, if each has its own; NULL:
 * none was named.
 */
int login_run(const char *name, const char *slot);
