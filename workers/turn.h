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
#include "workers/worker.h"

struct turn *turn_new(struct worker *, const struct msg_submit *);
void turn_free(struct turn *);

/* Its first event. */
void turn_accepted(struct turn *, const struct acceptance *);

/* To the worker's list of that state. */
void turn_move(struct turn *, int state);

/* Sends what waits, as far as there is credit. */
void turn_drain(struct turn *);

/* A slot or a session has become free. */
void worker_run_waiting(struct worker *);
