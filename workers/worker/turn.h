#pragma once
/*
 * turn - a turn's life, and the events that it sends
 *
 * Each event goes to every order that the turn answers (listener.h).  What
 * engines may call is in engine.h; this is for worker/.
 */
#include "workers/worker/worker.h"

/* Takes `order`, in which the strings of the message are, if it is there. */
struct turn *turn_new(struct worker *, const struct msg_submit *,
		      nng_msg *order);
void turn_free(struct turn *);

/* Its first event. */
void turn_accepted(struct turn *, const struct acceptance *);

/* Its engine goes on, if it was blocked before and is not now: after whatever
 * may have changed that. */
void turn_go_on(struct turn *, bool was_blocked);

/* The order is answered by this turn, too: tells all that it has said. */
void turn_join(struct turn *, const struct msg_submit *);

/* What could not be told with that: the mode, and what is ignored. */
void turn_tell_reading(struct turn *, const struct acceptance *);

/* Tells the clients that the turn has failed, before the engine knows. */
void turn_cut(struct turn *, const struct error *);

/* Nobody waits for the answer any more.  A turn that has not begun is gone when
 * this returns; one that runs may be. */
void turn_cancel(struct turn *, const struct error *why);

/* To the worker's list of that state. */
void turn_move(struct turn *, int state);
