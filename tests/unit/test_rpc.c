/* What workers/rpc promises: questions, answers and everything else. */
#include "unit.h"

#include "tests/unit/conversation_notes.h"
#include "workers/cli/rpc.h"

static struct rpc rpc;
static struct instance agent = { .name = "test" };
static char heard[512];

static void
told(struct instance *inst, const char *method, const json_t *params)
{
	snprintf(heard, sizeof heard, "told %s %s", method,
		 params ? "something" : "nothing");
}

static void
asked(struct instance *inst, const json_t *id, const char *method,
      const json_t *params)
{
	snprintf(heard, sizeof heard, "asked %s", method);
	if (strcmp(method, "may_i") == 0)
		rpc_answer(&rpc, id, json_pack("{s:b}", "yes", 1));
	else
		rpc_refuse(&rpc, id, -32601, "no such method");
}

static void
answered(void *whom, const json_t *result, const json_t *error)
{
	snprintf(heard, sizeof heard, "%s: %s", (const char *)whom,
		 result ? json_string_value(result)
			: json_string_value(json_object_get(error, "message")));
}

static int
setup(void **state)
{
	notes_clear();
	heard[0] = '\0';
	rpc = (struct rpc){ .told = told, .asked = asked };
	rpc_init(&rpc, &agent);
	return 0;
}

static int
teardown(void **state)
{
	rpc_fini(&rpc);
	notes_clear();
	return 0;
}

static void
hears(const char *line)
{
	rpc_line(&rpc, str_of(line));
}

static void
an_answer_finds_who_has_asked(void **state)
{
	static char ada[] = "ada", bob[] = "bob";

	rpc_ask(&rpc, "name", json_object(), answered, ada);
	rpc_ask(&rpc, "name", json_object(), answered, bob);
	assert_str(buf_str(&notes.written),
		   "{\"id\":1,\"method\":\"name\",\"params\":{},"
		   "\"jsonrpc\":\"2.0\"}\n"
		   "{\"id\":2,\"method\":\"name\",\"params\":{},"
		   "\"jsonrpc\":\"2.0\"}\n");
	hears("{\"id\":2,\"result\":\"B\"}");
	assert_string_equal(heard, "bob: B");
	hears("{\"id\":\"1\",\"error\":{\"message\":\"no\"},\"result\":null}");
	assert_string_equal(heard, "ada: no");
}

static void
what_is_asked_of_us_is_answered_under_its_own_id(void **state)
{
	hears("{\"id\":\"x-7\",\"method\":\"may_i\",\"params\":{}}");
	hears("{\"id\":0,\"method\":\"dance\"}");
	assert_str(buf_str(&notes.written),
		   "{\"id\":\"x-7\",\"result\":{\"yes\":true},"
		   "\"jsonrpc\":\"2.0\"}\n"
		   "{\"id\":0,\"error\":{\"code\":-32601,"
		   "\"message\":\"no such method\"},\"jsonrpc\":\"2.0\"}\n");
}

static void
what_is_told_is_heard(void **state)
{
	hears("{\"method\":\"news\",\"params\":{\"a\":1}}");
	assert_string_equal(heard, "told news something");
	hears("{\"method\":\"more\"}");
	assert_string_equal(heard, "told more nothing");
}

static void
who_is_forgotten_hears_nothing(void **state)
{
	static char ada[] = "ada";

	rpc_ask(&rpc, "name", json_object(), answered, ada);
	rpc_forget(&rpc, ada);
	hears("{\"id\":1,\"result\":\"late\"}");
	hears("{\"id\":99,\"result\":\"never asked\"}");
	assert_string_equal(heard, "");
}

static void
what_is_no_message_is_passed_over(void **state)
{
	hears("");
	hears("Loading...");
	hears("[1]");
	hears("{}");
	hears("{\"id\":null,\"error\":{\"code\":-32700}}");
	assert_string_equal(heard, "");
	assert_str(buf_str(&notes.heard),
		   "unknown line that is no JSON object\n"
		   "unknown line that is no JSON object\n"
		   "unknown message without method and id\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_answer_finds_who_has_asked,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_is_asked_of_us_is_answered_under_its_own_id, setup,
			teardown),
		cmocka_unit_test_setup_teardown(what_is_told_is_heard, setup,
						teardown),
		cmocka_unit_test_setup_teardown(who_is_forgotten_hears_nothing,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_is_no_message_is_passed_over, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
