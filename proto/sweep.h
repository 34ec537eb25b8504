#pragma once
/*
 * sweep - ends every process that was started for a purpose that is over
 *
 * Process groups are left by setsid() and parents by a double fork(); the
 * environment a process was started with stays with it.  So whatever the
 * bridge starts carries a mark there,
 *
 *      CLI_BRIDGE_OWNER=<instance>/<worker>/<number>/
 *
 * and every process with a mark can be found.  One that is started with an
 * emptied environment, or by another program on our behalf (systemd-run,
 * docker), bears none, and is not found.
 */
#include <stdbool.h>
#include <stdint.h>

#define OWNER_VARIABLE "CLI_BRIDGE_OWNER"

/*
 * Kills (SIGKILL) every process of ours but this one whose mark begins with
 * `mark`, until there is none left; says how many there were.  Costs about
 * 10 microseconds per process on the machine.
 */
unsigned sweep(const char *mark);

/*
 * The same, but only processes whose mark goes on with a number, and only if
 * `is_over` says so of it.
 */
unsigned sweep_numbers(const char *mark, bool (*is_over)(void *, uint64_t),
		       void *arg);
