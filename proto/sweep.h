#pragma once
/*
 * sweep - kills processes that have outlived the purpose they were started for
 *
 * A process can leave its group with setsid() and its parent with a double
 * fork(), but it keeps the environment that it was started with.  So every
 * process that the bridge starts carries a mark in its environment,
 *
 *     CLI_BRIDGE_OWNER=<instance>/<worker>/<number>/
 *
 * by which it and its descendants can be found.  A process that is started with
 * an emptied environment, or by another program on its behalf (systemd-run,
 * docker), has no mark and is not found.
 */
#include <stdbool.h>
#include <stdint.h>

#define OWNER_VARIABLE "CLI_BRIDGE_OWNER"

/*
 * Kills (SIGKILL) every process of ours but this one whose mark begins with
 * `mark`, until none is left, and returns how many it killed.  Costs about 10
 * microseconds for each process on the machine.
 */
unsigned sweep(const char *mark);

/*
 * The same, but only for processes whose mark continues with a number for which
 * `is_over` returns true.
 */
unsigned sweep_numbers(const char *mark, bool (*is_over)(void *, uint64_t),
		       void *arg);
