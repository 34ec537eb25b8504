#pragma once
/*
 * turn - a turn's life, and the events that it sends
 *
 * Events cost credit, which the gateway gives as its client reads.  Those for
 * which there is none wait in the turn's outbox, in order, even after the
 * turn has ended: its end is never told before all of its text.
 *
 * What engines may call is in engine.h; this is for worker.c.
 */
#include "workers/worker/worker.h"

/* Takes `order`, in which the strings of the message are, if it is there. */
struct turn *turn_new(struct worker *, const struct msg_submit *,
		      nng_msg *order);
void turn_free(struct turn *);

/* Its first event. */
void turn_accepted(struct turn *, const struct acceptance *);

/* What could not be told with that. */
void turn_tell_ignored(struct turn *, const char *ignored);

/* Tells the client that the turn has failed, before the engine knows. */
void turn_cut(struct turn *, const struct error *);

/* To the worker's list of that state. */
void turn_move(struct turn *, int state);

/* Sends what waits, as far as there is credit. */
void turn_drain(struct turn *);

/* The gateway may send so many bytes more. */
void worker_tell_room(struct worker *, size_t bytes);

/* A slot or a session has become free, or a turn has come: turns are begun
 * soon, one by one. */
void worker_run_waiting(struct worker *);
