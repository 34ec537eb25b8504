#pragma once
/*
 * run - one process of a CLI, from its start to its end, and the
 * conversations in it
 *
 * Most CLIs hold one conversation in a process.  Such a run starts and ends
 * with its conversation.  Other CLIs hold many conversations in one process:
 * they come and go, and the shared run stays for an idle time after the last.
 *
 * Some CLIs never free what belongs to a conversation.  So a shared run gets
 * MAX_CONVERSATIONS conversations in its whole life.  A run whose CLI does not
 * answer in time is closed: it gets no further conversation, and ends as soon
 * as no turn is under way in it.
 *
 * When the process ends, for whatever reason, each of its conversations is
 * told so, once.
 */
#include "workers/cli/harness.h"

/* Starts a process for the conversation `c` alone. */
must_check bool instance_start_for(struct conversation *c, struct error *);

/* Gives `c` a place in a shared process that has room, or in a new one. */
must_check bool instance_join(struct conversation *c, struct error *);

/* Starts a shared process ahead, unless one has room. */
must_check bool instance_ensure(struct pool *, struct error *);

/* The conversation is over.  A shared process stays for its idle time. */
void instance_leave(struct conversation *c);

void instance_kill(struct instance *);

/* Asks the process to end, and kills it if it does not. */
void instance_retire(struct instance *);

/* The process is not trusted any more: turns that are under way in it may
 * end, and no other begins. */
void instance_close(struct instance *);

/* A turn of the process is about to end.  A closed process ends with its last
 * turn. */
void instance_finish(const struct conversation *);

/* The settings have changed since the process was started: it ends what it has
 * begun, and gets nothing new. */
bool instance_is_stale(const struct instance *);

/* A shared process without a conversation. */
bool instance_is_idle(const struct instance *);

/* For the pool: frees a run that has ended, once nothing points to it. */
timer_fn instance_free_later;
