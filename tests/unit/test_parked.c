/* What workers/cli/parked promises: results find the turn that waits for them,
 * and nobody else's. */
#include "unit.h"

#include "read_prompt.h"
#include "workers/cli/parked.h"
#include "workers/io/json.h"

static struct worker worker;
static struct engine_self self;
static struct turn turn, other;
static struct job job, others_job;
static struct conversation one, two;
static struct conversation *found;

static void
clear(struct conversation *c)
{
	parked_forget(c);
	json_decref(c->calls);
	free(c->session);
	memset(c, 0, sizeof *c);
}

/* Takes `calls`. */
static void
park(struct conversation *c, const char *session, json_t *calls)
{
	c->state = CONVERSATION_PARKED;
	c->cli_id = "in the CLI";
	c->session = session ? copy(str_of(session)) : NULL;
	c->calls = calls;
	list_append(&self.pool.conversations, &c->node);
}

static int
setup(void **state)
{
	memset(&turn, 0, sizeof turn);
	memset(&other, 0, sizeof other);
	memset(&job, 0, sizeof job);
	memset(&others_job, 0, sizeof others_job);
	worker = (struct worker){ .self = &self };
	self = (struct engine_self){ .worker = &worker };
	list_init(&worker.running);
	list_init(&self.pool.conversations);
	turn.worker = other.worker = &worker;
	turn.work = job.turn = NULL;
	turn.work = &job;
	other.work = &others_job;
	found = NULL;
	park(&one, NULL,
	     json_pack("[{s:s, s:s, s:s}, {s:s, s:s, s:s}]", "id", "call_a",
		       "cli", "A", "name", "look", "id", "call_b", "cli", "B",
		       "name", "look"));
	park(&two, "s",
	     json_pack("[{s:s, s:s, s:s}]", "id", "call_c", "cli", "C", "name",
		       "look"));
	return 0;
}

static int
teardown(void **state)
{
	prompt_fini(&job.prompt);
	json_decref(job.options.tools);
	json_decref(others_job.given);
	free(turn.session);
	clear(&one);
	clear(&two);
	return 0;
}

#define CALL(id)                                                           \
	"{\"id\":\"" id "\",\"type\":\"function\",\"function\":{\"name\":" \
	"\"look\",\"arguments\":\"{}\"}}"
#define CALLS(...)                                                 \
	"{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":" \
	"[" __VA_ARGS__ "]}"
#define RESULT(id, text)                                                     \
	"{\"role\":\"tool\",\"tool_call_id\":\"" id "\",\"content\":\"" text \
	"\"}"
#define USER(text) "{\"role\":\"user\",\"content\":\"" text "\"}"

static void
says(const char *messages)
{
	auto_free char *body = copy_format("{\"messages\":[%s]}", messages);

	prompt_fini(&job.prompt);
	must(read_prompt(&job.prompt, str_of(body),
			 &(struct recipient){ "test", ~0u }, &e));
}

static void
finds(struct conversation *c)
{
	must(parked_find(&turn, &found, &e));
	assert_ptr_equal(found, c);
}

static void
is_refused(enum error_code code, const char *why)
{
	struct error e = { 0 };

	assert_false(parked_find(&turn, &found, &e));
	assert_int_equal(e.code, code);
	if (!strstr(e.text, why))
		fail_msg("%s: not %s", e.text, why);
}

static void
is_in_session(const char *session)
{
	free(turn.session);
	turn.session = copy(str_of(session));
}

/* ---- ---- */

static void
results_are_found_by_their_ids(void **state)
{
	json_t *results;

	says(USER("q") "," CALLS(CALL("call_a") "," CALL("call_b")) "," RESULT(
		"call_b", "second") "," RESULT("call_a", "first"));
	finds(&one);
	results = parked_results(found, &job.prompt);
	assert_int_equal(json_array_size(results), 2);
	for (size_t i = 0; i < 2; i++)
		assert_string_equal(json_text(json_array_get(results, i), "id"),
				    i ? "B" : "A");
	json_decref(results);
}

static void
results_alone_are_enough(void **state)
{
	json_t *results;

	says(RESULT("call_a", "first") "," RESULT("call_b", "second"));
	finds(&one);
	results = parked_results(found, &job.prompt);
	assert_int_equal(json_array_size(results), 2);
	json_decref(results);
	says(RESULT("call_c", "first"));
	finds(&two);
}

static void
all_of_a_message_are_needed(void **state)
{
	says(RESULT("call_a", "first"));
	is_refused(ERR_INVALID, "call_b is missing");
	says(RESULT("call_a", "first") "," RESULT("call_a", "again"));
	is_refused(ERR_INVALID, "call_b is missing");
}

static void
those_of_two_conversations_are_not_mixed(void **state)
{
	says(RESULT("call_a", "x") "," RESULT("call_b",
					      "x") "," RESULT("call_c", "x"));
	is_refused(ERR_INVALID, "was not made by the answer");
}

static void
a_session_has_its_own(void **state)
{
	says(RESULT("call_c", "x"));
	is_in_session("s");
	finds(&two);
	is_in_session("another");
	is_refused(ERR_INVALID, "was made in another session");
	says(RESULT("call_a", "x") "," RESULT("call_b", "x"));
	is_refused(ERR_INVALID, "was made in another session");
}

static void
what_nobody_waits_for_is_refused_alone(void **state)
{
	says(RESULT("call_x", "x"));
	finds(NULL); /* without tools it is told as text */
	job.options.tools = json_array();
	is_refused(ERR_INVALID, "call_x");
	says(USER("q") "," CALLS(CALL("call_x")) "," RESULT("call_x", "x"));
	finds(NULL); /* it can be told with its call */
	assert_true(parked_is_answered_by(&job.prompt));
}

static void
only_results_behind_the_last_answer_count(void **state)
{
	says(USER("q") "," CALLS(CALL("call_c")) "," RESULT(
		"call_c",
		"x") ","
		     "{\"role\":\"assistant\",\"content\":\"so\"}," USER(
			     "and now?"));
	finds(NULL);
	assert_false(parked_is_answered_by(&job.prompt));
	says(USER("q"));
	finds(NULL);
	assert_false(parked_is_answered_by(&job.prompt));
}

static void
words_beside_them_are_no_results(void **state)
{
	json_t *beside;

	says(USER("q") "," CALLS(CALL("call_c")) "," RESULT(
		"call_c", "x") "," USER("and be quick"));
	finds(&two);
	beside = prompt_beside_results(&job.prompt);
	assert_int_equal(json_array_size(beside), 1);
	json_decref(beside);
}

static void
one_that_goes_on_waits_no_more(void **state)
{
	two.turn = &other;
	says(USER("q") "," CALLS(CALL("call_c")) "," RESULT("call_c", "x"));
	finds(NULL);
	two.turn = NULL;
	two.state = CONVERSATION_LEAVING;
	finds(NULL);
}

static void
results_are_given_once(void **state)
{
	two.turn = &other;
	two.state = CONVERSATION_BUSY;
	others_job.given = two.calls;
	two.calls = NULL;
	list_append(&worker.running, &turn.node);
	list_append(&worker.running, &other.node);
	says(USER("q") "," CALLS(CALL("call_c")) "," RESULT("call_c", "x"));
	is_refused(ERR_ALREADY_RUN, "call_c");

	/* The turn that has brought them may have to begin again. */
	job.given = json_incref(others_job.given);
	list_remove(&worker.running, &other.node);
	finds(NULL);
	json_decref(job.given);
	job.given = NULL;
}

static void
where_it_goes_on_is_kept(void **state)
{
	job.on.session.id = copy(STR("s"));
	job.on.session.cli_id = copy(STR("before"));
	job.on.at.position = copy(STR("place"));
	job.on.is_known = true;
	for (int i = 0; i < 2; i++)
		parked_keep(&job, &two);
	assert_string_equal(two.parked->session.cli_id, "in the CLI");
	assert_string_equal(two.parked->session.id, "s");
	assert_string_equal(two.parked->at.position, "place");
	assert_true(two.parked->is_known);
	continuation_fini(&job.on);
	parked_forget(&two);
	assert_null(two.parked);
	parked_forget(&two);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		TEST(results_are_found_by_their_ids),
		TEST(results_alone_are_enough),
		TEST(all_of_a_message_are_needed),
		TEST(those_of_two_conversations_are_not_mixed),
		TEST(a_session_has_its_own),
		TEST(what_nobody_waits_for_is_refused_alone),
		TEST(only_results_behind_the_last_answer_count),
		TEST(words_beside_them_are_no_results),
		TEST(one_that_goes_on_waits_no_more),
		TEST(results_are_given_once),
		TEST(where_it_goes_on_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
