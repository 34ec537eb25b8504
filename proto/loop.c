#include "proto/loop.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "proto/buf.h"

/* Events that the loop hands out before it runs the chores. */
enum { MANY = 32 };

bool
loop_init(struct loop *l, struct error *e)
{
	*l = LOOP_INIT;
	list_init(&l->chores);
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	return l->epoll >= 0 || fail_errno(e, "epoll_create1");
}

void
loop_fini(struct loop *l)
{
	int signals = l->signals.fd;

	loop_unwatch(l, &l->signals);
	if (signals >= 0)
		close(signals);
	if (l->epoll >= 0)
		close(l->epoll);
	free(l->timers);
	*l = LOOP_INIT;
}

void
loop_stop(struct loop *l)
{
	l->stopping = true;
}

bool
loop_watch(struct loop *l, struct watch *w, int fd, uint32_t events,
	   watch_fn *ready, struct error *e)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev) < 0)
		return fail_errno(e, "watch %d", fd);
	w->fd = fd;
	w->ready = ready;
	return true;
}

void
loop_rewatch(struct loop *l, struct watch *w, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	if (w->fd >= 0)
		(void)epoll_ctl(l->epoll, EPOLL_CTL_MOD, w->fd, &ev);
}

void
loop_unwatch(struct loop *l, struct watch *w)
{
	if (w->fd < 0)
		return;
	(void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, w->fd, NULL);
	w->fd = -1;
}

static uint64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t
loop_now(void)
{
	return now_us() / 1000;
}

uint64_t
unix_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* The heap: timers[n]'s children are timers[2n + 1] and timers[2n + 2]. */

static void
put(struct loop *l, size_t at, struct timer *t)
{
	l->timers[at] = t;
	t->at = at;
}

static void
sift_up(struct loop *l, struct timer *t)
{
	size_t at = t->at, parent;

	while (at > 0) {
		parent = (at - 1) / 2;
		if (l->timers[parent]->due <= t->due)
			break;
		put(l, at, l->timers[parent]);
		at = parent;
	}
	put(l, at, t);
}

static void
sift_down(struct loop *l, struct timer *t)
{
	size_t at = t->at, child;

	while ((child = 2 * at + 1) < l->timer_count) {
		if (child + 1 < l->timer_count &&
		    l->timers[child + 1]->due < l->timers[child]->due)
			child++;
		if (t->due <= l->timers[child]->due)
			break;
		put(l, at, l->timers[child]);
		at = child;
	}
	put(l, at, t);
}

void
loop_set(struct loop *l, struct timer *t, uint64_t ms, timer_fn *fire)
{
	loop_unset(l, t);
	if (l->timer_count == l->timer_room) {
		l->timer_room = l->timer_room ? l->timer_room * 2 : 16;
		l->timers =
			xrealloc(l->timers, l->timer_room * sizeof *l->timers);
	}
	t->due = now_us() + ms * 1000;
	t->fire = fire;
	put(l, l->timer_count++, t);
	sift_up(l, t);
}

void
loop_unset(struct loop *l, struct timer *t)
{
	struct timer *last;

	if (t->due == 0)
		return;
	last = l->timers[--l->timer_count];
	if (last != t) {
		put(l, t->at, last);
		sift_up(l, last);
		sift_down(l, last);
	}
	t->due = 0;
}

/*
 * Fires the timers that are due now, but not those that their callbacks set: a
 * timer of 0 ms must not starve the descriptors.  Returns how long the loop may
 * sleep, in ms; -1: for ever.
 */
static int
run_timers(struct loop *l)
{
	uint64_t now = now_us();
	struct timer *t;

	while (l->timer_count && (t = l->timers[0])->due <= now &&
	       !l->stopping) {
		loop_unset(l, t);
		t->fire(t);
	}
	if (!l->timer_count)
		return -1;
	now = now_us();
	if (l->timers[0]->due <= now)
		return 0;
	return (int)((l->timers[0]->due - now + 999) / 1000);
}

void
loop_put_off(struct loop *l, struct chore *c, chore_fn *run)
{
	c->run = run;
	if (!c->node.next)
		list_append(&l->chores, &c->node);
}

void
loop_drop(struct loop *l, struct chore *c)
{
	list_remove(&l->chores, &c->node);
}

/* Chores that are put off again meanwhile wait for the next round. */
static void
run_chores(struct loop *l)
{
	struct chore *c;

	for (size_t n = l->chores.len; n && list_first(&l->chores); n--) {
		c = container_of(list_first(&l->chores), struct chore, node);
		list_remove(&l->chores, &c->node);
		c->run(c);
	}
}

/*
 * One event at a time: with a batch, a callback could free the owner of a later
 * event in it.
 */
bool
loop_run(struct loop *l, struct error *e)
{
	struct epoll_event ev;
	struct watch *w;
	int n, sleep, in_a_row = 0;

	for (;;) {
		sleep = run_timers(l);
		if (l->stopping)
			return true;
		if (list_first(&l->chores))
			sleep = 0;
		n = epoll_wait(l->epoll, &ev, 1, sleep);
		if (n < 0 && errno != EINTR)
			return fail_errno(e, "epoll_wait");
		if (n == 1) {
			w = ev.data.ptr;
			w->events = ev.events;
			w->ready(w);
		}
		if (n == 1 && ++in_a_row < MANY)
			continue;
		in_a_row = 0;
		run_chores(l);
	}
}

static void
on_signal_ready(struct watch *w)
{
	struct loop *l = container_of(w, struct loop, signals);
	struct signalfd_siginfo info;

	if (read(w->fd, &info, sizeof info) == (ssize_t)sizeof info)
		l->on_signal(l, (int)info.ssi_signo);
}

bool
loop_catch_signals(struct loop *l, void (*on_signal)(struct loop *, int),
		   struct error *e)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGPIPE);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigdelset(&set, SIGPIPE);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return fail_errno(e, "signalfd");
	l->on_signal = on_signal;
	if (loop_watch(l, &l->signals, fd, EPOLLIN, on_signal_ready, e))
		return true;
	close(fd);
	return false;
}
