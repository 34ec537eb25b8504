#pragma once
/*
 * run - one process of a CLI, from its start to its end, and its talks
 *
 * Most CLIs hold one conversation a process: then the run is its talk's, and
 * ends with it.  Others hold many: then talks come and go, and the run stays
 * for a while after the last one.
 *
 * A shared run gets MAX_TALKS talks and no more, for some CLIs keep a part of
 * each for ever.  One that misbehaves is closed: it gets no further talk, and
 * ends as soon as no turn is under way in it.
 */
#include "workers/cli.h"
#include "workers/harness.h"

struct pool;
struct warm;

enum run_state {
	RUN_STARTING, /* can't be talked with yet */
	RUN_UP,
	RUN_CLOSED, /* gets no further talk */
	RUN_ENDING, /* was asked to end, or killed */
};

struct run {
	struct node node;
	struct pool *pool;
	struct cli cli;
	struct agent agent;
	enum run_state state;
	uint64_t number;   /* counts the runs of the pool from 1 */
	struct list talks; /* struct warm, by its seat */
	unsigned joined;   /* talks that it ever had */
	unsigned unburied; /* talks that were begun, and are not freed */
	bool killed;
	uint64_t began;	    /* loop_now() */
	uint64_t last_use;  /* loop_now() of the last turn */
	struct timer clock; /* of its idling, of its end */
	struct timer grave; /* frees it when no callback is under way */
};

/* The process of one talk: starts it for `w`, who has it until it ends. */
must_check bool run_start_for(struct warm *w, struct error *);

/* A process that talks share: one with room, or a new one; `w` gets a place
 * in it. */
must_check bool run_join(struct warm *w, struct error *);

/* One that nobody talks with yet, if there is none with room. */
must_check bool run_ensure(struct pool *, struct error *);

/* The talk is over.  What is left without one may stay for a while. */
void run_leave(struct warm *w);

void run_kill(struct run *);

/* Asks it to end, then makes it. */
void run_retire(struct run *);

/* It can't be trusted any more, but others have turns in it. */
void run_close(struct run *);

/* A turn of it is about to end in order: so may one that is closed, if that
 * was its last. */
void run_finish(struct run *);

/* It has no talk, and does nothing. */
bool run_is_idle(const struct run *);

/* For the pool: frees it. */
timer_fn run_bury;
