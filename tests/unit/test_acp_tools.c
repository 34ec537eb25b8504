/*
 * What workers/acp/tools.c promises of the caller's tools: by which sign of
 * each agent's a call is theirs, and what is told of it.
 */

#include "tests/unit/acp_replay.h"

#include "workers/options/tools.h"

static char some_client_tools; /* only whether there are some is looked at */

static void
opens(const char *name)
{
	greet_agent(name, false);
	talk.client_tools = (struct client_tools *)&some_client_tools;
	notes_clear();
}

static bool
hears(const char *update)
{
	json_t *its = json_loads(update, 0, NULL);
	bool is_clients;

	assert_non_null(its);
	is_clients = acp_hear_client_call(&talk, its);
	json_decref(its);
	return is_clients;
}

static void
is_announced(const char *update, const char *as)
{
	notes_clear();
	assert_true(hears(update));
	must_have_heard_only(as);
}

static void
each_agent_has_a_sign_of_its_own(void **state_)
{
	opens("gemini");
	is_announced("{\"toolCallId\":\"mcp_client_look\",\"rawInput\":{\"a\":"
		     "1}}",
		     "announce mcp_client_look look {\"a\":1}\n");
	opens("kimi");
	is_announced("{\"toolCallId\":\"c1\",\"title\":\"mcp__client__look\"}",
		     "announce c1 look ?\n");
	opens("qwen");
	is_announced("{\"toolCallId\":\"c1\",\"_meta\":{\"toolName\":"
		     "\"mcp__client__look\"},\"rawInput\":{}}",
		     "announce c1 look ?\n");
	opens("copilot");
	is_announced("{\"sessionUpdate\":\"tool_call\",\"toolCallId\":\"c1\","
		     "\"kind\":\"other\",\"title\":\"client-look\"}",
		     "announce c1 look ?\n");
}

/* A title may be words of the model's. */
static void
what_is_no_sign_of_that_agent_is_its_own_affair(void **state_)
{
	opens("gemini");
	assert_false(hears("{\"toolCallId\":\"c1\",\"title\":"
			   "\"mcp_client_look\"}"));
	opens("kimi");
	assert_false(hears("{\"toolCallId\":\"c1\",\"title\":\"echo "
			   "mcp__client__look\"}"));
	assert_false(hears("{\"toolCallId\":\"c2\",\"title\":"
			   "\"mcp__other__look\"}"));
	assert_false(hears("{\"title\":\"mcp__client__look\"}"));
	opens("copilot");
	assert_false(hears("{\"sessionUpdate\":\"tool_call\",\"toolCallId\":"
			   "\"c1\",\"kind\":\"execute\",\"title\":"
			   "\"client-look\"}"));
	must_have_heard_only("");
}

static void
without_tools_of_the_callers_there_is_no_call_of_them(void **state_)
{
	opens("kimi");
	talk.client_tools = NULL;
	assert_false(hears("{\"toolCallId\":\"c1\",\"title\":"
			   "\"mcp__client__look\"}"));
}

static void
later_updates_need_not_name_the_tool(void **state_)
{
	opens("kimi");
	assert_true(hears("{\"toolCallId\":\"c1\",\"title\":"
			  "\"mcp__client__look\"}"));
	is_announced("{\"toolCallId\":\"c1\",\"title\":\"looking\","
		     "\"rawInput\":{\"a\":1}}",
		     "announce c1 look {\"a\":1}\n");
	assert_false(hears("{\"toolCallId\":\"c2\",\"rawInput\":{\"a\":1}}"));
}

static void
a_call_that_the_agent_ends_by_itself_is_withdrawn(void **state_)
{
	opens("kimi");
	assert_true(hears("{\"toolCallId\":\"c1\",\"title\":"
			  "\"mcp__client__look\"}"));
	is_announced("{\"toolCallId\":\"c1\",\"status\":\"failed\"}",
		     "withdraw c1\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_agent_has_a_sign_of_its_own),
		cmocka_unit_test(
			what_is_no_sign_of_that_agent_is_its_own_affair),
		cmocka_unit_test(
			without_tools_of_the_callers_there_is_no_call_of_them),
		cmocka_unit_test(later_updates_need_not_name_the_tool),
		cmocka_unit_test(
			a_call_that_the_agent_ends_by_itself_is_withdrawn),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	talk.client_tools = NULL;
	forget();
	return failed;
}
