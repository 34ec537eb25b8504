#pragma once
/*
 * orphans - reaps processes whose parent has died
 *
 * The supervisor is the subreaper of everything below it.  A process that a
 * child leaves behind becomes a child of the supervisor, and stays as a zombie
 * unless the supervisor reaps it.
 */
#include <sys/types.h>

#include "proto/loop.h"

struct orphans {
	struct loop *loop;
	struct watch ended; /* a signalfd for SIGCHLD */
	void (*some_ended)(struct orphans *);
};

#define ORPHANS_INIT ((struct orphans){ .ended = WATCH_INIT })

/*
 * Must be called before any thread exists.  `some_ended` is called for any
 * child.
 */
must_check bool orphans_watch(struct orphans *, struct loop *,
			      void (*some_ended)(struct orphans *),
			      struct error *);
void orphans_fini(struct orphans *);

/*
 * A child that has ended and is not reaped, 0: none.  Returns the same one
 * until it is reaped.
 */
pid_t orphans_next(struct orphans *);
void orphans_reap(struct orphans *, pid_t);
