#pragma once
/*
 * pool - the conversations of a worker with its CLI, and the processes
 *
 * A warm conversation belongs to one session for its whole life, or to one
 * turn that stands alone.  Between turns it is idle, and goes after its idle
 * time, when there are too many, or when the machine is short of memory: the
 * one that has been idle longest goes first.  Its session is then resumed by
 * a new one.  Where the processes are, and how many talk with one: run.h.
 *
 * What a process has started ends with it, wherever it hides.
 */
#include "workers/warm.h"

struct pool {
	struct worker *worker;
	const struct harness *harness;
	const char *permission_mode;
	enum loads loads;
	struct error unfit; /* why the settings can't be kept to; code 0: fit */
	struct list warm;   /* all, the idle ones in order of their idling */
	struct list runs;   /* all their processes */
	uint64_t last_number;	  /* of a run */
	char *program;		  /* NULL: not found */
	char *workspace;	  /* directory of turns that name none */
	char *scratch;		  /* for the harness's own files */
	struct words environment; /* but for the mark */
	json_t *models;	 /* what talk_models() was told; NULL: nothing */
	json_t *unknown; /* kinds of what it said that we do not know */
	uint64_t unknown_count;
	struct timer sweep_timer, spare_timer, tick;
	bool wants_spare[2]; /* of those that are not kept, and that are */
	uint64_t sweep_cost; /* ms, of the last one */
	struct list leavings, ended_runs; /* to be freed */
	unsigned sweeps;     /* in a row that have found something */
	unsigned crashes;    /* in a row, of processes that were begun since
			      * the one before */
	uint64_t crashed_at; /* loop_now() of the last one */

	/* A process that is not of the pool, and yet no orphan. */
	const struct process *other;

	/* What the owner of turns hears. */
	void (*ready)(struct warm *);
	void (*over)(struct warm *, const struct outcome *);

	/* What has become of pool_try(); NULL: it was ready. */
	void (*tried)(struct pool *, const struct error *);
	bool is_trying;
};

/* The callbacks and `other` must be set, and the rest zero. */
must_check bool pool_init(struct pool *, struct worker *, struct error *);
void pool_fini(struct pool *);

/* Has it talked with as another harness of the same worker. */
void pool_use(struct pool *, const struct harness *);

/* Nothing of it runs, nor is to be freed. */
bool pool_is_empty(const struct pool *);

/* Looks for the program again: it may have been installed meanwhile. */
void pool_find_program(struct pool *);

/* Says why there is no program, and what to do about it. */
bool pool_fail_missing(const struct pool *, struct error *);

/* Begins a conversation for nobody, and ends it when it is ready; `tried`
 * follows. */
void pool_try(struct pool *);

/* The idle process of a session, or NULL. */
struct warm *pool_find(struct pool *, const char *session);

/* A spare, if there is one that suits, or a new one.  NULL on failure. */
struct warm *pool_start(struct pool *, const struct warm_plan *,
			struct error *);

/* How long the next process had better wait, in ms: one that always crashes
 * must not keep the machine busy. */
uint64_t pool_pause(const struct pool *);

/* Of processes. */
unsigned pool_count(const struct pool *);

/* For warm.c, run.c and talk.c: it has nothing to do; something of its may be
 * left; how a process has ended; what it has said. */
void pool_become_idle(struct warm *);
void pool_limit_idle_runs(struct pool *);
void pool_sweep_later(struct pool *);
void pool_trial_is_over(struct pool *, const struct error *);
void pool_note_crash(struct pool *, uint64_t began);
void pool_explain_end(const struct run *, struct error *);
void pool_learn_models(struct pool *, json_t *models); /* takes them */
void pool_note_unknown(struct pool *, const char *kind, const char *what);
