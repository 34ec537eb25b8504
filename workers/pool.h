#pragma once
/*
 * pool - the CLI processes of a worker, warm between turns
 *
 * A warm process belongs to one session for its whole life, or to one turn
 * that stands alone.  Between turns it is idle, and goes after its idle time,
 * when there are too many, or when the machine is short of memory: the one
 * that has been idle longest goes first.  Its session is then resumed by a
 * new process.
 *
 * What a process has started ends with it, wherever it hides.
 */
#include "workers/cli.h"
#include "workers/harness.h"
#include "workers/worker.h"

struct warm;

enum warm_state {
	WARM_STARTING, /* has not said that it is ready */
	WARM_IDLE,     /* ready, without a turn */
	WARM_BUSY,     /* its turn is under way */
	WARM_STOPPING, /* its turn is being interrupted */
	WARM_LEAVING,  /* asked to end; no turn, no session */
};

/* How its turn ended, to whoever gave it. */
struct outcome {
	bool lost;		   /* the CLI does not know the session */
	bool usable;		   /* the process can go on */
	const struct error *error; /* NULL: it ended well */
	const char *reason, *usage, *model; /* of a good end */
};

struct pool {
	struct worker *worker;
	struct list warm; /* all, the idle ones in order of their idling */
	uint64_t last_number;
	char *program;		  /* NULL: not found */
	char *workspace;	  /* directory of turns that name none */
	char *scratch;		  /* for the harness's own files */
	struct words environment; /* but for the mark */
	json_t *models;		  /* as the CLI says, or NULL */
	struct timer sweep_timer, tick;
	uint64_t sweep_cost;  /* ms, of the last one */
	struct list leavings; /* warm structs to be freed */

	/* What the owner of turns hears. */
	void (*ready)(struct warm *);
	void (*over)(struct warm *, const struct outcome *);
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
	struct timer clock; /* of the state it is in */
	struct timer grave; /* frees it when no callback is under way */
};

/* What a process is started for; strings are copied. */
struct warm_plan {
	const char *session, *cli_id, *position, *cwd, *system, *model;
	size_t system_len;
	const json_t *history;
	bool resumed;
};

must_check bool pool_init(struct pool *, struct worker *, struct error *);
void pool_fini(struct pool *);

/* Looks for the program again: it may have been installed meanwhile. */
void pool_find_program(struct pool *);

/* The idle process of a session, or NULL. */
struct warm *pool_find(struct pool *, const char *session);

/* NULL on failure. */
struct warm *pool_start(struct pool *, const struct warm_plan *,
			struct error *);

unsigned pool_count(const struct pool *);

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
