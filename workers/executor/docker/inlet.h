#pragma once
/*
 * inlet - how the programs of a container reach a port of 127.0.0.1 here
 *
 * The container's network may be its own, or none at all.  So its slot has a
 * unix socket of ours, in a folder that is mounted into the container,
 * read-only: no program in there can put another one in its place.
 * cli-bridge-slot makes a port of the container lead to it (slot_forward.h),
 * and here each connection becomes one to the port of ours.
 *
 * Who connects is not looked at: any program in the container can, and with the
 * network "host" any program of the engine's machine.
 */
#include "workers/executor/docker/slot.h"

#define INLET_SOCKET "inlet"

/* To a port of 127.0.0.1.  A socket that is there already is replaced.  NULL,
 * and why, on failure. */
struct inlet *inlet_new(struct loop *, const char *path, unsigned port,
			struct error *);
void inlet_free(struct inlet *); /* MAY be given NULL */

/* True: what the slot has told was about its port. */
bool inlet_hears(struct slot *, struct str word, struct str rest);
