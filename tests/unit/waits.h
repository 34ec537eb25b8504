#pragma once
/*
 * waits - lets a loop run until something has happened, but not for ever
 *
 * A test says what it waits for as a function; if that is not so within
 * LIMIT, the test has failed.
 */
#include "unit.h"

#include "proto/loop.h"

enum {
	LIMIT = 10000, /* ms: a busy machine, not a slow program */
	STEP = 1,      /* ms between two looks */
};

static struct waiter {
	struct loop *loop;
	struct timer step;
	uint64_t until;
	bool (*happened)(void);
} waiter;

static void
look_again(struct timer *t)
{
	if (waiter.happened() || loop_now() >= waiter.until)
		loop_stop(waiter.loop);
	else
		loop_set(waiter.loop, t, STEP, look_again);
}

/* Returns whether it has. */
static inline bool
run_loop(struct loop *l, bool (*happened)(void), uint64_t ms)
{
	waiter = (struct waiter){ .loop = l,
				  .until = loop_now() + ms,
				  .happened = happened };
	l->stopping = false;
	loop_set(l, &waiter.step, 0, look_again);
	must(loop_run(l, &e));
	loop_unset(l, &waiter.step);
	return happened();
}

#define wait_until(l, happened)                                             \
	do {                                                                \
		if (!run_loop(l, happened, LIMIT))                          \
			fail_msg("%s: not within %d ms", #happened, LIMIT); \
	} while (0)

static inline void
stop_waiting(struct timer *t)
{
	loop_stop(waiter.loop);
}

/* Timers that are due earlier have fired then, however busy the machine is. */
static inline void
wait_ms(struct loop *l, uint64_t ms)
{
	waiter = (struct waiter){ .loop = l };
	l->stopping = false;
	loop_set(l, &waiter.step, ms, stop_waiting);
	must(loop_run(l, &e));
	loop_unset(l, &waiter.step);
}

/* The same for a condition that is written where it is waited for. */
#define wait_while(l, condition)                                              \
	do {                                                                  \
		uint64_t until_ = loop_now() + LIMIT;                         \
		while (condition) {                                           \
			if (loop_now() >= until_)                             \
				fail_msg("%s: still after %d ms", #condition, \
					 LIMIT);                              \
			wait_ms(l, STEP);                                     \
		}                                                             \
	} while (0)
