#pragma once
/*
 * ending - how the turns of a worker end before their time, and the worker
 *
 * A worker that is drained takes no more orders, and ends after its last turn.
 * One that is stopped tells the clients of its turns that they have failed, and
 * ends as soon as they can have heard it.  If the gateway goes away, there is
 * nobody to hear it: all turns are cancelled, and the worker goes on.
 */
#include "workers/worker/worker.h"

/* Tells the gateway that the worker takes no more orders. */
void ending_take_no_more(struct worker *);

/* It takes no more, and nothing is left to do: the process ends soon. */
void ending_leave_if_drained(struct worker *);

void ending_stop(struct worker *);

/* The gateway has gone. */
void ending_cancel_turns(struct worker *);
void ending_free_lingering(struct worker *);
