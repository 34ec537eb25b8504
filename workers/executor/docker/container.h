#pragma once
/*
 * container - what the container of a slot is made from, in the engine's words
 *
 * It is read-only but for what is mounted, and /tmp; it has no capability and
 * no way to get one; its first process is cli-bridge-slot, whose standard input
 * is open once; and the engine removes it when that has ended.
 */
#include "workers/executor/docker/slot.h"

/* The label that says whose it is: the mark of the worker. */
#define CONTAINER_LABEL "cli-bridge.owner"

/* The body of the request that creates it; the caller owns it. */
json_t *container_describe(const struct slot *);

/* Is the container that the engine has described one of this worker? */
bool container_is_ours(const struct slot *, const json_t *container);
