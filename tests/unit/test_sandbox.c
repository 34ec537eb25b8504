/* What workers/sandbox asks of a service, and what it makes of the answer. */
#include "tests/unit/harness_kit.h"

#include <stdlib.h>

#include "workers/sandbox/sandbox.h"

#define KEY "the-key-of-the-service"
#define ID "11111111-1111-4111-8111-111111111111"
#define BEGINS "{\"status\":200}\n"
#define EVENT(name, data) ">event: " name "\n>data: " data "\n>\n"

static struct sandbox state;
static struct instance agent = { .name = "sandbox" };
static struct conversation talk;
static json_t *messages, *profile;

static const struct harness *
harness(void)
{
	struct error e;

	return harness_of("sandbox", &e);
}

static void
begin(const char *authorization)
{
	struct words argv = { 0 }, env = { 0 };

	if (talk.own)
		harness()->clear(&talk);
	notes_clear();
	talk = (struct conversation){
		.instance = &agent,
		.own = &state,
		.cli_id = ID,
		.messages = messages,
		.options = { .profile = profile,
			     .authorization = (char *)authorization },
	};
	must(harness()->check(&talk.options, &e));
	must(harness()->command(&talk, &argv, &env, &e));
	assert_int_equal(argv.len + env.len, 0);
	harness()->handshake(&talk);
	harness()->say(&talk);
	buf_fini(&notes.heard);
	notes.last = '\0';
}

/* Hears the lines; false: the turn has failed at one of them. */
static bool
hears(struct str lines, struct error *e)
{
	struct str line;

	while (lines.len) {
		line = str_cut(lines, '\n', &lines);
		if (!sandbox_line(&talk, line, e))
			return false;
	}
	return true;
}

static void
must_hear(const char *lines, const char *heard)
{
	begin(NULL);
	must(hears(str_of(lines), &e));
	must_have_heard_only(heard);
}

static void
must_break(enum error_code code, const char *text, const char *lines)
{
	begin(NULL);
	must_fail(code, text, hears(str_of(lines), &e));
}

static void
the_service_gets_the_task_and_the_profile(void **state_)
{
	begin(NULL);
	must_have_written("{\"url\":\"http://127.0.0.1:9/api/batch/run\","
			  "\"authorization\":\"Bearer " KEY "\"}\n");
	must_have_written(
		"{\"tasks\":[{\"id\":\"" ID "\",\"message\":\"hello\"}],"
		"\"backend\":{\"type\":\"opencode\",\"profile\":{\"name\":"
		"\"n\",\"hooks\":{\"x\":[1]}}},\"scalingMode\":\"balanced\","
		"\"persistent\":false}\n");
	assert_true(notes.input_ended);
	begin("Basic YWRh");
	must_have_written("\"authorization\":\"Basic YWRh\"");
	must_not_have_written(KEY);
}

static void
what_lacks_is_said_before(void **state_)
{
	struct options o = { .profile = profile };

	unsetenv("SANDBOX_API_KEY");
	must_fail(ERR_NOT_SET_UP,
		  "SANDBOX_API_KEY is not set, and the request has no "
		  "X-Tangle-Forwarded-Authorization: one of them is the "
		  "authorization that the sandbox service gets",
		  harness()->check(&o, &e));
	o.authorization = (char *)"Bearer x\r\nEvil: 1";
	must_fail(ERR_INVALID,
		  "X-Tangle-Forwarded-Authorization: has a character that no "
		  "header can have",
		  harness()->check(&o, &e));
	setenv("SANDBOX_API_KEY", KEY, 1);
	o = (struct options){ 0 };
	must_fail(ERR_INVALID,
		  "agent_profile: sandbox needs a profile: give one, or write "
		  "sandbox/<id> for one of the catalogue",
		  harness()->check(&o, &e));
	setenv("SANDBOX_API_URL", "ftp://x", 1);
	must_fail(ERR_INVALID,
		  "SANDBOX_API_URL is \"ftp://x\", but a base URL must begin "
		  "with http:// or https://",
		  harness()->check(&o, &e));
	setenv("SANDBOX_API_URL", "http://127.0.0.1:9/api/", 1);
}

static void
events_are_heard(void **state_)
{
	must_hear(BEGINS EVENT("task.delta", "{\"chunk\":\"a\"}")
			  EVENT("task.progress", "{\"content\":\"b\"}")
				  EVENT("task.completed",
					"{\"resultSummary\":\"abc\",\"usage\":"
					"{\"inputTokens\":3,\"outputTokens\":"
					"2}}") "{\"end\":true}\n",
		  "acts\ntext abc\nfinish stop, 3 + 2 tokens, by ?\n");
	must_hear(BEGINS EVENT("odd", "nonsense")
			  EVENT("task.completed", "{\"response\":\"other\"}"),
		  "acts\nunknown event odd\ntext other\nfinish stop, ? + ? "
		  "tokens, by ?\n");
	must_hear(BEGINS EVENT("task.delta", "{\"chunk\":\"a\"}")
			  EVENT("task.completed", "{\"response\":\"b\"}"),
		  "acts\ntext a\nfinish stop, ? + ? tokens, by ?\n");
}

static void
what_comes_behind_the_end_counts_for_nothing(void **state_)
{
	must_hear(BEGINS EVENT("task.completed", "{}") EVENT(
			  "task.failed", "{}") "nonsense\n{\"end\":true}\n",
		  "acts\nfinish stop, ? + ? tokens, by ?\n");
}

static void
an_answer_that_is_not_whole_is_no_answer(void **state_)
{
	static const char lines[] =
		BEGINS EVENT("task.delta", "{\"chunk\":\"a\"}")
			EVENT("task.completed", "{\"response\":\"a\"}");

	struct error ignored;

	for (size_t len = 0; len + 1 < sizeof lines - 1; len++) {
		begin(NULL);
		(void)hears((struct str){ lines, len }, &ignored);
		assert_false(was_heard("finish"));
	}
	must_break(ERR_TRUNCATED,
		   "sandbox: the service ended its answer before the task was "
		   "over",
		   BEGINS EVENT("task.delta",
				"{\"chunk\":\"a\"}") "{\"end\":true}\n");
	must_break(ERR_TRUNCATED,
		   "sandbox: the service sent an event that is no JSON object: "
		   "task.delta",
		   BEGINS EVENT("task.delta", "{\"chunk\":\"a\""));
	must_break(ERR_TRUNCATED,
		   "sandbox: the service sent an event that is no JSON object: "
		   "without a name",
		   BEGINS ">data: 1\n>\n");
	must_break(ERR_HARNESS, "sandbox: its client said what is no JSON",
		   "nonsense\n");
}

static void
failures_have_codes(void **state_)
{
	static const struct {
		const char *line, *heard;
	} failures[] = {
		{ "{\"status\":401,\"body\":\"{}\"}",
		  "fail LOGIN sandbox: the service answered with 401 (set "
		  "SANDBOX_API_KEY to a key that the service takes)\n" },
		{ "{\"status\":404,\"body\":\"{\\\"error\\\":\\\"no such "
		  "profile\\\"}\"}",
		  "fail NO_MODEL sandbox: the service answered with 404: no "
		  "such profile\n" },
		{ "{\"status\":500,\"body\":\"oops\"}",
		  "fail HARNESS sandbox: the service answered with 500: "
		  "oops\n" },
		{ "{\"status\":503,\"body\":\"\"}",
		  "fail OVERLOADED sandbox: the service answered with 503\n" },
		{ "{\"status\":200,\"body\":\"{}\"}",
		  "fail TRUNCATED sandbox: the service answered with 200\n" },
		{ "{\"failure\":\"UPSTREAM\",\"is_sent\":false,\"text\":\"x\"}",
		  "fail UPSTREAM sandbox: x\n" },
		{ "{\"failure\":\"UPSTREAM\",\"is_sent\":true,\"text\":\"x\"}",
		  "fail HARNESS sandbox: x\n" },
		{ "{\"failure\":\"ODD\",\"text\":\"x\"}",
		  "fail HARNESS sandbox: x\n" },
		{ "{\"status\":500,\"body\":\"my " KEY "\"}",
		  "fail HARNESS sandbox: the service answered with 500\n" },
	};

	for (size_t i = 0; i < sizeof failures / sizeof *failures; i++)
		must_hear(failures[i].line, failures[i].heard);
	must_hear(BEGINS EVENT("task.failed", "{\"error\":\"odd\"}"),
		  "acts\nfail HARNESS sandbox: odd\n");
	must_hear(BEGINS EVENT("task.failed", "{\"message\":\"" KEY "\"}"),
		  "acts\nfail HARNESS sandbox: the task has failed\n");
	begin("Bearer of-a-caller");
	must(hears(STR("{\"status\":401,\"body\":\"of-a-caller\"}"), &e));
	must_have_heard_only("fail UNAUTHORIZED sandbox: the service answered "
			     "with 401\n");
}

/* A turn that was told its result cannot have failed, nor end twice. */
static void
hear_mutant(struct str said)
{
	struct error ignored;
	const char *at;

	begin(NULL);
	(void)hears(said, &ignored);
	at = memmem(buf_str(&notes.heard).ptr, notes.heard.len, "finish", 6);
	if (at)
		assert_null(strstr(at + 1, "finish"));
}

static void
another_version_of_it_is_no_worse(void **state_)
{
	mutants_each(STR("{\"status\":200}\n"
			 "{\"status\":429,\"retry_after\":\"7\",\"body\":"
			 "\"no\"}\n"),
		     hear_mutant);
	mutants_each(STR("{\"failure\":\"TIMEOUT\",\"is_sent\":true,\"text\":"
			 "\"x\"}\n{\"end\":true}\n"),
		     hear_mutant);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_service_gets_the_task_and_the_profile),
		cmocka_unit_test(what_lacks_is_said_before),
		cmocka_unit_test(events_are_heard),
		cmocka_unit_test(what_comes_behind_the_end_counts_for_nothing),
		cmocka_unit_test(an_answer_that_is_not_whole_is_no_answer),
		cmocka_unit_test(failures_have_codes),
		cmocka_unit_test(another_version_of_it_is_no_worse),
	};
	int failed;

	setenv("SANDBOX_API_URL", "http://127.0.0.1:9/api/", 1);
	setenv("SANDBOX_API_KEY", KEY, 1);
	messages = user_says("hello");
	profile = json_pack("{s:s, s:{s:[i]}}", "name", "n", "hooks", "x", 1);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	harness()->clear(&talk);
	json_decref(messages);
	json_decref(profile);
	notes_clear();
	return failed;
}
