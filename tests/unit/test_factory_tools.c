/*
 * What workers/factory/tools.c promises of the caller's tools: which calls are
 * theirs, and what is heard between a call and its result.
 */

#include "tests/unit/harness_kit.h"

#include "workers/factory/factory.h"
#include "workers/options/tools.h"

#define LOOK "digit-hub___look" /* as droid has it */

static struct factory state;
static struct conversation *place;
static struct instance agent = { .executor = (struct executor *)&host_executor,
				 .name = "factory",
				 .loads = LOADS_EVERYTHING,
				 .own = &place };
static struct conversation talk;
static char some_client_tools; /* only whether there are some is looked at */

/* A conversation with tools of the caller's, in the middle of a turn. */
static int
begins(void **state_)
{
	notes_clear();
	talk = (struct conversation){
		.instance = &agent,
		.executor = (struct executor *)&host_executor,
		.own = &state,
		.client_tools = (struct client_tools *)&some_client_tools,
	};
	state = (struct factory){ .conversation = &talk, .turn = "message" };
	return 0;
}

static int
ends(void **state_)
{
	json_decref(state.client_calls);
	json_decref(state.kept);
	return 0;
}

static void
hears(const char *notification)
{
	json_t *n = json_loads(notification, 0, NULL);

	assert_non_null(n);
	factory_hear(&state, n);
	json_decref(n);
}

static void
hears_call(const char *id, const char *name)
{
	auto_free char *line = copy_format(
		"{\"type\":\"create_message\",\"message\":{\"role\":"
		"\"assistant\",\"modelId\":\"m\",\"content\":[{\"type\":"
		"\"tool_use\",\"id\":\"%s\",\"name\":\"%s\",\"input\":{"
		"\"at\":1}}]}}",
		id, name);

	hears(line);
}

static void
hears_result(const char *id)
{
	auto_free char *line =
		copy_format("{\"type\":\"tool_result\",\"toolUseId\":\"%s\","
			    "\"content\":\"so\",\"isError\":true}",
			    id);

	hears(line);
}

static void
parks(void)
{
	hears_call("c1", LOOK);
	notes_clear();
	factory_park(&talk, json_pack("[{s:s}]", "id", "c1"));
	assert_true(was_heard("park [{\"id\":\"c1\"}]"));
	notes_clear();
}

static void
a_call_of_the_callers_is_announced_with_its_arguments(void **state_)
{
	hears_call("c1", LOOK);
	must_have_heard_only("announce c1 look {\"at\":1}\n");
}

static void
other_tools_are_its_own(void **state_)
{
	hears_call("c1", "Execute");
	hears_call("c2", "digit-hub__look");
	hears_call("c3", "other___look");
	assert_false(was_heard("announce"));
	notes_clear();
	talk.client_tools = NULL;
	hears_call("c4", LOOK);
	assert_false(was_heard("announce"));
}

static void
a_call_that_droid_answers_by_itself_is_withdrawn(void **state_)
{
	hears_call("c1", LOOK);
	notes_clear();
	hears_result("c1");
	must_have_heard_only("withdraw c1\n");
}

static void
the_result_of_another_tool_is_told(void **state_)
{
	hears_call("c1", "Execute");
	notes_clear();
	hears_result("c1");
	assert_false(was_heard("withdraw"));
	assert_true(was_heard("so"));
}

static void
what_is_said_meanwhile_is_heard_behind_the_results(void **state_)
{
	parks();
	hears("{\"type\":\"assistant_text_delta\",\"textDelta\":\"later\"}");
	must_have_heard_only("");
	factory_answer(&talk);
	must_have_heard_only("answer\ntext later");
	assert_false(state.is_parked);
	assert_null(state.kept);
}

static void
a_turn_that_ends_meanwhile_has_failed(void **state_)
{
	parks();
	hears("{\"type\":\"agent_turn_completed\",\"reason\":\"completed\"}");
	must_have_heard_only("fail HARNESS factory: its turn ended while it "
			     "waited for results\n");
}

#define tools_test(name) cmocka_unit_test_setup_teardown(name, begins, ends)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		tools_test(
			a_call_of_the_callers_is_announced_with_its_arguments),
		tools_test(other_tools_are_its_own),
		tools_test(a_call_that_droid_answers_by_itself_is_withdrawn),
		tools_test(the_result_of_another_tool_is_told),
		tools_test(what_is_said_meanwhile_is_heard_behind_the_results),
		tools_test(a_turn_that_ends_meanwhile_has_failed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
