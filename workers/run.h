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
 * MAX_TALKS conversations in its whole life.  A run whose CLI does not answer
 * in time is closed: it gets no further conversation, and ends as soon as no
 * turn is under way in it.
 *
 * When the process ends, for whatever reason, each of its conversations is
 * told so, once.
 */
#include "workers/cli.h"
#include "workers/harness.h"

struct pool;
struct warm;

enum run_state {
	RUN_STARTING, /* the handshake is not over */
	RUN_UP,
	RUN_CLOSED, /* gets no further conversation */
	RUN_ENDING, /* was asked to end, or was killed */
};

struct run {
	struct node node;
	struct pool *pool;
	struct cli cli;
	struct agent agent;
	enum run_state state;
	uint64_t number;     /* counts the runs of the pool from 1 */
	struct list talks;   /* its conversations: struct warm, by `seat` */
	unsigned joined;     /* conversations that it ever had */
	unsigned unfreed;    /* conversations that still point to it */
	unsigned generation; /* of the settings that it was started with */
	char *workspace;     /* as it was then */
	bool killed;
	uint64_t began;		 /* loop_now() */
	uint64_t last_use;	 /* loop_now() of the last turn */
	struct timer clock;	 /* the idle time, or the time it has to end */
	struct timer free_later; /* when no callback of it is under way */
};

/* Starts a process for the conversation `w` alone. */
must_check bool run_start_for(struct warm *w, struct error *);

/* Gives `w` a place in a shared process that has room, or in a new one. */
must_check bool run_join(struct warm *w, struct error *);

/* Starts a shared process ahead, unless one has room. */
must_check bool run_ensure(struct pool *, struct error *);

/* The conversation is over.  A shared process stays for its idle time. */
void run_leave(struct warm *w);

void run_kill(struct run *);

/* Asks the process to end, and kills it if it does not. */
void run_retire(struct run *);

/* The process is not trusted any more: turns that are under way in it may
 * end, and no other begins. */
void run_close(struct run *);

/* A turn of the process is about to end.  A closed process ends with its last
 * turn. */
void run_finish(struct run *);

/* The settings have changed since the process was started: it ends what it has
 * begun, and gets nothing new. */
bool run_is_stale(const struct run *);

/* A shared process without a conversation. */
bool run_is_idle(const struct run *);

/* For the pool: frees a run that has ended, once nothing points to it. */
timer_fn run_free_later;
