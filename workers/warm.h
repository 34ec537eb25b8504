#pragma once
/*
 * warm - one conversation with a CLI, from its start to its end
 *
 * A conversation has a place in a process (run.h), its state (below), and at
 * most one turn at a time.  Its harness turns the CLI's lines into the events
 * that change the state.  Whoever gives it a turn hears of the turn's end
 * exactly once, by pool->over.
 *
 * Each state that waits for the CLI has a deadline of its own, on `clock`: the
 * start (start_ms), silence in a turn (timeout_ms), the stop of a turn
 * (cancel_ms), idleness (idle_ms).  A sign of life begins the deadline of the
 * start or of the silence anew.  When one passes, the conversation is given
 * up, and its turn fails.
 */
#include "workers/harness.h"
#include "workers/run.h"
#include "workers/worker.h"

enum warm_state {
	WARM_SPARE,    /* started ahead; belongs to no session yet */
	WARM_STARTING, /* the CLI has not said that it is ready */
	WARM_IDLE,     /* ready, without a turn */
	WARM_BUSY,     /* its turn is under way */
	WARM_STOPPING, /* its turn is being interrupted */
	WARM_LEAVING,  /* over: it has no turn, and is found by no session */
};

/* How a turn ended, for whoever gave it. */
struct outcome {
	bool lost;		   /* the CLI does not know the session */
	const struct error *error; /* NULL: it ended well */
	const char *reason, *usage, *model; /* of a good end */
};

struct warm {
	struct node node;
	struct node seat; /* in run->talks */
	struct pool *pool;
	struct run *run; /* NULL: never had one */
	struct talk talk;
	enum warm_state state;
	struct turn *turn; /* NULL: none */
	char *session;	   /* the caller's id; NULL: stands alone */
	char *cli_id, *cwd, *system, *model;
	char *position;	     /* where the last good turn ended, as it says */
	uint64_t unanswered; /* hash of the messages of the last turn, which
			      * failed; 0: the last turn ended well */
	uint64_t answer;     /* hash of what the turn has answered so far, as in
			      * conversation.h */
	bool said_something;
	bool is_trial; /* begun to see that the CLI works; nobody's turn is
			* ever said in it, and how it went is not told yet */
	bool was_greeted;
	bool was_ready;	    /* a spare whose CLI was ready without greet() */
	struct error why;   /* why the turn is being stopped */
	struct timer clock; /* the deadline of the state */
	struct timer free_later; /* when no callback of it is under way */
};

/* What a conversation is started for; strings are copied. */
struct warm_plan {
	const char *session, *cli_id, *position, *cwd, *system, *model;
	size_t system_len;
	const json_t *history;
	bool resumed;
	bool kept;  /* see struct talk */
	bool spare; /* it is started ahead, for a session to come */
	bool trial; /* see is_trial */
};

/* NULL on failure. */
struct warm *warm_start(struct pool *, const struct warm_plan *,
			struct error *);

/* A spare becomes the conversation of a session; its cli_id stays. */
void warm_adopt(struct warm *, const struct warm_plan *);

/* Gives it a turn, which begins at once or when the CLI is ready.  The turn
 * may be over when this returns. */
void warm_give(struct warm *, struct turn *);

/* Says the messages of its turn to the CLI.  Called by pool->ready only. */
void warm_say(struct warm *, const char *model, const json_t *messages,
	      size_t from);

/* Stops the turn: pool->over follows, with this error. */
void warm_stop(struct warm *, const struct error *);

/* Ends the conversation.  The process of an idle one gets time to end. */
void warm_retire(struct warm *);

/* The client of its turn, which was slow, has read on. */
void warm_unblock(struct warm *);

/* For run.c. */
void warm_greet(struct warm *);
void warm_hear(struct warm *, struct str line);
void warm_is_alive(struct warm *);
/* Lets the harness explain why the process ended: it may change the error. */
void warm_explain_end(struct warm *, struct error *);
void warm_ended(struct warm *, const struct error *); /* with its process */

/* For talk.c: what the CLI has said of it. */
void warm_ready(struct warm *);
void warm_lost(struct warm *);
void warm_conclude(struct warm *, const struct outcome *);

/* Ends the conversation at once, and fails its turn. */
void warm_give_up(struct warm *, const struct error *);

/* For the pool: takes it out of all lists, and frees it later. */
void warm_leave(struct warm *);
timer_fn warm_free_later, warm_on_idle_for_long;
