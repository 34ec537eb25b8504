#pragma once
/*
 * loop - waits for file descriptors and for time to pass
 *
 * One loop per process, one thread per loop: callbacks run one after the other
 * and never need a lock.  Watches and timers are members of the struct that
 * needs them; a callback finds it with container_of().  A callback may unwatch,
 * unset and free anything, itself included: the loop hands out one event at a
 * time.
 */
#include <stdint.h>
#include <sys/epoll.h>

#include "proto/error.h"
#include "proto/list.h"

struct watch;
struct timer;
struct chore;

typedef void watch_fn(struct watch *);
typedef void timer_fn(struct timer *);
typedef void chore_fn(struct chore *);

struct watch {
	int fd;		 /* -1: not watched */
	uint32_t events; /* in the callback: the epoll events that happened */
	watch_fn *ready;
};

struct timer {
	uint64_t due; /* in microseconds; 0: not set */
	size_t at;    /* its index in the heap */
	timer_fn *fire;
};

struct chore {
	struct node node; /* in loop.chores; in no list: not put off */
	chore_fn *run;
};

struct loop {
	int epoll;
	bool stopping;
	struct timer **timers; /* a heap: the earliest timer first */
	size_t timer_count, timer_room;
	struct list chores;
	struct watch signals;
	void (*on_signal)(struct loop *, int signal);
};

#define WATCH_INIT ((struct watch){ .fd = -1 })
#define LOOP_INIT ((struct loop){ .epoll = -1, .signals = WATCH_INIT })

must_check bool loop_init(struct loop *, struct error *);
void loop_fini(struct loop *);

/* Runs until loop_stop().  False if epoll_wait() failed. */
must_check bool loop_run(struct loop *, struct error *);
void loop_stop(struct loop *);

/*
 * Blocks SIGTERM, SIGINT, SIGHUP and SIGPIPE in the calling thread and hands
 * the first three to `on_signal`.  Call this before any thread exists.
 */
must_check bool loop_catch_signals(struct loop *,
				   void (*on_signal)(struct loop *, int),
				   struct error *);

/*
 * `events` are epoll's.  `fd` stays the caller's, which must unwatch it before
 * closing it.
 */
must_check bool loop_watch(struct loop *, struct watch *, int fd,
			   uint32_t events, watch_fn *, struct error *);
void loop_rewatch(struct loop *, struct watch *, uint32_t events);
void loop_unwatch(struct loop *, struct watch *);

/*
 * Setting a timer again moves it; unsetting one that is not set does nothing.
 * A timer of 0 ms fires as soon as the running callback has returned.
 */
void loop_set(struct loop *, struct timer *, uint64_t ms, timer_fn *);
void loop_unset(struct loop *, struct timer *);

static inline bool
timer_is_set(const struct timer *t)
{
	return t->due != 0;
}

/*
 * For work that is better done for many events at once: `chore_fn` is called
 * once, when the loop has nothing else to do, or has been busy for a while.
 * Putting off a chore again does nothing.
 */
void loop_put_off(struct loop *, struct chore *, chore_fn *);
void loop_drop(struct loop *, struct chore *);

/* Monotonic, in milliseconds. */
uint64_t loop_now(void);

/* The wall clock: milliseconds since 1970. */
uint64_t unix_ms(void);
