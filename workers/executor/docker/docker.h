#pragma once
/*
 * docker - the executor that runs programs in a pool of containers
 *
 * Each place is a slot (slot.h): a container that is there before it is needed,
 * and in which one turn runs at a time.  A session keeps its slot for as long
 * as both live; many sessions may share one.  A new session gets the slot with
 * the fewest.  The CLI processes of a slot stay warm between turns, as they do
 * on the host.
 *
 * All containers have a label with the mark of the worker, which is that of
 * its data directory.  What an earlier process of the worker has left is
 * removed at the start; containers of others are never touched.
 */
#include "workers/executor/executor.h"

/* NULL, and why, if the settings are of no use.  An engine that does not answer
 * is no failure: it may be there later. */
struct executor *docker_new(const struct executor_plan *, struct error *);
