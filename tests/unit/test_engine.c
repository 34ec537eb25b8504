/*
 * What workers/cli/engine promises of a turn: where it goes on in its session,
 * and what becomes of it when its CLI has lost the session, crashes or is not
 * wanted any more.  The CLI is a script in a fake executor.
 */
#include "waits.h"
#include "word_harness.h"

#include <signal.h>
#include <stdlib.h>

#include "workers/cli/job.h"
#include "workers/worker/queue.h"

static struct worker worker;
static struct fake_executor fake;
static unsigned looks; /* whether waiting turns may begin now */

void
queue_run_waiting(struct worker *w)
{
	looks++;
}

struct executor *
executor_new(const struct executor_plan *plan, struct error *e)
{
	return &fake.executor;
}

/* ---- turns, which take note of what they are told ---- */

struct asked {
	struct turn turn;
	char text[64], how[16], reason[128], accepted[16];
	unsigned ends;
	struct error why; /* code 0: it has ended well, or not yet */
};

static struct asked first, second;

static struct asked *
asked_of(struct turn *t)
{
	return container_of(t, struct asked, turn);
}

static void
note(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%s", text ? text : "");
}

void
turn_started(struct turn *t, const struct acceptance *a)
{
	note(asked_of(t)->how, sizeof asked_of(t)->how, a->how);
	note(asked_of(t)->reason, sizeof asked_of(t)->reason, a->reason);
}

void
turn_text(struct turn *t, struct str s)
{
	struct asked *a = asked_of(t);
	size_t len = strlen(a->text);

	assert_true(len + s.len < sizeof a->text);
	str_keep(a->text + len, sizeof a->text - len, s);
}

/* As the worker does. */
static void
end(struct turn *t)
{
	assert_int_equal(asked_of(t)->ends++, 0);
	list_remove(&worker.running, &t->node);
	job_forget(t);
}

void
turn_finish(struct turn *t, enum finish_reason reason,
	    const struct usage *usage, const char *model)
{
	assert_int_equal(reason, FINISH_STOP);
	end(t);
}

void
turn_fail(struct turn *t, const struct error *e)
{
	asked_of(t)->why = *e;
	end(t);
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
turn_meanwhile(struct turn *t, struct str s)
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

void
turn_drop_body(struct turn *t)
{
}

void
turn_give_room(struct turn *t)
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

/* ---- a worker ---- */

void
worker_keep_health(struct worker *w)
{
}

void
worker_wait_for_health(struct worker *w, const char *detail)
{
}

void
worker_note_health(struct worker *w, enum health health, const char *detail)
{
}

void
worker_probe(struct worker *w, bool asked)
{
}

void
worker_set_health(struct worker *w, enum health health, const char *version,
		  const char *detail)
{
}

static int
begins(void **state)
{
	static char directory[64];

	note(directory, sizeof directory, "/tmp/test_engine.XXXXXX");
	assert_non_null(mkdtemp(directory));
	worker = (struct worker){ .loop = LOOP_INIT,
				  .name = "test",
				  .mark = (char *)"mark/" };
	worker.settings.data_dir = directory;
	worker.harness = (struct harness_settings){
		.cwd = (char *)"/work",
		.loads = (char *)"everything",
		.timeout_ms = 60000,
		.start_ms = 60000,
		.cancel_ms = 60000,
		.idle_ms = 60000,
		.models_ms = 60000,
		.max_idle = 8,
		.max_parked = 8,
		.shares = 4,
	};
	list_init(&worker.running);
	list_init(&worker.waiting);
	word_harness_is(false);
	first = second = (struct asked){ 0 };
	must(loop_init(&worker.loop, &e));
	fake_executor_init(&fake, &worker.loop);
	fake.script = word_cli_opens;
	must(engine.init(&worker, &e));
	return 0;
}

static int
ends(void **state)
{
	auto_free char *database = copy_format("%s/sessions/test.sqlite",
					       worker.settings.data_dir);
	auto_free char *sessions =
		copy_format("%s/sessions", worker.settings.data_dir);

	engine.fini(worker.self);
	assert_int_equal(fake_executor_count(&fake), 0);
	fake_executor_fini(&fake);
	loop_fini(&worker.loop);
	assert_int_equal(remove(database), 0);
	assert_int_equal(remove(sessions), 0);
	assert_int_equal(remove(worker.settings.data_dir), 0);
	return 0;
}

/* ---- what a test says and waits for ---- */

#define Q1 "{\"role\":\"user\",\"content\":\"one\"}"
#define A1 "{\"role\":\"assistant\",\"content\":\"answer\"}"
#define Q2 "{\"role\":\"user\",\"content\":\"two\"}"

static void
ask(struct asked *a, const char *messages)
{
	auto_free char *body = copy_format("{\"messages\":[%s]}", messages);
	struct acceptance acceptance = { 0 };

	*a = (struct asked){ 0 };
	a->turn.worker = &worker;
	a->turn.session = (char *)"s";
	a->turn.body = str_of(body);
	must(engine.accept(&a->turn, &acceptance, &e));
	note(a->accepted, sizeof a->accepted, acceptance.how);
	list_append(&worker.running, &a->turn.node);
	engine.start(&a->turn);
	a->turn.body = (struct str){ 0 };
}

static struct asked *awaited_turn;
static unsigned awaited_cli;
static const char *awaited;

static bool
it_is_over(void)
{
	return awaited_turn->ends > 0;
}

static bool
it_has_said_something(void)
{
	return awaited_turn->text[0];
}

static bool
it_has_heard_it(void)
{
	return awaited_cli < fake.starts &&
	       !strcmp(fake.clis[awaited_cli].heard, awaited);
}

static bool
all_processes_are_gone(void)
{
	return pool_is_empty(&worker.self->pool);
}

/* All that the CLI was told so far. */
static struct fake_cli *
hears(unsigned cli, const char *words)
{
	awaited_cli = cli;
	awaited = words;
	wait_until(&worker.loop, it_has_heard_it);
	return &fake.clis[cli];
}

static void
ends_with(struct asked *a, enum error_code code)
{
	awaited_turn = a;
	wait_until(&worker.loop, it_is_over);
	assert_int_equal(a->why.code, code);
}

static void
answers(struct fake_cli *cli, struct asked *a)
{
	fake_cli_says(cli, "answer");
	fake_cli_says(cli, "end");
	ends_with(a, ERR_NONE);
	assert_string_equal(a->text, "answer");
}

/* The session has one answer; its process has gone. */
static void
the_session_is_cold(void)
{
	ask(&first, Q1);
	answers(hears(0, "open\nsay\n"), &first);
	fake_cli_exits(&fake.clis[0], 0);
	wait_until(&worker.loop, all_processes_are_gone);
}

/* ---- promises ---- */

static void
the_second_turn_of_a_session_is_heard_by_its_warm_process(void **state)
{
	ask(&first, Q1);
	answers(hears(0, "open\nsay\n"), &first);
	assert_string_equal(first.accepted, "new");
	assert_string_equal(first.how, "new");
	ask(&second, Q1 "," A1 "," Q2);
	answers(hears(0, "open\nsay\nsay\n"), &second);
	assert_string_equal(second.how, "resumed");
	assert_int_equal(fake.starts, 1);
}

static void
a_session_without_a_process_is_resumed(void **state)
{
	the_session_is_cold();
	ask(&second, Q1 "," A1 "," Q2);
	answers(hears(1, "resume\nsay\n"), &second);
	assert_string_equal(second.how, "resumed");
	assert_int_equal(fake.starts, 2);
}

static void
a_session_that_the_cli_has_lost_is_begun_anew_and_that_is_said(void **state)
{
	the_session_is_cold();
	fake.script = NULL;
	ask(&second, Q1 "," A1 "," Q2);
	hears(1, "resume\n");
	fake.script = word_cli_opens;
	fake_cli_says(&fake.clis[1], "lost");
	answers(hears(2, "open\nsay\n"), &second);
	assert_string_equal(second.accepted, "resumed");
	assert_string_equal(second.how, "replayed");
	assert_string_equal(second.reason, "the harness had lost the session");
}

/* It may have been killed: that says nothing of the session. */
static void
a_resume_that_crashes_is_tried_once_more(void **state)
{
	the_session_is_cold();
	fake.script = NULL;
	ask(&second, Q1 "," A1 "," Q2);
	hears(1, "resume\n");
	fake.script = word_cli_opens;
	fake_cli_exits(&fake.clis[1], SIGKILL);
	answers(hears(2, "resume\nsay\n"), &second);
	assert_string_equal(second.how, "resumed");
}

static void
a_resume_that_crashes_twice_begins_anew(void **state)
{
	the_session_is_cold();
	fake.script = NULL;
	ask(&second, Q1 "," A1 "," Q2);
	fake_cli_exits(hears(1, "resume\n"), 1 << 8);
	hears(2, "resume\n");
	fake.script = word_cli_opens;
	fake_cli_exits(&fake.clis[2], 1 << 8);
	answers(hears(3, "open\nsay\n"), &second);
	assert_string_equal(second.how, "replayed");
}

/* A turn is run at most once: it is not tried again when it has been said. */
static void
a_crash_fails_its_turn_and_the_next_one_goes_on_behind_the_answer(void **state)
{
	the_session_is_cold();
	ask(&second, Q1 "," A1 "," Q2);
	fake_cli_exits(hears(1, "resume\nsay\n"), 3 << 8);
	ends_with(&second, ERR_CRASHED);
	assert_int_equal(fake.starts, 2);
	ask(&second, Q1 "," A1 "," Q2);
	answers(hears(2, "resume\nsay\n"), &second);
}

static void
a_session_whose_only_turn_failed_is_none(void **state)
{
	ask(&first, Q1);
	fake_cli_exits(hears(0, "open\nsay\n"), 3 << 8);
	ends_with(&first, ERR_CRASHED);
	ask(&second, Q1);
	assert_string_equal(second.accepted, "new");
	answers(hears(1, "open\nsay\n"), &second);
}

static void
a_cancelled_turn_is_over_at_once(void **state)
{
	the_session_is_cold();
	ask(&second, Q1 "," A1 "," Q2);
	fake_cli_says(hears(1, "resume\nsay\n"), "half");
	awaited_turn = &second;
	wait_until(&worker.loop, it_has_said_something);
	engine.cancel(&second.turn);
	assert_int_equal(second.ends, 1);
	assert_int_equal(second.why.code, ERR_CANCELLED);
	hears(1, "resume\nsay\nstop\n");
	assert_int_equal(fake.clis[1].kills, 0);
}

static void
a_turn_whose_process_cannot_be_started_fails(void **state)
{
	fake.refuses = true;
	ask(&first, Q1);
	ends_with(&first, ERR_SYSTEM);
	assert_string_equal(first.how, "");
}

static void
a_session_that_is_forgotten_is_begun_anew(void **state)
{
	ask(&first, Q1);
	answers(hears(0, "open\nsay\n"), &first);
	assert_int_equal(engine.forget_session(worker.self, "s"), 1);
	wait_until(&worker.loop, all_processes_are_gone);
	ask(&second, Q2);
	assert_string_equal(second.accepted, "new");
	answers(hears(1, "open\nsay\n"), &second);
}

#define engine_test(name) cmocka_unit_test_setup_teardown(name, begins, ends)

/* ---- a login that is about to expire ---- */

static uint64_t login_written_at;

static bool
look_at_login(struct executor *x, const char *path, struct file_facts *facts)
{
	facts->written_ms = login_written_at;
	return true;
}

static bool
it_is_looked_again(void)
{
	return looks > 0;
}

static bool
may_run_second(void)
{
	looks = 0;
	return engine.may_run(&second.turn);
}

static void
a_turn_that_waits_for_a_login_begins_once_that_is_written(void **state)
{
	static const char *const renewed[] = { "~/login", NULL };
	char home[] = "HOME=/home/me", *environment[] = { home, NULL };
	enum { LASTS_MS = 3600 * 1000 };

	fake.executor.look = look_at_login;
	harness.renewed = renewed;
	worker.self->health.prober.harness = &harness;
	worker.self->health.prober.environment = environment;
	login_gate_init(&worker.self->login, LASTS_MS);
	login_written_at = unix_ms() - LASTS_MS;
	second = (struct asked){ .turn.worker = &worker };
	assert_true(may_run_second());
	ask(&first, Q1);
	assert_false(may_run_second());
	wait_until(&worker.loop, it_is_looked_again);
	assert_false(may_run_second());
	login_written_at = unix_ms();
	wait_until(&worker.loop, it_is_looked_again);
	assert_true(may_run_second());
	answers(hears(0, "open\nsay\n"), &first);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		engine_test(
			the_second_turn_of_a_session_is_heard_by_its_warm_process),
		engine_test(a_session_without_a_process_is_resumed),
		engine_test(
			a_session_that_the_cli_has_lost_is_begun_anew_and_that_is_said),
		engine_test(a_resume_that_crashes_is_tried_once_more),
		engine_test(a_resume_that_crashes_twice_begins_anew),
		engine_test(
			a_crash_fails_its_turn_and_the_next_one_goes_on_behind_the_answer),
		engine_test(a_session_whose_only_turn_failed_is_none),
		engine_test(a_cancelled_turn_is_over_at_once),
		engine_test(a_turn_whose_process_cannot_be_started_fails),
		engine_test(a_session_that_is_forgotten_is_begun_anew),
		engine_test(
			a_turn_that_waits_for_a_login_begins_once_that_is_written),
	};

	/* that the program is there is also asked of this machine */
	assert_int_equal(setenv("TEST_BIN", "/bin/sh", 1), 0);
	assert_int_equal(sigaction(SIGPIPE,
				   &(struct sigaction){ .sa_handler = SIG_IGN },
				   NULL),
			 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
