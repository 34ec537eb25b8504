/*
 * What workers/cli promises of a pool with its instances and conversations: the
 * whole life of a turn, with real code from the pool down to program.c and a
 * CLI that is a script in a fake executor.
 */
#include "waits.h"
#include "word_harness.h"

#include <signal.h>
#include <stdlib.h>

#include "workers/cli/eviction.h"
#include "workers/cli/pool.h"
#include "workers/cli/spares.h"

/* ---- turns, which take note of what they are told ---- */

struct asked {
	struct turn turn;
	char text[64];
	unsigned ends, good_ends;
	struct outcome outcome;
	struct error why;
};

static struct asked first, second;

static struct asked *
asked_of(struct turn *t)
{
	return container_of(t, struct asked, turn);
}

void
turn_text(struct turn *t, struct str s)
{
	struct asked *a = asked_of(t);
	size_t len = strlen(a->text);

	assert_int_equal(a->ends, 0);
	assert_true(len + s.len < sizeof a->text);
	str_keep(a->text + len, sizeof a->text - len, s);
}

void
turn_holds(struct turn *t)
{
}

void
turn_reasoning(struct turn *t, struct str s)
{
}

void
turn_call(struct turn *t, struct str json, struct str arguments)
{
	(void)t;
}

void
turn_tool(struct turn *t, struct str json)
{
}

void
turn_note(struct turn *t, struct str text)
{
}

size_t
turn_backlog(const struct turn *t)
{
	return 0;
}

bool
turn_is_blocked(const struct turn *t)
{
	return false;
}

static void
on_ready(struct conversation *c)
{
	conversation_say(c, NULL, NULL, NULL, 0);
}

static void
on_spoke(struct conversation *c)
{
}

static void
on_over(struct turn *t, struct conversation *c, const struct outcome *o)
{
	struct asked *a = asked_of(t);

	a->ends++;
	a->good_ends += !o->error && !o->lost;
	a->outcome = *o;
	if (o->error)
		a->why = *o->error;
}

static void
on_tried(struct pool *p, const struct error *e)
{
}

/* ---- the pool ---- */

static struct worker worker;
static struct fake_executor fake;
static struct pool pool;
static const struct process no_prober;

static int
begins(void **state)
{
	worker = (struct worker){ .loop = LOOP_INIT,
				  .name = "test",
				  .mark = (char *)"mark/" };
	worker.harness = (struct harness_settings){
		.cwd = (char *)"/work",
		.loads = (char *)"everything",
		.timeout_ms = 60000,
		.start_ms = 60000,
		.cancel_ms = 60000,
		.idle_ms = 60000,
		.max_idle = 8,
		.max_parked = 8,
		.shares = 4,
	};
	word_harness_is(false);
	first = second = (struct asked){ 0 };
	must(loop_init(&worker.loop, &e));
	fake_executor_init(&fake, &worker.loop);
	fake.script = word_cli_opens;
	pool = (struct pool){ .executor = &fake.executor,
			      .other = &no_prober,
			      .ready = on_ready,
			      .spoke = on_spoke,
			      .over = on_over,
			      .tried = on_tried };
	must(pool_init(&pool, &worker, &e));
	return 0;
}

static int
ends(void **state)
{
	pool_fini(&pool);
	assert_int_equal(fake_executor_count(&fake), 0);
	fake_executor_fini(&fake);
	loop_fini(&worker.loop);
	return 0;
}

/* ---- what a test says and waits for ---- */

/* Begins a conversation of the session, with the turn. */
static struct conversation *
begin(const char *session, const char *cli_id, struct asked *a)
{
	const struct conversation_plan plan = { .session = session,
						.cli_id = cli_id,
						.cwd = "/work",
						.kept = true };
	struct conversation *c = NULL;

	must((c = pool_start(&pool, &plan, &e)));
	conversation_give(c, &a->turn);
	return c;
}

static struct fake_cli *awaited_cli;
static const char *awaited;
static struct asked *awaited_turn;

static bool
it_has_heard_it(void)
{
	return strstr(awaited_cli->heard, awaited) != NULL;
}

static bool
it_has_said_it(void)
{
	return !strcmp(awaited_turn->text, awaited);
}

static bool
it_is_over(void)
{
	return awaited_turn->ends > 0;
}

static bool
it_has_seen_the_end_of_its_input(void)
{
	return awaited_cli->input_closed;
}

static struct conversation *awaited_conversation;

static bool
it_has_said_something_by_itself(void)
{
	return awaited_conversation->meanwhile.len > 0;
}

static bool
no_process_is_left(void)
{
	return pool_is_empty(&pool);
}

static bool
there_was_a_sweep(void)
{
	return fake.sweeps > 0;
}

static void
hears(struct fake_cli *cli, const char *words)
{
	awaited_cli = cli;
	awaited = words;
	wait_until(&worker.loop, it_has_heard_it);
}

static void
has_said(struct asked *a, const char *text)
{
	awaited_turn = a;
	awaited = text;
	wait_until(&worker.loop, it_has_said_it);
}

static void
is_over(struct asked *a)
{
	awaited_turn = a;
	wait_until(&worker.loop, it_is_over);
	assert_int_equal(a->ends, 1);
}

static void
is_over_well(struct asked *a)
{
	is_over(a);
	assert_int_equal(a->good_ends, 1);
}

static void
has_failed(struct asked *a, enum error_code code)
{
	is_over(a);
	assert_int_equal(a->good_ends, 0);
	assert_int_equal(a->why.code, code);
}

/* ---- promises ---- */

static void
the_turns_of_a_session_have_one_process(void **state)
{
	struct fake_cli *cli = &fake.clis[0];
	struct conversation *c = begin("s", "id", &first);

	hears(cli, "open\nsay\n");
	assert_string_equal(cli->cwd, "/work");
	fake_cli_says(cli, "hello");
	has_said(&first, "hello");
	assert_null(pool_find(&pool, "s", 0)); /* it is busy */
	fake_cli_says(cli, "end");
	is_over_well(&first);
	assert_ptr_equal(pool_find(&pool, "s", 0), c);
	assert_null(pool_find(&pool, "another", 0));

	conversation_give(c, &second.turn);
	hears(cli, "open\nsay\nsay\n");
	fake_cli_says(cli, "again");
	fake_cli_says(cli, "end");
	is_over_well(&second);
	assert_string_equal(second.text, "again");
	assert_int_equal(fake.starts, 1);
	assert_int_equal(pool_count(&pool), 1);
}

static void
a_turn_without_a_session_leaves_no_process(void **state)
{
	begin(NULL, "id", &first);
	hears(&fake.clis[0], "say\n");
	fake_cli_says(&fake.clis[0], "end");
	is_over_well(&first);
	wait_until(&worker.loop, no_process_is_left);
}

static void
a_crash_fails_its_own_turn_only(void **state)
{
	begin("s", "id", &first);
	begin("t", "other", &second);
	hears(&fake.clis[0], "say\n");
	hears(&fake.clis[1], "say\n");
	fake_cli_says(&fake.clis[0], "half");
	fake_cli_exits(&fake.clis[0], 3 << 8);
	has_failed(&first, ERR_CRASHED);
	assert_string_equal(first.text, "half");
	assert_string_equal(first.why.text, "test ended with exit code 3");
	assert_false(first.outcome.not_begun);
	assert_null(pool_find(&pool, "s", 0));
	assert_int_equal(second.ends, 0);
	fake_cli_says(&fake.clis[1], "end");
	is_over_well(&second);
}

static void
a_crash_before_the_cli_is_ready_is_told_as_that(void **state)
{
	fake.script = NULL;
	begin("s", "id", &first);
	hears(&fake.clis[0], "open\n");
	fake_cli_exits(&fake.clis[0], SIGSEGV);
	has_failed(&first, ERR_CRASHED);
	assert_true(first.outcome.at_start);
}

/* The next turn begins anew, in another process. */
static void
a_conversation_that_the_cli_has_lost_is_over(void **state)
{
	const struct conversation_plan plan = {
		.session = "s", .cli_id = "id", .cwd = "/work", .resumed = true
	};
	struct conversation *c = NULL;

	fake.script = NULL;
	must((c = pool_start(&pool, &plan, &e)));
	conversation_give(c, &first.turn);
	hears(&fake.clis[0], "resume\n");
	fake_cli_says(&fake.clis[0], "lost");
	is_over(&first);
	assert_true(first.outcome.lost);
	assert_string_equal(first.text, "");
	assert_null(pool_find(&pool, "s", 0));
	assert_int_equal(fake.clis[0].kills, 1);

	fake.script = word_cli_opens;
	begin("s", "new", &second);
	hears(&fake.clis[1], "open\nsay\n");
	fake_cli_says(&fake.clis[1], "end");
	is_over_well(&second);
}

static void
a_cli_that_hangs_is_given_up(void **state)
{
	worker.harness.timeout_ms = 50;
	begin("s", "id", &first);
	fake.clis[0].is_stubborn = true;
	has_failed(&first, ERR_TIMEOUT);
	assert_int_equal(fake.clis[0].kills, 1);
	wait_until(&worker.loop, no_process_is_left);
}

static void
a_cli_that_does_not_start_is_given_up(void **state)
{
	fake.script = NULL;
	worker.harness.start_ms = 50;
	begin("s", "id", &first);
	has_failed(&first, ERR_TIMEOUT);
	assert_true(first.outcome.at_start);
	wait_until(&worker.loop, no_process_is_left);
}

static void
a_cli_that_cannot_be_understood_is_killed(void **state)
{
	begin("s", "id", &first);
	hears(&fake.clis[0], "say\n");
	fake_cli_says(&fake.clis[0], "nonsense");
	has_failed(&first, ERR_HARNESS);
	assert_int_equal(fake.clis[0].kills, 1);
}

static void
stop(struct conversation *c)
{
	struct error e = { 0 };

	fail_with(&e, ERR_CANCELLED, "cancelled");
	conversation_stop(c, &e);
}

/* What the CLI still says of the first turn is no answer to the second. */
static void
a_cancelled_turn_is_over_at_once_and_the_next_one_waits(void **state)
{
	struct fake_cli *cli = &fake.clis[0];
	struct conversation *c = begin("s", "id", &first);

	hears(cli, "say\n");
	stop(c);
	assert_int_equal(first.ends, 1);
	assert_int_equal(first.why.code, ERR_CANCELLED);
	assert_ptr_equal(pool_find(&pool, "s", 0), c);
	conversation_give(c, &second.turn);
	hears(cli, "stop\n");
	fake_cli_says(cli, "late");
	assert_null(strstr(cli->heard, "stop\nsay"));
	fake_cli_says(cli, "stopped");
	hears(cli, "stop\nsay\n");
	fake_cli_says(cli, "answer");
	fake_cli_says(cli, "end");
	is_over_well(&second);
	assert_string_equal(second.text, "answer");
	assert_int_equal(first.ends, 1);
	assert_int_equal(fake.starts, 1);
}

static void
a_cli_that_does_not_stop_is_killed_and_the_next_turn_is_not_begun(void **state)
{
	struct conversation *c = begin("s", "id", &first);

	worker.harness.cancel_ms = 20;
	hears(&fake.clis[0], "say\n");
	stop(c);
	conversation_give(c, &second.turn);
	is_over(&second);
	assert_true(second.outcome.not_begun);
	assert_int_equal(fake.clis[0].kills, 1);
	assert_int_equal(first.ends, 1);
}

static void
what_a_cli_says_by_itself_is_no_answer(void **state)
{
	struct fake_cli *cli = &fake.clis[0];
	struct conversation *c = begin("s", "id", &first);
	auto_free char *meanwhile = NULL;

	hears(cli, "say\n");
	fake_cli_says(cli, "end");
	is_over_well(&first);
	fake_cli_says(cli, "alone");
	fake_cli_says(cli, "news");
	awaited_conversation = c;
	wait_until(&worker.loop, it_has_said_something_by_itself);
	conversation_give(c, &second.turn);
	assert_int_equal(c->state, CONVERSATION_ALONE);
	fake_cli_says(cli, "silent");
	hears(cli, "say\nsay\n");
	fake_cli_says(cli, "answer");
	fake_cli_says(cli, "end");
	is_over_well(&second);
	assert_string_equal(second.text, "answer");
	meanwhile = conversation_take_meanwhile(c);
	assert_string_equal(meanwhile, "news");
}

static void
a_spare_is_taken_by_a_new_session_in_its_directory(void **state)
{
	begin("s", "id", &first);
	hears(&fake.clis[0], "say\n");
	fake_cli_says(&fake.clis[0], "end");
	is_over_well(&first);
	worker.harness.spares = 1;
	spares_start(&pool);
	assert_int_equal(fake.starts, 2);
	assert_string_equal(fake.clis[1].cwd, "/work");
	assert_string_equal(fake.clis[1].heard, "");
	begin("t", "ignored", &second);
	assert_int_equal(fake.starts, 2);
	hears(&fake.clis[1], "open\nsay\n");
	fake_cli_says(&fake.clis[1], "end");
	is_over_well(&second);
	assert_non_null(pool_find(&pool, "t", 0));
}

static void
the_conversation_that_was_idle_longest_is_evicted(void **state)
{
	worker.harness.max_idle = 1;
	begin("s", "id", &first);
	hears(&fake.clis[0], "say\n");
	fake_cli_says(&fake.clis[0], "end");
	is_over_well(&first);
	begin("t", "other", &second);
	hears(&fake.clis[1], "say\n");
	assert_false(fake.clis[0].input_closed);
	fake_cli_says(&fake.clis[1], "end");
	is_over_well(&second);
	awaited_cli = &fake.clis[0];
	wait_until(&worker.loop, it_has_seen_the_end_of_its_input);
	assert_null(pool_find(&pool, "s", 0));
	assert_non_null(pool_find(&pool, "t", 0));
	assert_int_equal(fake.clis[0].kills, 0);
	assert_false(fake.clis[1].input_closed);
}

static void
a_process_that_was_started_otherwise_ends_after_its_turn(void **state)
{
	begin("s", "id", &first);
	begin("t", "other", &second);
	hears(&fake.clis[0], "say\n");
	hears(&fake.clis[1], "say\n");
	fake_cli_says(&fake.clis[0], "end");
	is_over_well(&first);
	fake.program = "/fake/newer";
	must(pool_configure(&pool, &e));
	assert_null(pool_find(&pool, "s", 0)); /* it was idle */
	assert_int_equal(second.ends, 0);
	fake_cli_says(&fake.clis[1], "answer");
	fake_cli_says(&fake.clis[1], "end");
	is_over_well(&second);
	assert_string_equal(second.text, "answer");
	wait_until(&worker.loop, no_process_is_left);
}

static void
a_program_that_cannot_be_started_leaves_nothing(void **state)
{
	const struct conversation_plan plan = { .session = "s",
						.cli_id = "id",
						.cwd = "/work" };

	fake.refuses = true;
	must_fail(ERR_SYSTEM, "the executor refuses",
		  pool_start(&pool, &plan, &e));
	assert_int_equal(pool_count(&pool), 0);
	wait_until(&worker.loop, no_process_is_left);
}

static void
what_an_ended_process_has_left_is_swept_and_no_other(void **state)
{
	begin("s", "id", &first);
	begin("t", "other", &second);
	hears(&fake.clis[1], "say\n");
	fake_cli_exits(&fake.clis[0], 0);
	has_failed(&first, ERR_CRASHED);
	wait_until(&worker.loop, there_was_a_sweep);
	assert_true(fake.was_over[1]);
	assert_false(fake.was_over[2]);
	assert_false(fake.was_over[0]); /* the prober's */
}

static void
conversations_of_a_shared_process_do_not_hear_each_other(void **state)
{
	word_harness_is(true);
	begin("s", "a", &first);
	begin("t", "b", &second);
	hears(&fake.clis[0], "b say\n");
	assert_int_equal(fake.starts, 1);
	assert_int_equal(pool_count(&pool), 1);
	fake_cli_says(&fake.clis[0], "b two");
	fake_cli_says(&fake.clis[0], "a one");
	fake_cli_says(&fake.clis[0], "b end");
	is_over_well(&second);
	assert_string_equal(second.text, "two");
	assert_string_equal(first.text, "one");
	assert_int_equal(first.ends, 0);
	fake_cli_says(&fake.clis[0], "a end");
	is_over_well(&first);
}

static void
the_crash_of_a_shared_process_fails_each_of_its_turns_once(void **state)
{
	word_harness_is(true);
	begin("s", "a", &first);
	begin("t", "b", &second);
	hears(&fake.clis[0], "b say\n");
	fake_cli_exits(&fake.clis[0], SIGKILL);
	has_failed(&first, ERR_CRASHED);
	has_failed(&second, ERR_CRASHED);
	wait_until(&worker.loop, no_process_is_left);
	assert_int_equal(first.ends + second.ends, 2);
}

#define pool_test(name) cmocka_unit_test_setup_teardown(name, begins, ends)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		pool_test(the_turns_of_a_session_have_one_process),
		pool_test(a_turn_without_a_session_leaves_no_process),
		pool_test(a_crash_fails_its_own_turn_only),
		pool_test(a_crash_before_the_cli_is_ready_is_told_as_that),
		pool_test(a_conversation_that_the_cli_has_lost_is_over),
		pool_test(a_cli_that_hangs_is_given_up),
		pool_test(a_cli_that_does_not_start_is_given_up),
		pool_test(a_cli_that_cannot_be_understood_is_killed),
		pool_test(
			a_cancelled_turn_is_over_at_once_and_the_next_one_waits),
		pool_test(
			a_cli_that_does_not_stop_is_killed_and_the_next_turn_is_not_begun),
		pool_test(what_a_cli_says_by_itself_is_no_answer),
		pool_test(a_spare_is_taken_by_a_new_session_in_its_directory),
		pool_test(the_conversation_that_was_idle_longest_is_evicted),
		pool_test(
			a_process_that_was_started_otherwise_ends_after_its_turn),
		pool_test(a_program_that_cannot_be_started_leaves_nothing),
		pool_test(what_an_ended_process_has_left_is_swept_and_no_other),
		pool_test(
			conversations_of_a_shared_process_do_not_hear_each_other),
		pool_test(
			the_crash_of_a_shared_process_fails_each_of_its_turns_once),
	};

	assert_int_equal(sigaction(SIGPIPE,
				   &(struct sigaction){ .sa_handler = SIG_IGN },
				   NULL),
			 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
