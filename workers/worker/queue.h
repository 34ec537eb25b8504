#pragma once
/*
 * queue - which turn runs when
 *
 * So many turns run at once, one at a time in each lane of a session, and the
 * rest waits in order.  Turns are begun one by one between other events of the
 * loop.  What waits is kept as the bytes that came: a large body is read when
 * its turn begins, not before.
 */
#include "workers/worker/turn.h"

/* Accepts a turn that has come, and lets it wait, for a moment at least.  On
 * failure it must be refused. */
must_check bool queue_admit(struct turn *, struct error *);

/* A slot or a session has become free, or the settings are others: turns are
 * begun soon. */
void queue_run_waiting(struct worker *);
