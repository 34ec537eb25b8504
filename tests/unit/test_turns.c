/* What workers/worker promises about requests that are repeated. */
#include "fake_gateway.h"

#include <stdlib.h>

#include "workers/worker/listener.h"

static void
submits_with_key(const char *key, uint64_t turn, struct str body)
{
	struct msg_submit m = order(turn, body);

	m.key = str_of(key);
	outlet_send(&orders, MSG_SUBMIT, &m);
}

static void
submits_as_retry(const char *session, uint64_t turn, struct str body)
{
	struct msg_submit m = order(turn, body);

	m.session = str_of(session);
	m.retry = 1;
	outlet_send(&orders, MSG_SUBMIT, &m);
}

/* The agent of the turn that was started as the nth, from 0, has worked. */
static struct turn *
has_worked(unsigned n)
{
	struct turn *t;

	have_started(n + 1);
	t = did.running[n];
	turn_started(t, &(struct acceptance){ .session = t->session,
					      .how = "new",
					      .cache = "new" });
	turn_text(t, STR("I look: "));
	turn_tool(t, STR("{\"id\":\"1\",\"name\":\"look\"}"));
	return t;
}

static void
has_failed(struct turn *t, enum error_code code)
{
	struct error e = { 0 };

	fail_with(&e, code, "it broke");
	turn_fail(t, &e);
}

/* Joining */

static void
a_request_that_is_repeated_is_answered_by_the_turn_that_runs(void **state)
{
	struct turn *t;

	submits_to("s", 1, STR("{\"q\":1}"));
	t = has_worked(0);
	submits_to("s", 2, STR("{\"stream\":true, \"q\":1}"));
	is_accepted(2);
	turn_text(t, STR("done"));
	turn_finish(t, FINISH_STOP, NULL, NULL);
	finishes(1);
	finishes(2);
	assert_int_equal(did.starts, 1);
	for (uint64_t turn = 1; turn <= 2; turn++) {
		assert_string_equal(heard[turn].text, "I look: done");
		assert_string_equal(heard[turn].how, "new");
		assert_int_equal(heard[turn].tools, 1);
	}
	assert_false(heard[1].is_repeated);
	assert_true(heard[2].is_repeated);
	there_is_room_for(7 + 22);
}

static void
a_request_that_is_repeated_is_answered_by_the_turn_that_waits(void **state)
{
	submits_to("s", 1, STR("other"));
	have_started(1);
	submits_to("s", 2, STR("same"));
	submits_to("s", 3, STR("same"));
	is_accepted(3);
	there_is_room_for(4);
	turn_finish(did.running[0], FINISH_STOP, NULL, NULL);
	have_started(2);
	turn_finish(did.running[1], FINISH_STOP, NULL, NULL);
	finishes(2);
	finishes(3);
	assert_int_equal(did.starts, 2);
}

static void
requests_without_a_session_are_never_taken_for_the_same(void **state)
{
	submits(1, STR("same"));
	submits(2, STR("same"));
	have_started(2);
	assert_false(heard[2].is_repeated);
}

static void
a_request_that_asks_for_something_else_begins_a_turn(void **state)
{
	submits_to("s", 1, STR("same"));
	submits_to("t", 2, STR("same"));
	have_started(2);
	submits_to("s", 3, STR("other"));
	is_accepted(3);
	assert_false(heard[3].is_repeated);
	turn_finish(did.running[0], FINISH_STOP, NULL, NULL);
	have_started(3);
	/* Its turn is over: this is a new question. */
	submits_to("s", 4, STR("same"));
	is_accepted(4);
	assert_false(heard[4].is_repeated);
}

static void
what_can_not_be_told_again_is_refused_by_name(void **state)
{
	auto_free char *long_text = xcalloc(1, MAX_STORY);
	struct turn *t;

	memset(long_text, 'x', MAX_STORY);
	submits_to("s", 1, STR("same"));
	have_started(1);
	t = did.running[0];
	for (uint64_t turn = 2; turn <= MAX_LISTENERS + 1; turn++)
		submits_to("s", turn, STR("same"));
	fails(MAX_LISTENERS + 1, ERR_ALREADY_RUN);
	is_accepted(MAX_LISTENERS);
	turn_text(t, (struct str){ long_text, MAX_STORY });
	submits_to("s", MANY - 1, STR("same"));
	fails(MANY - 1, ERR_ALREADY_RUN);
	assert_int_equal(did.starts, 1);
	assert_null(t->story.pieces.ptr);
}

/* Listeners */

static bool
one_listens(void)
{
	return did.running[0]->listeners.len == 1;
}

static void
a_turn_is_cancelled_when_its_last_client_leaves(void **state)
{
	struct turn *t;

	submits_to("s", 1, STR("same"));
	t = has_worked(0);
	submits_to("s", 2, STR("same"));
	is_accepted(2);
	cancels(1);
	fails(1, ERR_CANCELLED);
	wait_until(&worker.loop, one_listens);
	assert_int_equal(did.cancels, 0);
	turn_text(t, STR("go on"));
	submits_to("s", 3, STR("same"));
	is_accepted(3);
	cancels(3);
	fails(3, ERR_CANCELLED);
	cancels(2);
	fails(2, ERR_CANCELLED);
	assert_int_equal(did.cancels, 1);
	assert_string_equal(heard[2].text, "I look: go on");
}

static bool
it_is_unblocked(void)
{
	return did.unblocks == 1;
}

static void
a_turn_goes_on_at_the_pace_of_its_fastest_client(void **state)
{
	struct msg_submit slow = order(1, STR("same"));
	struct turn *t;

	slow.session = STR("s");
	slow.window = 1;
	outlet_send(&orders, MSG_SUBMIT, &slow);
	have_started(1);
	t = did.running[0];
	turn_text(t, STR("one "));
	turn_text(t, STR("two "));
	assert_true(turn_is_blocked(t));
	submits_to("s", 2, STR("same"));
	is_accepted(2);
	assert_false(turn_is_blocked(t));
	assert_int_equal(turn_backlog(t), 0);
	assert_int_equal(did.unblocks, 1);
	did.unblocks = 0;
	cancels(2);
	fails(2, ERR_CANCELLED);
	assert_true(turn_is_blocked(t));
	gives_credit(1, 4096);
	wait_until(&worker.loop, it_is_unblocked);
	turn_text(t, STR("three"));
	turn_finish(t, FINISH_STOP, NULL, NULL);
	finishes(1);
	assert_string_equal(heard[1].text, "one two three");
	assert_string_equal(heard[2].text, "one two ");
}

static void
a_client_that_falls_far_behind_another_is_told_so(void **state)
{
	auto_free char *text = xcalloc(1, MAX_WINDOW);
	struct msg_submit slow = order(1, STR("same"));
	struct turn *t;

	memset(text, 'x', MAX_WINDOW);
	slow.session = STR("s");
	slow.window = 1;
	outlet_send(&orders, MSG_SUBMIT, &slow);
	have_started(1);
	t = did.running[0];
	submits_to("s", 2, STR("same"));
	is_accepted(2);
	for (unsigned i = 0; i <= MAX_BACKLOG / MAX_WINDOW; i++) {
		turn_text(t, (struct str){ text, MAX_WINDOW });
		gives_credit(2, MAX_WINDOW);
		gives_credit(2, MAX_WINDOW / 2);
		assert_false(turn_is_blocked(t) && heard[1].has_ended);
		wait_ms(&worker.loop, 5);
	}
	fails(1, ERR_TRUNCATED);
	turn_finish(t, FINISH_STOP, NULL, NULL);
	finishes(2);
	assert_int_equal(heard[2].bytes, MAX_BACKLOG + MAX_WINDOW);
}

static void
reads_all(uint64_t turn)
{
	for (size_t n = 0; n < MAX_STORY; n += MAX_WINDOW)
		gives_credit(turn, MAX_WINDOW);
	finishes(turn);
}

/* A client that repeats its request and reads nothing of the answer. */
static void
repeats_and_reads_nothing(uint64_t turn)
{
	struct msg_submit m = order(turn, STR("same"));

	m.key = STR("k");
	m.window = 1;
	outlet_send(&orders, MSG_SUBMIT, &m);
	is_accepted(turn);
}

static void
repeated_answers_that_wait_for_slow_clients_have_one_limit(void **state)
{
	const size_t fits = MAX_OUTBOXES / (MAX_STORY / 2 + MAX_WINDOW);
	auto_free char *text = xcalloc(1, MAX_STORY);
	uint64_t turn = 1;

	memset(text, 'x', MAX_STORY);
	submits_with_key("k", turn, STR("same"));
	have_started(1);
	turn_text(did.running[0], (struct str){ text, MAX_STORY / 2 });
	turn_finish(did.running[0], FINISH_STOP, NULL, NULL);
	reads_all(turn);
	while (worker.unsent + MAX_STORY / 2 <= MAX_OUTBOXES)
		repeats_and_reads_nothing(++turn);
	assert_true(turn > fits);
	assert_true(worker.unsent <= MAX_OUTBOXES);
	submits_with_key("k", MANY - 1, STR("same"));
	fails(MANY - 1, ERR_UNAVAILABLE);

	/* Who has gone makes room, and so does who reads on. */
	cancels(turn);
	reads_all(turn - 1);
	assert_int_equal(heard[turn - 1].bytes, MAX_STORY / 2);
	submits_with_key("k", MANY - 2, STR("same"));
	reads_all(MANY - 2);
	assert_int_equal(did.starts, 1);
}

static void
nobody_joins_a_turn_that_there_is_no_room_to_tell_again(void **state)
{
	submits_to("s", 1, STR("same"));
	have_started(1);
	turn_text(did.running[0], STR("one "));
	worker.unsent += MAX_OUTBOXES;
	submits_to("s", 2, STR("same"));
	fails(2, ERR_UNAVAILABLE);
	worker.unsent -= MAX_OUTBOXES;
	submits_to("s", 3, STR("same"));
	is_accepted(3);
	turn_finish(did.running[0], FINISH_STOP, NULL, NULL);
	finishes(3);
	assert_string_equal(heard[3].text, "one ");
}

/* Failures */

static void
a_failure_after_tools_is_given_again_and_then_the_turn_is_run(void **state)
{
	submits_to("s", 1, STR("same"));
	has_failed(has_worked(0), ERR_CRASHED);
	fails(1, ERR_CRASHED);
	assert_false(heard[1].is_repeated);
	submits_to("s", 2, STR("same"));
	fails(2, ERR_CRASHED);
	assert_true(heard[2].is_repeated);
	assert_int_equal(heard[2].accepts, 0);
	assert_non_null(
		strstr(heard[2].why, "it broke (This request failed so "));
	assert_non_null(strstr(heard[2].why, "it will be run if it comes in "));
	submits_to("s", 3, STR("other"));
	have_started(2);
	turn_finish(did.running[1], FINISH_STOP, NULL, NULL);
	worker.settings.repeat_ms = 1;
	wait_ms(&worker.loop, 5);
	submits_to("s", 4, STR("same"));
	have_started(3);
	assert_false(heard[4].is_repeated);
}

static void
a_failure_before_any_tool_is_run_again(void **state)
{
	submits_to("s", 1, STR("same"));
	have_started(1);
	has_failed(did.running[0], ERR_CRASHED);
	submits_to("s", 2, STR("same"));
	have_started(2);
}

static void
nothing_is_given_again_if_that_is_off(void **state)
{
	worker.settings.repeat_ms = 0;
	submits_to("s", 1, STR("same"));
	has_failed(has_worked(0), ERR_CRASHED);
	submits_as_retry("s", 2, STR("same"));
	have_started(2);
}

static void
the_retry_of_an_sdk_is_never_run(void **state)
{
	worker.settings.repeat_ms = 1;
	submits_to("s", 1, STR("same"));
	has_failed(has_worked(0), ERR_CRASHED);
	wait_ms(&worker.loop, 5);
	submits_as_retry("s", 2, STR("same"));
	fails(2, ERR_CRASHED);
	assert_true(heard[2].is_repeated);
	assert_non_null(strstr(heard[2].why, "sent anew"));
	/* The user asks again, and then an SDK repeats that. */
	submits_to("s", 3, STR("same"));
	have_started(2);
	turn_finish(did.running[1], FINISH_STOP, NULL, NULL);
	finishes(3);
	submits_as_retry("s", 4, STR("same"));
	have_started(3);
}

/* Who was told to come again in 5 ms may do so. */
static void
a_failure_that_invites_to_try_again_keeps_its_word(void **state)
{
	struct error e = { 0 };

	fail_with(&e, ERR_QUOTA, "slow down");
	e.retry_ms = 2000;
	submits_to("s", 1, STR("same"));
	turn_fail(has_worked(0), &e);
	submits_to("s", 2, STR("same"));
	fails(2, ERR_QUOTA);
	assert_in_range(heard[2].retry_ms, 1, 2000);
	e.retry_ms = 5;
	submits_to("t", 3, STR("same"));
	turn_fail(has_worked(1), &e);
	wait_ms(&worker.loop, 10);
	submits_to("t", 4, STR("same"));
	have_started(3);
}

/* Whatever harness it is: its CLI would do twice what it has done. */
static void
nobody_is_invited_to_repeat_a_turn_that_may_have_acted(void **state)
{
	static const enum error_code inviting[] = { ERR_RATE_LIMIT,
						    ERR_OVERLOADED,
						    ERR_UPSTREAM, ERR_HARNESS,
						    ERR_UNAVAILABLE };
	struct error e = { 0 };
	uint64_t turn = 1;

	for (size_t i = 0; i < sizeof inviting / sizeof *inviting; i++) {
		fail_with(&e, inviting[i], "slow down");
		e.retry_ms = 2000;
		submits(turn, STR("a"));
		have_started(did.count + 1);
		turn_fail(did.running[did.count - 1], &e);
		fails(turn, inviting[i]);
		assert_int_equal(heard[turn++].retry_ms, 2000);
		submits(turn, STR("a"));
		have_started(did.count + 1);
		turn_text(did.running[did.count - 1], STR("I did it"));
		turn_fail(did.running[did.count - 1], &e);
		fails(turn, ERR_TRUNCATED);
		assert_int_equal(heard[turn++].retry_ms, 0);
	}
}

static void
a_turn_that_has_acted_tells_what_no_retry_would_change(void **state)
{
	submits(1, STR("a"));
	has_failed(has_worked(0), ERR_LOGIN);
	fails(1, ERR_LOGIN);
	submits(2, STR("a"));
	has_failed(has_worked(1), ERR_TIMEOUT);
	fails(2, ERR_TIMEOUT);
}

/* Its client has given up, and asks again while the agent is being stopped. */
static void
a_turn_whose_client_has_left_is_not_run_twice(void **state)
{
	did.cancels_late = true;
	submits_to("s", 1, STR("same"));
	(void)has_worked(0);
	cancels(1);
	submits_to("s", 2, STR("same"));
	fails(2, ERR_CANCELLED);
	assert_true(heard[2].is_repeated);
	has_failed(did.running[0], ERR_CANCELLED);
	fails(1, ERR_CANCELLED);
	submits_to("s", 3, STR("same"));
	fails(3, ERR_CANCELLED);
	assert_int_equal(did.starts, 1);
}

/* Keys */

static void
a_key_gives_a_finished_answer_again(void **state)
{
	const struct usage usage = { .input = amount_of(3),
				     .cost = amount_of(7),
				     .cost_source = "somebody" };
	struct turn *t;

	submits_with_key("k", 1, STR("same"));
	t = has_worked(0);
	submits_with_key("k", 2, STR("same"));
	is_accepted(2);
	turn_finish(t, FINISH_STOP, &usage, "a-model");
	finishes(1);
	finishes(2);
	submits_with_key("k", 3, STR("same"));
	finishes(3);
	assert_string_equal(heard[3].text, "I look: ");
	assert_string_equal(heard[3].how, "new");
	assert_int_equal(heard[3].tools, 1);
	assert_int_equal(heard[3].finish.input.count, 3);
	assert_false(heard[3].finish.output.is_known);
	assert_int_equal(heard[3].finish.cost.count, 7);
	assert_string_equal(heard[3].cost_source, "somebody");
	assert_string_equal(heard[3].model, "a-model");
	assert_true(heard[3].is_repeated);
	submits_with_key("l", 4, STR("same"));
	have_started(2);
	submits(5, STR("same"));
	is_accepted(5);
	assert_false(heard[5].is_repeated);
}

/* Results of the caller's tools, which can be given once. */
static void
what_runs_once_needs_no_key(void **state)
{
	const struct str same = STR("tool_call_id 1");

	submits(1, same);
	have_started(1);
	submits(2, same);
	is_accepted(2);
	turn_text(did.running[0], STR("it rains"));
	turn_finish(did.running[0], FINISH_STOP, NULL, NULL);
	finishes(1);
	finishes(2);
	submits(3, same);
	finishes(3);
	assert_false(heard[1].is_repeated);
	for (int i = 2; i <= 3; i++) {
		assert_true(heard[i].is_repeated);
		assert_string_equal(heard[i].text, "it rains");
	}
	submits(4, STR("tool_call_id 2"));
	have_started(2);
	assert_int_equal(did.starts, 2);
}

static void
what_runs_once_and_fails_is_run_again(void **state)
{
	struct error e = { 0 };

	fail_with(&e, ERR_UPSTREAM, "no");
	submits(1, STR("tool_call_id"));
	have_started(1);
	turn_fail(did.running[0], &e);
	fails(1, ERR_UPSTREAM);
	submits(2, STR("tool_call_id"));
	have_started(2);
	assert_false(heard[2].is_repeated);
}

/* What has results, and gives them to nobody, is a request like any other. */
static void
what_looks_like_that_is_run(void **state)
{
	submits(1, STR("{\"tool_call_id\":1}"));
	have_started(1);
	submits(2, STR("{\"tool_call_id\":1}"));
	have_started(2);
}

static void
a_key_is_for_one_request(void **state)
{
	submits_with_key("k", 1, STR("same"));
	have_started(1);
	submits_with_key("k", 2, STR("other"));
	fails(2, ERR_KEY_REUSED);
	turn_finish(did.running[0], FINISH_STOP, NULL, NULL);
	finishes(1);
	submits_with_key("k", 3, STR("other"));
	fails(3, ERR_KEY_REUSED);
	assert_int_equal(did.starts, 1);
}

static void
a_key_gives_a_failure_again_whenever_it_comes(void **state)
{
	worker.settings.repeat_ms = 0;
	submits_with_key("k", 1, STR("same"));
	has_failed(has_worked(0), ERR_CRASHED);
	submits_with_key("k", 2, STR("same"));
	fails(2, ERR_CRASHED);
	assert_true(heard[2].is_repeated);
	assert_non_null(strstr(heard[2].why, "another Idempotency-Key"));
	/* What has done nothing may be done again. */
	submits_with_key("l", 3, STR("same"));
	have_started(2);
	has_failed(did.running[1], ERR_OVERLOADED);
	submits_with_key("l", 4, STR("same"));
	have_started(3);
}

static void
an_answer_that_is_kept_no_longer_is_refused_and_not_run(void **state)
{
	auto_free char *text = xcalloc(1, MAX_STORY);
	unsigned n = 0;
	char key[16];

	memset(text, 'x', MAX_STORY);
	for (; n <= MAX_STORIES / (MAX_STORY / 2); n++) {
		snprintf(key, sizeof key, "k%u", n);
		submits_with_key(key, n + 1, STR("same"));
		have_started(n + 1);
		turn_text(did.running[n],
			  (struct str){ text, MAX_STORY / 2 + 1 });
		turn_finish(did.running[n], FINISH_STOP, NULL, NULL);
		gives_credit(n + 1, MAX_WINDOW);
		gives_credit(n + 1, MAX_WINDOW);
		finishes(n + 1);
	}
	assert_true(worker.repeats.bytes <= MAX_STORIES);
	submits_with_key("k0", MANY - 1, STR("same"));
	fails(MANY - 1, ERR_ALREADY_RUN);
	submits_with_key(key, MANY - 2, STR("same"));
	is_accepted(MANY - 2);
	assert_int_equal(did.starts, n);
}

/* The gateway */

static bool
none_runs(void)
{
	return worker.running.len + worker.waiting.len == 0;
}

/* The engine ends all turns of a process when one of them is cancelled. */
static void
turns_that_end_together_may_be_cancelled_one_by_one(void **state)
{
	did.ends_together = true;
	for (uint64_t turn = 1; turn <= 4; turn++)
		submits(turn, STR("hello"));
	have_started(2);
	is_accepted(4);
	outlet_fini(&orders);
	wait_until(&worker.loop, none_runs);
	assert_int_equal(did.cancels, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		worker_test(
			a_request_that_is_repeated_is_answered_by_the_turn_that_runs),
		worker_test(
			a_request_that_is_repeated_is_answered_by_the_turn_that_waits),
		worker_test(
			requests_without_a_session_are_never_taken_for_the_same),
		worker_test(
			a_request_that_asks_for_something_else_begins_a_turn),
		worker_test(what_can_not_be_told_again_is_refused_by_name),
		worker_test(a_turn_is_cancelled_when_its_last_client_leaves),
		worker_test(a_turn_goes_on_at_the_pace_of_its_fastest_client),
		worker_test(a_client_that_falls_far_behind_another_is_told_so),
		worker_test(
			repeated_answers_that_wait_for_slow_clients_have_one_limit),
		worker_test(
			nobody_joins_a_turn_that_there_is_no_room_to_tell_again),
		worker_test(
			a_failure_after_tools_is_given_again_and_then_the_turn_is_run),
		worker_test(a_failure_before_any_tool_is_run_again),
		worker_test(nothing_is_given_again_if_that_is_off),
		worker_test(the_retry_of_an_sdk_is_never_run),
		worker_test(a_failure_that_invites_to_try_again_keeps_its_word),
		worker_test(
			nobody_is_invited_to_repeat_a_turn_that_may_have_acted),
		worker_test(
			a_turn_that_has_acted_tells_what_no_retry_would_change),
		worker_test(a_turn_whose_client_has_left_is_not_run_twice),
		worker_test(a_key_gives_a_finished_answer_again),
		worker_test(what_runs_once_needs_no_key),
		worker_test(what_runs_once_and_fails_is_run_again),
		worker_test(what_looks_like_that_is_run),
		worker_test(a_key_is_for_one_request),
		worker_test(a_key_gives_a_failure_again_whenever_it_comes),
		worker_test(
			an_answer_that_is_kept_no_longer_is_refused_and_not_run),
		worker_test(
			turns_that_end_together_may_be_cancelled_one_by_one),
	};

	return cmocka_run_group_tests(tests, opens, closes);
}
