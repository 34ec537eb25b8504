/* What workers/worker promises the gateway about orders, the queue and its own
 * end. */
#include "fake_gateway.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static void
is_asked_to_drain(void)
{
	client_ask(&supervisor, MSG_DRAIN, NULL, NULL, 0, NULL);
}

static bool
it_has_told_that_it_leaves(void)
{
	return left;
}

/* Promises */

static void
each_order_is_accepted_at_once_and_gives_its_room_back(void **state)
{
	for (uint64_t turn = 1; turn <= 5; turn++)
		submits(turn, STR("12345678"));
	is_accepted(5);
	for (uint64_t turn = 1; turn <= 5; turn++)
		assert_true(heard[turn].has_ignored);
	have_started(2);
	assert_int_equal(room, 0);
	turn_finish(did.running[0], FINISH_STOP, NULL, NULL);
	have_started(3);
	there_is_room_for(8);
	for (unsigned i = 1; i < 5; i++) {
		have_started(i < 4 ? i + 2 : 5);
		turn_finish(did.running[i], FINISH_STOP, NULL, NULL);
	}
	there_is_room_for(40);
}

static void
what_waits_is_kept_as_bytes_and_read_again(void **state)
{
	for (uint64_t turn = 1; turn <= 3; turn++)
		submits(turn, STR("hello"));
	is_accepted(3);
	have_started(2);
	assert_int_equal(did.accepts, 3);
	assert_int_equal(did.forgets, 1);
	turn_finish(did.running[0], FINISH_STOP, NULL, NULL);
	have_started(3);
	assert_int_equal(did.accepts, 4);
	assert_int_equal(heard[3].accepts, 1);
}

static void
a_large_body_is_read_when_its_turn_begins(void **state)
{
	auto_free char *body = xcalloc(1, 2 * MB);

	submits(1, STR("hello"));
	submits(2, STR("hello"));
	is_accepted(2);
	submits(3, (struct str){ body, 2 * MB });
	is_accepted(3);
	assert_int_equal(did.accepts, 2);
	assert_false(heard[3].has_ignored);
	turn_finish(did.running[0], FINISH_STOP, NULL, NULL);
	have_started(3);
	assert_int_equal(did.accepts, 3);
	turn_finish(did.running[2], FINISH_STOP, NULL, NULL);
	finishes(3);
	assert_true(heard[3].has_ignored);
	there_is_room_for(2 * MB + 5);
}

static void
a_large_body_that_is_bad_fails_then(void **state)
{
	auto_free char *body = xcalloc(1, 2 * MB);

	memcpy(body, "bad", 3);
	submits(1, (struct str){ body, 2 * MB });
	fails(1, ERR_INVALID);
	assert_int_equal(heard[1].accepts, 1);
	there_is_room_for(2 * MB);
}

static void
what_is_refused_gives_its_room_back_as_well(void **state)
{
	struct msg_submit late = order(2, STR("late"));
	const struct msg_cancel cancel = { .turn = 4 };

	submits(1, STR("bad"));
	fails(1, ERR_INVALID);
	late.until = loop_now() - 1;
	outlet_send(&orders, MSG_SUBMIT, &late);
	fails(2, ERR_UNAVAILABLE);
	for (uint64_t turn = 3; turn <= 8; turn++)
		submits(turn, STR("x"));
	fails(8, ERR_QUEUE_FULL);
	outlet_send(&orders, MSG_CANCEL, &cancel);
	fails(4, ERR_CANCELLED);
	there_is_room_for(3 + 4 + 1 + 1);
}

/* As no gateway of ours would send it: see msg_append(). */
static void
a_bad_order_fails_its_turn_and_no_other(void **state)
{
	const struct msg_submit good = order(2, STR("hello"));
	const struct msg_submit bad = order(1, STR("hello"));
	nng_msg *raw = msg_pack(MSG_SUBMIT, &bad);
	char *harness = memmem(nng_msg_body(raw), nng_msg_len(raw), "fake", 4);

	assert_non_null(harness);
	*harness = '\xff';
	msg_append(raw, MSG_SUBMIT, &good);
	outlet_pass(&orders, raw);
	fails(1, ERR_PROTOCOL);
	is_accepted(2);
	there_is_room_for(5);
}

static void
who_is_being_stopped_says_so_and_leaves_when_its_time_has_come(void **state)
{
	uint64_t due;

	submits(1, STR("hello"));
	have_started(1);
	is_asked_to_drain();
	wait_until(&worker.loop, it_has_told_that_it_leaves);
	submits(2, STR("hello"));
	fails(2, ERR_DRAINING);
	assert_false(timer_is_set(&worker.farewell));
	turn_finish(did.running[0], FINISH_STOP, NULL, NULL);
	submits(3, STR("hello"));
	fails(3, ERR_DRAINING);
	assert_true(timer_is_set(&worker.farewell));
	due = worker.farewell.due;
	submits(4, STR("hello"));
	fails(4, ERR_DRAINING);
	assert_int_equal(worker.farewell.due, due);
}

static bool
it_is_leaving(void)
{
	return timer_is_set(&worker.farewell);
}

/* Its turn is over but for events that its client does not read. */
static void
who_is_being_stopped_leaves_when_the_last_client_has_left(void **state)
{
	struct msg_submit m = order(1, STR("hello"));
	const struct msg_cancel c = { .turn = 1 };

	m.window = 1;
	outlet_send(&orders, MSG_SUBMIT, &m);
	have_started(1);
	for (int i = 0; i < 5; i++) /* of which one can be sent */
		turn_text(did.running[0], STR("word"));
	turn_finish(did.running[0], FINISH_STOP, NULL, NULL);
	is_asked_to_drain();
	wait_until(&worker.loop, it_has_told_that_it_leaves);
	assert_false(it_is_leaving());
	outlet_send(&orders, MSG_CANCEL, &c);
	wait_until(&worker.loop, it_is_leaving);
}

static void
turns_that_are_cut_off_are_told_so(void **state)
{
	struct msg_submit m = order(1, STR("hello"));

	m.window = 1;
	outlet_send(&orders, MSG_SUBMIT, &m);
	submits(2, STR("hello"));
	have_started(2);
	submits(3, STR("hello"));
	is_accepted(3);
	for (int i = 0; i < 5; i++) /* of which one can be sent */
		turn_text(did.running[0], STR("word"));
	assert_int_equal(kill(getpid(), SIGTERM), 0);
	fails(1, ERR_CANCELLED);
	assert_int_equal(heard[1].seq, 3);
	fails(2, ERR_CANCELLED);
	fails(3, ERR_DRAINING);
	turn_text(did.running[1], STR("nobody hears it"));
	turn_finish(did.running[1], FINISH_STOP, NULL, NULL);
	wait_ms(&worker.loop, 20);
	assert_int_equal(did.starts, 2);
}

/* Turn 2 has another conversation than turn 1; turn 3 may have that of either,
 * and turn 4 must not overtake it. */
static void
turns_of_one_session_wait_for_each_other_in_their_lane(void **state)
{
	submits_to("s", 1, STR("lane 1"));
	submits_to("s", 2, STR("lane 2"));
	have_started(2);
	turn_finish(did.running[0], FINISH_STOP, NULL, NULL);
	submits_to("s", 3, STR("unknown"));
	submits_to("s", 4, STR("lane 1"));
	submits_to("other", 5, STR("unknown"));
	have_started(3);
	assert_true(is_running(2) && is_running(5));
	turn_finish(did.running[2], FINISH_STOP, NULL, NULL);
	is_accepted(5);
	wait_ms(&worker.loop, 20);
	assert_int_equal(did.starts, 3);
	turn_finish(did.running[1], FINISH_STOP, NULL, NULL);
	have_started(4);
	assert_true(is_running(3));
	turn_finish(did.running[3], FINISH_STOP, NULL, NULL);
	have_started(5);
	assert_true(is_running(4));
}

/* What the second is about is known once the first has ended, even if both came
 * before either began. */
static void
a_turn_behind_one_of_its_session_is_read_again(void **state)
{
	did.mode = "byob";
	submits_to("s", 1, STR("lane 1"));
	submits_to("s", 2, STR("lane 1 again"));
	is_accepted(2);
	have_started(1);
	assert_string_equal(heard[2].mode, "byob");
	did.mode = "hosted-safe";
	turn_finish(did.running[0], FINISH_STOP, NULL, NULL);
	have_started(2);
	assert_int_equal(did.accepts, 3);
	turn_finish(did.running[1], FINISH_STOP, NULL, NULL);
	finishes(2);
	assert_string_equal(heard[1].mode, "byob");
	assert_string_equal(heard[2].mode, "hosted-safe");
}

/* A large body is read when its turn could begin: only then its lane is known.
 */
static void
a_lane_that_becomes_known_late_counts_as_well(void **state)
{
	auto_free char *body = xcalloc(1, 2 * MB);

	submits_to("s", 1, STR("unknown"));
	have_started(1);
	memcpy(body, "lane 2", 6);
	submits_to("s", 2, (struct str){ body, 2 * MB });
	submits_to("s", 3, STR("lane 3"));
	is_accepted(3);
	turn_finish(did.running[0], FINISH_STOP, NULL, NULL);
	have_started(3);
	assert_true(is_running(2) && is_running(3));
}

/* What no engine of this worker reads costs neither a slot nor room. */
static void
a_dialect_that_the_engine_does_not_read_is_refused(void **state)
{
	struct msg_submit m = order(1, STR("embed this"));

	m.dialect = DIALECT_EMBEDDINGS;
	outlet_send(&orders, MSG_SUBMIT, &m);
	fails(1, ERR_UNSUPPORTED);
	assert_string_equal(heard[1].why,
			    "fake answers no requests to /v1/embeddings");
	there_is_room_for(10);
	assert_int_equal(did.accepts, 0);

	m = order(2, STR("in an unknown one"));
	m.dialect = DIALECTS;
	outlet_send(&orders, MSG_SUBMIT, &m);
	fails(2, ERR_PROTOCOL);
	m = order(3, STR("in no dialect"));
	m.dialect = DIALECT_NONE;
	outlet_send(&orders, MSG_SUBMIT, &m);
	fails(3, ERR_PROTOCOL);
}

static void
its_end_is_told_in_numbers(void **state)
{
	const struct usage usage = {
		.input = amount_of(440),
		.cached = amount_of(400),
		.output = amount_of(12),
		.reasoning = amount_of(0),
		.cost = amount_of(7),
		.cost_source = "somebody",
	};
	const struct msg_finish *m = &heard[1].finish;

	submits(1, STR("{}"));
	have_started(1);
	turn_finish(did.running[0], FINISH_LENGTH, &usage, "a-model");
	fails(1, ERR_NONE);
	assert_int_equal(m->reason, FINISH_LENGTH);
	assert_int_equal(m->input.count, 440);
	assert_int_equal(m->cached.count, 400);
	assert_false(m->written.is_known);
	assert_int_equal(m->output.count, 12);
	assert_true(m->reasoning.is_known);
	assert_int_equal(m->reasoning.count, 0);
	assert_int_equal(m->cost.count, 7);
	assert_string_equal(heard[1].cost_source, "somebody");
	assert_string_equal(heard[1].model, "a-model");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		worker_test(
			each_order_is_accepted_at_once_and_gives_its_room_back),
		worker_test(what_waits_is_kept_as_bytes_and_read_again),
		worker_test(a_large_body_is_read_when_its_turn_begins),
		worker_test(a_large_body_that_is_bad_fails_then),
		worker_test(a_dialect_that_the_engine_does_not_read_is_refused),
		worker_test(its_end_is_told_in_numbers),
		worker_test(what_is_refused_gives_its_room_back_as_well),
		worker_test(a_bad_order_fails_its_turn_and_no_other),
		worker_test(
			who_is_being_stopped_says_so_and_leaves_when_its_time_has_come),
		worker_test(
			who_is_being_stopped_leaves_when_the_last_client_has_left),
		worker_test(turns_that_are_cut_off_are_told_so),
		worker_test(
			turns_of_one_session_wait_for_each_other_in_their_lane),
		worker_test(a_turn_behind_one_of_its_session_is_read_again),
		worker_test(a_lane_that_becomes_known_late_counts_as_well),
	};

	return cmocka_run_group_tests(tests, opens, closes);
}
