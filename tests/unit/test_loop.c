/* What proto/loop promises. */
#include "waits.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/buf.h"

enum { MANY = 400 };

static struct loop loop;

static int
opens(void **state)
{
	must(loop_init(&loop, &e));
	return 0;
}

static int
closes(void **state)
{
	loop_fini(&loop);
	loop_fini(&loop);
	return 0;
}

/* Timers */

static struct alarm {
	struct timer timer;
	unsigned fired;
	uint64_t ms;
} alarms[MANY];

static uint64_t last_due;
static size_t fired;
static char order[8];

static void
note(struct timer *t)
{
	struct alarm *a = container_of(t, struct alarm, timer);

	assert_false(timer_is_set(t));
	order[fired++] = (char)('a' + (a - alarms));
}

static bool
three_have_fired(void)
{
	return fired == 3;
}

static void
timers_fire_when_they_are_due_and_in_that_order(void **state)
{
	uint64_t start = loop_now();

	fired = 0;
	loop_set(&loop, &alarms[0].timer, 30, note);
	loop_set(&loop, &alarms[1].timer, 0, note);
	loop_set(&loop, &alarms[2].timer, 15, note);
	wait_until(&loop, three_have_fired);
	assert_memory_equal(order, "bca", 3);
	assert_true(loop_now() - start >= 29);
}

static void
a_timer_that_is_set_again_is_moved(void **state)
{
	fired = 0;
	loop_set(&loop, &alarms[0].timer, 1, note);
	loop_set(&loop, &alarms[1].timer, 60, note);
	loop_set(&loop, &alarms[2].timer, 40, note);
	loop_set(&loop, &alarms[0].timer, 50, note);
	loop_set(&loop, &alarms[1].timer, 1, note);
	wait_until(&loop, three_have_fired);
	assert_memory_equal(order, "bca", 3);
}

static void
a_timer_that_is_unset_does_not_fire(void **state)
{
	fired = 0;
	loop_set(&loop, &alarms[0].timer, 1, note);
	loop_set(&loop, &alarms[1].timer, 2, note);
	assert_true(timer_is_set(&alarms[0].timer));
	loop_unset(&loop, &alarms[0].timer);
	loop_unset(&loop, &alarms[0].timer);
	assert_false(timer_is_set(&alarms[0].timer));
	wait_ms(&loop, 20);
	assert_int_equal(fired, 1);
	assert_int_equal(order[0], 'b');
}

static void
count_in_order(struct timer *t)
{
	struct alarm *a = container_of(t, struct alarm, timer);

	assert_true(a->ms >= last_due);
	last_due = a->ms;
	a->fired++;
}

static void
set_one_at_random(size_t i)
{
	alarms[i].ms = (uint64_t)(rand() % 200) + 100;
	loop_set(&loop, &alarms[i].timer, alarms[i].ms, count_in_order);
	alarms[i].ms = alarms[i].timer.due;
}

/* Set, moved and unset at random; what is left fires once and in order. */
static void
the_heap_survives_anything(void **state)
{
	size_t i, left = 0;

	srand(1);
	last_due = 0;
	memset(alarms, 0, sizeof alarms);
	for (size_t n = 0; n < 20 * MANY; n++) {
		i = (size_t)rand() % MANY;
		if (rand() % 3)
			set_one_at_random(i);
		else
			loop_unset(&loop, &alarms[i].timer);
	}
	for (i = 0; i < MANY; i++)
		left += timer_is_set(&alarms[i].timer);
	assert_int_equal(loop.timer_count, left);
	wait_ms(&loop, 400);
	assert_int_equal(loop.timer_count, 0);
	for (i = 0; i < MANY; i++)
		left -= alarms[i].fired;
	assert_int_equal(left, 0);
}

/* Descriptors */

static struct pipe_end {
	struct watch watch;
	int in;
	unsigned heard;
} ends[2];

static bool again;

static void
open_ends(void)
{
	int fds[2];

	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(pipe(fds), 0);
		ends[i] =
			(struct pipe_end){ .watch = WATCH_INIT, .in = fds[0] };
		assert_int_equal(write(fds[1], "x", 1), 1);
		close(fds[1]);
	}
}

static void
close_ends(void)
{
	for (size_t i = 0; i < 2; i++) {
		loop_unwatch(&loop, &ends[i].watch);
		close(ends[i].in);
	}
}

static void
close_the_other(struct watch *w)
{
	struct pipe_end *end = container_of(w, struct pipe_end, watch);

	end->heard++;
	loop_unwatch(&loop, &ends[0].watch);
	loop_unwatch(&loop, &ends[1].watch);
}

/* Were there a batch, the second would be called though it is not watched. */
static void
a_callback_may_unwatch_itself_and_what_else_is_ready(void **state)
{
	open_ends();
	for (size_t i = 0; i < 2; i++)
		must(loop_watch(&loop, &ends[i].watch, ends[i].in, EPOLLIN,
				close_the_other, &e));
	wait_ms(&loop, 20);
	assert_int_equal(ends[0].heard + ends[1].heard, 1);
	close_ends();
}

struct owner {
	struct watch watch;
	int fd;
};

static void
free_the_owner(struct watch *w)
{
	struct owner *o = container_of(w, struct owner, watch);

	again = true;
	loop_unwatch(&loop, w);
	close(o->fd);
	free(o);
}

static void
a_callback_may_free_its_owner(void **state)
{
	struct owner *o = xcalloc(1, sizeof *o);

	again = false;
	open_ends();
	o->watch = WATCH_INIT;
	o->fd = dup(ends[0].in);
	must(loop_watch(&loop, &o->watch, o->fd, EPOLLIN, free_the_owner, &e));
	wait_ms(&loop, 10);
	assert_true(again);
	close_ends();
}

static void
set_itself_again(struct timer *t)
{
	loop_set(&loop, t, 0, set_itself_again);
}

static void
hear_one(struct watch *w)
{
	container_of(w, struct pipe_end, watch)->heard++;
	loop_unwatch(&loop, w);
}

static void
a_timer_without_end_does_not_keep_descriptors_waiting(void **state)
{
	struct timer busy = { 0 };

	open_ends();
	must(loop_watch(&loop, &ends[0].watch, ends[0].in, EPOLLIN, hear_one,
			&e));
	set_itself_again(&busy);
	wait_ms(&loop, 10);
	assert_int_equal(ends[0].heard, 1);
	loop_unset(&loop, &busy);
	close_ends();
}

static void
events_can_be_changed(void **state)
{
	open_ends();
	must(loop_watch(&loop, &ends[0].watch, ends[0].in, EPOLLPRI, hear_one,
			&e));
	loop_rewatch(&loop, &ends[0].watch, EPOLLIN);
	wait_ms(&loop, 10);
	assert_int_equal(ends[0].heard, 1);
	close_ends();
}

static void
what_can_not_be_watched_is_an_error(void **state)
{
	struct watch w = WATCH_INIT;

	must_fail(ERR_SYSTEM, "watch 9999: Bad file descriptor",
		  loop_watch(&loop, &w, 9999, EPOLLIN, hear_one, &e));
	assert_int_equal(w.fd, -1);
	loop_unwatch(&loop, &w);
}

/* Chores */

static struct {
	struct chore chore;
	struct watch readable; /* for ever */
	unsigned reads, reads_before, done;
} work;

static void
on_done(struct chore *c)
{
	work.done++;
	work.reads_before = work.reads;
	if (work.done == 1)
		loop_put_off(&loop, c, on_done);
}

static void
on_never_empty(struct watch *w)
{
	work.reads++;
}

static bool
it_is_done_twice(void)
{
	return work.done == 2;
}

static void
what_is_put_off_is_done_once(void **state)
{
	memset(&work, 0, sizeof work);
	loop_put_off(&loop, &work.chore, on_done);
	loop_put_off(&loop, &work.chore, on_done);
	wait_until(&loop, it_is_done_twice);
	wait_ms(&loop, 10);
	assert_int_equal(work.done, 2);
}

static void
what_is_dropped_is_not_done(void **state)
{
	memset(&work, 0, sizeof work);
	loop_put_off(&loop, &work.chore, on_done);
	loop_drop(&loop, &work.chore);
	loop_drop(&loop, &work.chore);
	wait_ms(&loop, 10);
	assert_int_equal(work.done, 0);
}

static void
chores_wait_while_there_are_events_but_not_for_ever(void **state)
{
	int pipe_fd[2];

	memset(&work, 0, sizeof work);
	work.readable = WATCH_INIT;
	assert_int_equal(pipe(pipe_fd), 0);
	assert_int_equal(write(pipe_fd[1], "x", 1), 1);
	must(loop_watch(&loop, &work.readable, pipe_fd[0], EPOLLIN,
			on_never_empty, &e));
	loop_put_off(&loop, &work.chore, on_done);
	wait_until(&loop, it_is_done_twice);
	assert_true(work.reads_before > 1);
	loop_unwatch(&loop, &work.readable);
	close(pipe_fd[0]);
	close(pipe_fd[1]);
}

/* Signals */

static int signal_seen;

static void
on_signal(struct loop *l, int number)
{
	signal_seen = number;
}

static bool
a_signal_was_seen(void)
{
	return signal_seen != 0;
}

static void
a_signal_is_an_event_like_any_other(void **state)
{
	must(loop_catch_signals(&loop, on_signal, &e));
	raise(SIGPIPE);
	raise(SIGHUP);
	assert_int_equal(signal_seen, 0);
	wait_until(&loop, a_signal_was_seen);
	assert_int_equal(signal_seen, SIGHUP);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			timers_fire_when_they_are_due_and_in_that_order),
		cmocka_unit_test(a_timer_that_is_set_again_is_moved),
		cmocka_unit_test(a_timer_that_is_unset_does_not_fire),
		cmocka_unit_test(the_heap_survives_anything),
		cmocka_unit_test(
			a_callback_may_unwatch_itself_and_what_else_is_ready),
		cmocka_unit_test(a_callback_may_free_its_owner),
		cmocka_unit_test(
			a_timer_without_end_does_not_keep_descriptors_waiting),
		cmocka_unit_test(events_can_be_changed),
		cmocka_unit_test(what_can_not_be_watched_is_an_error),
		cmocka_unit_test(what_is_put_off_is_done_once),
		cmocka_unit_test(what_is_dropped_is_not_done),
		cmocka_unit_test(
			chores_wait_while_there_are_events_but_not_for_ever),
		cmocka_unit_test(a_signal_is_an_event_like_any_other),
	};

	return cmocka_run_group_tests(tests, opens, closes);
}
