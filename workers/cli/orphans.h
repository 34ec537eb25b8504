#pragma once
/*
 * orphans - processes that a CLI has left behind
 *
 * When a process of the pool ends, the processes that it has started and that
 * carry its mark (proto/sweep.h) are killed, soon after and in one sweep for
 * all that end within a short time: it reads all of /proc.  A process that does
 * not die is left alone after MAX_SWEEPS sweeps, and logged.
 */
#include "workers/cli/pool.h"

/* A process has ended, or was killed. */
void orphans_sweep_later(struct pool *);

/*
 * Processes that have lost their parent became children of the worker, which
 * must reap them.
 */
void orphans_reap(struct pool *);
