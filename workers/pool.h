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
#include "workers/warm.h"

struct pool {
	struct worker *worker;
	struct list warm; /* all, the idle ones in order of their idling */
	uint64_t last_number;
	char *program;		  /* NULL: not found */
	char *workspace;	  /* directory of turns that name none */
	char *scratch;		  /* for the harness's own files */
	struct words environment; /* but for the mark */
	json_t *models;		  /* as the CLI says, or NULL */
	struct timer sweep_timer, spare_timer, tick;
	bool wants_spare[2];  /* of those that are not kept, and that are */
	uint64_t sweep_cost;  /* ms, of the last one */
	struct list leavings; /* warm structs to be freed */
	unsigned sweeps;      /* in a row that have found something */

	/* A process that is not of the pool, and yet no orphan. */
	const struct process *other;

	/* What the owner of turns hears. */
	void (*ready)(struct warm *);
	void (*over)(struct warm *, const struct outcome *);
};

must_check bool pool_init(struct pool *, struct worker *, struct error *);
void pool_fini(struct pool *);

/* Looks for the program again: it may have been installed meanwhile. */
void pool_find_program(struct pool *);

/* Says why there is no program, and what to do about it. */
bool pool_fail_missing(const struct pool *, struct error *);

/* The idle process of a session, or NULL. */
struct warm *pool_find(struct pool *, const char *session);

/* A spare, if there is one that suits, or a new one.  NULL on failure. */
struct warm *pool_start(struct pool *, const struct warm_plan *,
			struct error *);

unsigned pool_count(const struct pool *);

/* For warm.c: it has nothing to do; something of its may be left. */
void pool_become_idle(struct warm *);
void pool_sweep_later(struct pool *);
