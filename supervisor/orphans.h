#pragma once
/*
 * orphans - processes that have lost their parent come to us
 *
 * The supervisor is the subreaper of all it has started.  What its children
 * leave behind becomes its own, and has to be reaped when it ends, or it
 * would stay as a zombie.
 */
#include <sys/types.h>

#include "proto/loop.h"

struct orphans {
	struct loop *loop;
	struct watch ended; /* a signalfd for SIGCHLD */
	void (*some_ended)(struct orphans *);
};

#define ORPHANS_INIT ((struct orphans){ .ended = WATCH_INIT })

/* To be called before any thread exists.  Children of all kinds count. */
must_check bool orphans_watch(struct orphans *, struct loop *,
			      void (*some_ended)(struct orphans *),
			      struct error *);
void orphans_fini(struct orphans *);

/* A child that has ended and is not reaped, 0 if there is none; the same one
 * until it is. */
pid_t orphans_next(struct orphans *);
void orphans_reap(struct orphans *, pid_t);
