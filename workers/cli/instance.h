#pragma once
/*
 * instance - one process of a CLI, from its start to its end, and the
 * conversations in it
 *
 * Most CLIs hold one conversation in a process.  Such an instance starts and
 * ends with its conversation.  Other CLIs hold many conversations in one
 * process: they come and go, and the shared instance stays for an idle time
 * after the last.
 *
 * The state of an instance and the event that happened decide what it does
 * next: a table in instance.c says so, and a unit test walks its cells.
 *
 * Some CLIs never free what belongs to a conversation.  So a shared instance
 * gets MAX_CONVERSATIONS conversations in its whole life.  An instance whose
 * CLI does not answer in time is closed: it gets no further conversation, and
 * ends as soon as no turn is under way in it.  An instance that was started
 * with settings that have changed since then is stale: it ends when its last
 * conversation has left.
 *
 * An instance is asked to end in two steps: its input is closed, then it gets
 * SIGTERM; each step has FAREWELL_MS, and then the instance is killed.  When
 * the process ends, for whatever reason, each of its conversations is told so,
 * once.
 */
#include "workers/cli/harness.h"

enum instance_event {
	INSTANCE_ON_START,    /* its program was started... */
	INSTANCE_ON_NO_START, /* ...or could not be */
	INSTANCE_ON_READY,    /* the handshake is over */
	INSTANCE_ON_JOIN,     /* a conversation has got a place in it */
	INSTANCE_ON_LEAVE,    /* a conversation of a shared instance is over */
	INSTANCE_ON_CLOSE,    /* the CLI has missed a deadline */
	INSTANCE_ON_RETIRE,   /* it is not wanted any more */
	INSTANCE_ON_KILL,     /* it must end at once */
	INSTANCE_ON_FAIL,     /* it cannot be used; the error says why */
	INSTANCE_ON_TIME,     /* the time of the state has passed */
	INSTANCE_ON_EXIT,     /* the process has ended; the error says how */
	INSTANCE_EVENTS
};

/* The error is looked at by INSTANCE_ON_FAIL and INSTANCE_ON_EXIT only, whose
 * conversations fail with it. */
void instance_event(struct instance *, enum instance_event,
		    const struct error *);

/* Starts a process for the conversation `c` alone. */
must_check bool instance_start_for(struct conversation *c, struct error *);

/* Gives `c` a place in a shared process that has room, or in a new one. */
must_check bool instance_join(struct conversation *c, struct error *);

/* Starts a shared process ahead for conversations in `cwd`, unless one has
 * room. */
must_check bool instance_ensure(struct pool *, const char *cwd, struct error *);

/* The conversation is over. */
void instance_leave(struct conversation *c);

void instance_kill(struct instance *);

/* Asks the process to end, and kills it if it does not. */
void instance_retire(struct instance *);

/* Further turns may begin in it: it is neither closed nor stale, and was not
 * asked to end. */
bool instance_takes_turns(const struct instance *);

/* A shared process without a conversation, which was not asked to end. */
bool instance_is_idle(const struct instance *);

/* The process has not ended yet, but will. */
bool instance_is_ending(const struct instance *);

/* Frees an instance that has ended, once nothing points to it. */
timer_fn instance_free_later;
