#pragma once
/*
 * tidy - removes every container that has the mark of this worker
 *
 * That is for before the worker makes its first, when all that there are were
 * left behind by an earlier process of it, and for when it ends while the
 * engine makes some: the engine would keep those that were not started yet.
 */
#include "workers/executor/docker/api.h"

struct tidying;

/*
 * `done` is called once, not before this returns, and `e` is NULL if the engine
 * has been asked to remove them all and has answered.  One that cannot be
 * removed is logged, and is no failure.
 */
struct tidying *tidy(struct docker_api *, const char *mark,
		     void (*done)(void *arg, const struct error *e), void *arg);

/* `done` is not called any more. */
void tidy_drop(struct tidying *);

/* The same, now, with a loop of its own, again and again until the engine has
 * none of them, but not for long. */
void tidy_at_end(const char *docker_host, const char *mark);
