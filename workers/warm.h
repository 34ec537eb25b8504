#pragma once
/*
 * warm - one conversation with a CLI, from its start to its end
 *
 * What it does next is told by its state and by what its harness makes of the
 * CLI's lines; whoever gave it a turn hears of the turn's end exactly once.
 */
#include "workers/harness.h"
#include "workers/run.h"
#include "workers/worker.h"

enum warm_state {
	WARM_SPARE,    /* runs, and was told nothing yet; nobody's */
	WARM_STARTING, /* has not said that it is ready */
	WARM_IDLE,     /* ready, without a turn */
	WARM_BUSY,     /* its turn is under way */
	WARM_STOPPING, /* its turn is being interrupted */
	WARM_LEAVING,  /* is over, or about to be; no turn, no session */
};

/* How its turn ended, to whoever gave it. */
struct outcome {
	bool lost;		   /* the CLI does not know the session */
	const struct error *error; /* NULL: it ended well */
	const char *reason, *usage, *model; /* of a good end */
};

struct warm {
	struct node node;
	struct node seat; /* in its run */
	struct pool *pool;
	struct run *run; /* NULL: never had one */
	struct talk talk;
	enum warm_state state;
	struct turn *turn; /* NULL: none */
	char *session;	   /* the caller's id; NULL: stands alone */
	char *cli_id, *cwd, *system, *model;
	char *position;	     /* where the last good turn ended, as it says */
	uint64_t unanswered; /* hash of what a failed turn has said to it; 0:
			      * its last turn was a good one */
	uint64_t answer; /* hash of what the turn has said; see conversation */
	bool said_something;
	bool is_scout; /* begun to see that it can be, which is not told yet */
	bool was_greeted;
	bool was_ready;	    /* a spare that did not have to be greeted */
	struct error why;   /* of a turn that is being stopped */
	struct timer clock; /* of the state it is in */
	struct timer grave; /* frees it when no callback is under way */
};

/* What it is started for; strings are copied. */
struct warm_plan {
	const char *session, *cli_id, *position, *cwd, *system, *model;
	size_t system_len;
	const json_t *history;
	bool resumed;
	bool kept;  /* see struct talk */
	bool spare; /* it is not for anybody yet */
	bool scout; /* it is for nobody */
};

/* NULL on failure. */
struct warm *warm_start(struct pool *, const struct warm_plan *,
			struct error *);

/* A spare becomes somebody's; its cli_id stays its own. */
void warm_adopt(struct warm *, const struct warm_plan *);

/* Gives it a turn, which it begins at once or when it is ready; it may be over
 * when this returns. */
void warm_give(struct warm *, struct turn *);

/* Says the turn's messages: for `ready` to call, and of an idle one. */
void warm_say(struct warm *, const char *model, const json_t *messages,
	      size_t from);

/* Stops the turn: `over` follows, with this error. */
void warm_stop(struct warm *, const struct error *);

/* Ends an idle one in its own time, any other at once. */
void warm_retire(struct warm *);

/* Its turn's client reads on. */
void warm_unblock(struct warm *);

/* For run.c. */
void warm_greet(struct warm *);
void warm_hear(struct warm *, struct str line);
void warm_is_alive(struct warm *);
void warm_make_sense(struct warm *, struct error *);  /* of its process's end */
void warm_ended(struct warm *, const struct error *); /* its process has */

/* For talk.c: what the CLI has said of it. */
void warm_ready(struct warm *);
void warm_lost(struct warm *);
void warm_conclude(struct warm *, const struct outcome *);

/* It is of no use any more, and its turn fails. */
void warm_give_up(struct warm *, const struct error *);

/* For the pool: it is no more; frees it when no callback is under way. */
void warm_leave(struct warm *);
timer_fn warm_bury, warm_on_idle_for_long;
