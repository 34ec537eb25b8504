/* What supervisor/child promises. */
#include "unit.h"

#include "supervisor/child.h"

static struct {
	unsigned starts, drains, ends, kills, doubts;
	bool broken, works;
} did;

static bool
fake_start(struct child *c)
{
	did.starts++;
	return !did.broken;
}

static void
fake_drain(struct child *c)
{
	did.drains++;
}

static void
fake_end(struct child *c)
{
	did.ends++;
}

static void
fake_kill(struct child *c)
{
	did.kills++;
}

static void
fake_doubt(struct child *c)
{
	did.doubts++;
}

static bool
fake_works(struct child *c, uint64_t max_ms)
{
	assert_int_equal(max_ms, MAX_WORK * c->hung_ms);
	return did.works;
}

static void
fake_changed(struct child *c)
{
}

static const struct child_verbs fake = {
	fake_start, fake_drain, fake_end,     fake_kill,
	fake_doubt, fake_works, fake_changed,
};

static struct loop loop;
static struct child child;

static int
setup(void **state)
{
	memset(&did, 0, sizeof did);
	loop = LOOP_INIT;
	child_init(&child, &loop, &fake);
	child.drain_ms = 10000;
	child.hung_ms = 15000;
	return 0;
}

static int
teardown(void **state)
{
	child_fini(&child);
	loop_fini(&loop);
	return 0;
}

static void
happens(enum child_event event, const char *then)
{
	child_event(&child, event);
	assert_string_equal(child_state_name(child.state), then);
}

/* In how many milliseconds the time of its state is over. */
static uint64_t
time_left(void)
{
	uint64_t due = child.timer.due / 1000, now = loop_now();

	assert_true(timer_is_set(&child.timer));
	return due > now ? due - now : 0;
}

static void
assert_time_left(uint64_t ms)
{
	assert_in_range(time_left(), ms > 50 ? ms - 50 : 0, ms);
}

static void
is_up_for(uint64_t ms)
{
	happens(ON_READY, "RUNNING");
	child.ready_since = loop_now() - ms;
}

static void
it_is_up_only_once_it_says_so(void **state)
{
	happens(ON_START, "STARTING");
	assert_false(child_is_up(&child));
	assert_time_left(START_MS);
	happens(ON_READY, "RUNNING");
	assert_true(child_is_up(&child));
	assert_int_equal(did.starts, 1);
}

static void
it_has_to_go_on_saying_so(void **state)
{
	happens(ON_START, "STARTING");
	happens(ON_READY, "RUNNING");
	assert_time_left(child.hung_ms);
	child.hung_ms = 20000;
	happens(ON_READY, "RUNNING");
	assert_time_left(20000);
}

static void
one_that_is_silent_is_doubted_then_killed_then_replaced(void **state)
{
	happens(ON_START, "STARTING");
	happens(ON_READY, "RUNNING");
	happens(ON_TIME, "RUNNING");
	assert_int_equal(did.kills, 0);
	assert_time_left(DOUBT_MS);
	happens(ON_TIME, "STOPPING");
	assert_int_equal(did.kills, 1);
	happens(ON_READY, "STOPPING");
	happens(ON_EXIT, "BACKOFF");
	happens(ON_TIME, "STARTING");
	assert_int_equal(did.starts, 2);
}

static void
one_that_answers_while_it_is_doubted_stays(void **state)
{
	happens(ON_START, "STARTING");
	is_up_for(STEADY_MS);
	happens(ON_TIME, "RUNNING");
	happens(ON_READY, "RUNNING");
	assert_time_left(child.hung_ms);
	happens(ON_EXIT, "BACKOFF");
	assert_time_left(0); /* for it had been up all the time */
}

static void
its_time_is_over(void)
{
	child.timer.fire(&child.timer);
}

static void
one_that_is_at_work_may_answer_later(void **state)
{
	happens(ON_START, "STARTING");
	happens(ON_READY, "RUNNING");
	did.works = true;
	for (int i = 0; i < 100; i++)
		its_time_is_over();
	assert_string_equal(child_state_name(child.state), "RUNNING");
	assert_time_left(DOUBT_MS);
	assert_int_equal(did.doubts, 1);
	assert_true(child_is_up(&child));
	did.works = false;
	its_time_is_over();
	assert_string_equal(child_state_name(child.state), "STOPPING");
	assert_int_equal(did.kills, 1);
}

static void
one_that_works_for_ever_is_killed(void **state)
{
	happens(ON_START, "STARTING");
	happens(ON_READY, "RUNNING");
	did.works = true;
	its_time_is_over();
	child.heard -= MAX_SILENCE * child.hung_ms;
	its_time_is_over();
	assert_int_equal(did.kills, 1);
}

static void
one_that_does_not_get_ready_is_killed(void **state)
{
	happens(ON_START, "STARTING");
	happens(ON_TIME, "STOPPING");
	assert_int_equal(did.kills, 1);
	happens(ON_TIME, "STOPPING");
	assert_int_equal(did.kills, 2);
	happens(ON_EXIT, "BACKOFF");
}

static void
one_of_another_build_is_killed(void **state)
{
	happens(ON_START, "STARTING");
	happens(ON_WRONG, "STOPPING");
	assert_int_equal(did.kills, 1);
	happens(ON_EXIT, "BACKOFF");
}

static void
it_is_started_again_after_a_growing_pause(void **state)
{
	uint64_t pause = MIN_PAUSE_MS;

	happens(ON_START, "STARTING");
	while (pause < MAX_PAUSE_MS) {
		child.deaths = 0;
		happens(ON_EXIT, "BACKOFF");
		assert_time_left(pause);
		happens(ON_TIME, "STARTING");
		pause *= 2;
	}
	happens(ON_EXIT, "BACKOFF");
	assert_time_left(MAX_PAUSE_MS);
}

static void
one_that_was_up_is_first_restarted_at_once(void **state)
{
	happens(ON_START, "STARTING");
	is_up_for(ALIVE_MS);
	happens(ON_EXIT, "BACKOFF");
	assert_time_left(0);
	happens(ON_TIME, "STARTING");
	is_up_for(ALIVE_MS);
	happens(ON_EXIT, "BACKOFF");
	assert_time_left(MIN_PAUSE_MS);
}

static void
the_pause_is_forgotten_by_one_that_is_steady(void **state)
{
	happens(ON_START, "STARTING");
	child.pause = MAX_PAUSE_MS;
	is_up_for(STEADY_MS);
	happens(ON_EXIT, "BACKOFF");
	assert_time_left(0);
}

static void
pauses_differ_but_never_grow_by_it(void **state)
{
	bool differs = false;

	child.noise = 7;
	happens(ON_START, "STARTING");
	for (int i = 0; i < 100; i++) {
		child.deaths = 0;
		child.pause = 1000;
		happens(ON_EXIT, "BACKOFF");
		assert_in_range(time_left(), 700, 1000);
		differs |= time_left() < 900;
		happens(ON_TIME, "STARTING");
	}
	assert_true(differs);
}

static void
dies_too_often(void)
{
	happens(ON_START, "STARTING");
	for (int i = 1; i < MAX_DEATHS; i++) {
		happens(ON_EXIT, "BACKOFF");
		happens(ON_TIME, "STARTING");
	}
	happens(ON_EXIT, "FATAL");
}

static void
one_that_never_gets_going_is_given_up(void **state)
{
	dies_too_often();
	assert_false(timer_is_set(&child.timer));
	assert_true(child_is_at_rest(&child));
	assert_int_equal(did.starts, MAX_DEATHS);
}

static void
one_that_others_wait_for_is_given_up_sooner(void **state)
{
	child.max_deaths = MAX_FIRST_DEATHS;
	happens(ON_START, "STARTING");
	for (int i = 1; i < MAX_FIRST_DEATHS; i++) {
		happens(ON_EXIT, "BACKOFF");
		happens(ON_TIME, "STARTING");
	}
	happens(ON_EXIT, "FATAL");
	assert_int_equal(did.starts, MAX_FIRST_DEATHS);
}

static void
one_that_says_it_can_not_work_is_given_up_at_once(void **state)
{
	happens(ON_START, "STARTING");
	happens(ON_DESPAIR, "STARTING");
	happens(ON_EXIT, "BACKOFF");
	happens(ON_DESPAIR, "FATAL");
	happens(ON_START, "STARTING");
}

static void
one_that_was_given_up_can_be_started(void **state)
{
	dies_too_often();
	happens(ON_START, "STARTING");
	happens(ON_EXIT, "BACKOFF");
	assert_time_left(MIN_PAUSE_MS);
}

static void
one_that_gets_going_is_never_given_up(void **state)
{
	happens(ON_START, "STARTING");
	for (int i = 0; i < 3 * MAX_DEATHS; i++) {
		is_up_for(ALIVE_MS);
		happens(ON_EXIT, "BACKOFF");
		happens(ON_TIME, "STARTING");
	}
}

static void
it_is_asked_then_told_then_killed(void **state)
{
	happens(ON_START, "STARTING");
	happens(ON_READY, "RUNNING");
	happens(ON_STOP, "STOPPING");
	assert_int_equal(did.drains, 1);
	assert_time_left(child.drain_ms);
	happens(ON_READY, "STOPPING");
	happens(ON_TIME, "STOPPING");
	assert_int_equal(did.ends, 1);
	assert_time_left(END_MS);
	happens(ON_TIME, "STOPPING");
	assert_int_equal(did.kills, 1);
	happens(ON_EXIT, "STOPPED");
	assert_false(timer_is_set(&child.timer));
}

static void
one_in_a_hurry_is_not_asked(void **state)
{
	happens(ON_START, "STARTING");
	happens(ON_READY, "RUNNING");
	happens(ON_HURRY, "STOPPING");
	assert_int_equal(did.drains, 0);
	assert_int_equal(did.ends, 1);
	happens(ON_HURRY, "STOPPING");
	assert_int_equal(did.ends, 1);
	happens(ON_EXIT, "STOPPED");
}

static void
what_cannot_be_run_is_tried_again(void **state)
{
	did.broken = true;
	happens(ON_START, "BACKOFF");
	assert_true(child.tried);
}

static void
a_start_is_never_lost(void **state)
{
	happens(ON_START, "STARTING");
	happens(ON_READY, "RUNNING");
	happens(ON_STOP, "STOPPING");
	happens(ON_START, "STOPPING");
	happens(ON_TIME, "STOPPING");
	happens(ON_EXIT, "STARTING");
	assert_int_equal(did.starts, 2);
}

static void
neither_is_a_stop(void **state)
{
	happens(ON_START, "STARTING");
	happens(ON_STOP, "STOPPING");
	happens(ON_START, "STOPPING");
	happens(ON_STOP, "STOPPING");
	happens(ON_EXIT, "STOPPED");
	happens(ON_TIME, "STOPPED");
	assert_int_equal(did.starts, 1);
}

static void
one_that_is_killed_anyway_can_be_stopped(void **state)
{
	happens(ON_START, "STARTING");
	happens(ON_TIME, "STOPPING");
	happens(ON_STOP, "STOPPING");
	happens(ON_EXIT, "STOPPED");
}

/* So that whoever waits for it to stop or to start does not wait for ever. */
static void
every_state_can_be_left_for_stopped(void **state)
{
	for (int s = 0; s < CHILD_STATES; s++) {
		setup(state);
		child.state = (enum child_state)s;
		child_event(&child, ON_STOP);
		child_event(&child, ON_EXIT);
		assert_int_equal(child.state, CHILD_STOPPED);
		teardown(state);
	}
}

static void
no_event_breaks_any_state(void **state)
{
	for (int s = 0; s < CHILD_STATES; s++) {
		for (int event = 0; event < CHILD_EVENTS; event++) {
			setup(state);
			child.state = (enum child_state)s;
			child_event(&child, (enum child_event)event);
			assert_true(child.state < CHILD_STATES);
			assert_non_null(child_state_name(child.state));
			teardown(state);
		}
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_is_up_only_once_it_says_so),
		TEST(it_has_to_go_on_saying_so),
		TEST(one_that_is_silent_is_doubted_then_killed_then_replaced),
		TEST(one_that_answers_while_it_is_doubted_stays),
		TEST(one_that_is_at_work_may_answer_later),
		TEST(one_that_works_for_ever_is_killed),
		TEST(one_that_does_not_get_ready_is_killed),
		TEST(one_of_another_build_is_killed),
		TEST(it_is_started_again_after_a_growing_pause),
		TEST(one_that_was_up_is_first_restarted_at_once),
		TEST(the_pause_is_forgotten_by_one_that_is_steady),
		TEST(pauses_differ_but_never_grow_by_it),
		TEST(one_that_never_gets_going_is_given_up),
		TEST(one_that_others_wait_for_is_given_up_sooner),
		TEST(one_that_says_it_can_not_work_is_given_up_at_once),
		TEST(one_that_was_given_up_can_be_started),
		TEST(one_that_gets_going_is_never_given_up),
		TEST(it_is_asked_then_told_then_killed),
		TEST(one_in_a_hurry_is_not_asked),
		TEST(what_cannot_be_run_is_tried_again),
		TEST(a_start_is_never_lost),
		TEST(neither_is_a_stop),
		TEST(one_that_is_killed_anyway_can_be_stopped),
		TEST(every_state_can_be_left_for_stopped),
		TEST(no_event_breaks_any_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
