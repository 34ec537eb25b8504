#pragma once
/*
 * warm - one CLI process of a pool, from its start to its end
 *
 * What it does next is told by its state and by what its harness makes of its
 * lines; whoever gave it a turn hears of the turn's end exactly once.
 */
#include "workers/cli.h"
#include "workers/harness.h"
#include "workers/worker.h"

struct pool;

enum warm_state {
	WARM_SPARE,    /* runs, and was told nothing yet; nobody's */
	WARM_STARTING, /* was greeted, has not said that it is ready */
	WARM_IDLE,     /* ready, without a turn */
	WARM_BUSY,     /* its turn is under way */
	WARM_STOPPING, /* its turn is being interrupted */
	WARM_LEAVING,  /* asked to end; no turn, no session */
};

/* How its turn ended, to whoever gave it. */
struct outcome {
	bool lost;		   /* the CLI does not know the session */
	const struct error *error; /* NULL: it ended well */
	const char *reason, *usage, *model; /* of a good end */
};

struct warm {
	struct node node;
	struct pool *pool;
	struct cli cli;
	struct talk talk;
	enum warm_state state;
	uint64_t number;
	struct turn *turn; /* NULL: none */
	char *session;	   /* the caller's id; NULL: stands alone */
	char *cli_id, *cwd, *system, *model;
	char *position;	     /* where the last good turn ended, as it says */
	uint64_t unanswered; /* hash of what a failed turn has said to it; 0:
			      * its last turn was a good one */
	uint64_t answer; /* hash of what the turn has said; see conversation */
	bool said_something;
	bool killed;
	bool was_ready;	    /* a spare that did not have to be greeted */
	struct timer clock; /* of the state it is in */
	struct timer grave; /* frees it when no callback is under way */
};

/* What a process is started for; strings are copied. */
struct warm_plan {
	const char *session, *cli_id, *position, *cwd, *system, *model;
	size_t system_len;
	const json_t *history;
	bool resumed;
	bool kept;  /* see struct talk */
	bool spare; /* it is not for anybody yet */
};

/* NULL on failure. */
struct warm *warm_start(struct pool *, const struct warm_plan *,
			struct error *);

/* A spare becomes somebody's; its cli_id stays its own. */
void warm_adopt(struct warm *, const struct warm_plan *);

/* Gives the process a turn, which it begins at once or when it is ready. */
void warm_give(struct warm *, struct turn *);

/* Says the turn's messages: for `ready` to call, and of an idle process. */
void warm_say(struct warm *, const char *model, const json_t *messages,
	      size_t from);

/* Stops the turn: `over` follows, with ERR_CANCELLED. */
void warm_cancel(struct warm *);

/* Ends an idle process in its own time, any other at once. */
void warm_retire(struct warm *);

/* Its turn's client reads on. */
void warm_unblock(struct warm *);

/* For talk.c: what a process has said of itself. */
void warm_ready(struct warm *);
void warm_lost(struct warm *);
void warm_conclude(struct warm *, const struct outcome *);

/* The process is of no use any more, and its turn fails. */
void warm_give_up(struct warm *, const struct error *);

/* For the pool: it is no more; frees it when no callback is under way. */
void warm_leave(struct warm *);
timer_fn warm_bury, warm_on_idle_for_long;
