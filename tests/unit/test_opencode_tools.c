/*
 * What workers/opencode/{tools,calls}.c promise of the caller's tools: when
 * calls are announced and end the response, and how a history tells of them.
 */

#include "tests/unit/http_notes.h"
#include "tests/unit/opencode_world.h"

#include "workers/options/tools.h"

#define KEY "abc123"
#define LOOK "br_" KEY "_client_look" /* as opencode has it */

static char some_client_tools; /* only whether there are some is looked at */

static void
hears(const char *type, const char *more)
{
	auto_free char *event =
		copy_format("{\"payload\":{\"type\":\"%s\",\"properties\":{"
			    "\"sessionID\":\"ses_1\"%s}}}",
			    type, more);

	hear_event(str_of(event));
}

static void
hears_message(const char *id, const char *role)
{
	auto_free char *more = copy_format(
		",\"info\":{\"id\":\"%s\",\"role\":\"%s\"}", id, role);

	hears("message.updated", more);
}

/* A session with tools of the caller's, in the middle of a turn. */
static void
asks(void)
{
	open_session("ses_1");
	memcpy(state.key, KEY, sizeof KEY);
	talk.client_tools = (struct client_tools *)&some_client_tools;
	say("hi");
	assert_true(http_notes_answer(204, STR("")));
	hears_message(state.prompt, "user");
	hears_message("msg_1", "assistant");
	notes_clear();
}

static void
hears_part(const char *part)
{
	auto_free char *more = copy_format(",\"part\":{\"sessionID\":\"ses_1\","
					   "\"messageID\":\"msg_1\",%s}",
					   part);

	hears("message.part.updated", more);
}

/* `state` is what follows the status. */
static void
hears_call(const char *id, const char *tool, const char *status)
{
	auto_free char *part =
		copy_format("\"id\":\"prt_%s\",\"type\":\"tool\",\"callID\":"
			    "\"%s\",\"tool\":\"%s\",\"state\":{\"status\":"
			    "\"%s\",\"input\":{\"at\":1}}",
			    id, id, tool, status);

	hears_part(part);
}

static void
hears_end_of_text(void)
{
	hears_part("\"id\":\"prt_text\",\"type\":\"text\",\"text\":\"I "
		   "look\",\"time\":{\"start\":1,\"end\":2}");
}

static void
parks(void)
{
	hears_call("c1", LOOK, "running");
	harness()->park(&talk, json_pack("[{s:s}]", "id", "c1"));
	notes_clear();
}

/* Calls */

static void
a_call_is_announced_and_then_has_its_arguments(void **state_)
{
	asks();
	hears_call("c1", LOOK, "pending");
	must_have_heard_only("announce c1 look ?\n");
	notes_clear();
	hears_call("c1", LOOK, "running");
	must_have_heard_only("announce c1 look {\"at\":1}\n");
}

static void
a_tool_of_its_own_or_of_another_server_is_none_of_the_callers(void **state_)
{
	asks();
	hears_call("c1", "bash", "running");
	assert_false(was_heard("announce"));
	assert_true(was_heard("bash"));
	notes_clear();
	hears_call("c2", "br_" KEY "_other_look", "running");
	hears_call("c3", "br_zzz999_client_look", "running");
	assert_false(was_heard("announce"));
}

static void
without_tools_of_the_callers_there_is_no_call_of_them(void **state_)
{
	asks();
	talk.client_tools = NULL;
	hears_call("c1", LOOK, "running");
	assert_false(was_heard("announce"));
}

static void
a_call_that_opencode_answers_by_itself_is_withdrawn(void **state_)
{
	asks();
	hears_call("c1", LOOK, "pending");
	notes_clear();
	hears_call("c1", LOOK, "error");
	must_have_heard_only("withdraw c1\n");
}

/* It becomes another tool's, which has the name in its input. */
static void
a_call_that_is_invalid_is_withdrawn(void **state_)
{
	asks();
	hears_call("c1", LOOK, "pending");
	notes_clear();
	hears_part("\"id\":\"prt_c1\",\"type\":\"tool\",\"callID\":\"c1\","
		   "\"tool\":\"invalid\",\"state\":{\"status\":\"running\","
		   "\"input\":{\"tool\":\"" LOOK "\",\"error\":\"no\"}}");
	must_have_heard_only("withdraw c1\n");
}

static void
a_text_that_ends_behind_a_call_says_that_no_other_comes(void **state_)
{
	asks();
	hears_end_of_text();
	assert_false(was_heard("complete"));
	hears_call("c1", LOOK, "running");
	notes_clear();
	hears_end_of_text();
	assert_true(was_heard("complete"));
}

/* The response */

static void
what_is_said_meanwhile_is_heard_behind_the_results(void **state_)
{
	asks();
	parks();
	hears_call("c2", "bash", "completed");
	must_have_heard_only("");
	harness()->answer(&talk);
	assert_true(was_heard("answer"));
	assert_true(was_heard("bash"));
	assert_false(state.is_parked);
}

static void
a_turn_that_ends_meanwhile_has_failed(void **state_)
{
	asks();
	parks();
	hears("session.idle", "");
	must_have_heard_only("fail HARNESS opencode: its turn ended while it "
			     "waited for results\n");
}

static void
its_usage_is_told_with_the_calls_and_counted_once(void **state_)
{
	asks();
	state.usage.input = amount_of(7);
	hears_call("c1", LOOK, "running");
	harness()->park(&talk, json_pack("[{s:s}]", "id", "c1"));
	assert_true(was_heard("park [{\"id\":\"c1\"}]"));
	assert_false(state.usage.input.is_known);
}

/* A history */

static const char history[] =
	"[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]}"
	","
	"{\"role\":\"assistant\",\"content\":["
	"{\"type\":\"tool_call\",\"id\":\"c1\",\"name\":\"look\",\"arguments\":"
	"\"{}\"},"
	"{\"type\":\"tool_call\",\"id\":\"c2\",\"name\":\"gone\",\"arguments\":"
	"\"{}\"},"
	"{\"type\":\"tool_call\",\"id\":\"c3\",\"name\":\"look\",\"arguments\":"
	"\"{}\"}]},"
	"{\"role\":\"user\",\"content\":["
	"{\"type\":\"tool_result\",\"id\":\"c1\",\"content\":["
	"{\"type\":\"text\",\"text\":\"one\"},{\"type\":\"text\",\"text\":"
	"\"two\"},{\"type\":\"image\",\"media_type\":\"image/png\",\"data\":"
	"\"aGk=\"}]},"
	"{\"type\":\"tool_result\",\"id\":\"c2\",\"is_error\":true,\"content\":"
	"[{\"type\":\"text\",\"text\":\"no such thing\"}]}]}]";

static json_t *
part_of_call(size_t i)
{
	const json_t *content =
		json_object_get(json_array_get(state.history, 1), "content");

	return calls_part(&talk, 1, json_array_get(content, i), "msg_1", 5);
}

static void
knows_history(void)
{
	asks();
	state.history = json_loads(history, 0, NULL);
	assert_non_null(state.history);
	talk.options.tools = json_pack("[{s:s}]", "name", "look");
}

static void
forgets_history(void)
{
	json_decref(talk.options.tools);
	talk.options.tools = NULL;
}

static void
a_call_is_told_with_its_result(void **state_)
{
	json_t *part, *its, *files;

	knows_history();
	part = part_of_call(0);
	its = json_object_get(part, "state");
	files = json_object_get(its, "attachments");
	assert_string_equal(json_text(part, "tool"), LOOK);
	assert_string_equal(json_text(part, "callID"), "c1");
	assert_string_equal(json_text(its, "status"), "completed");
	assert_string_equal(json_text(its, "output"), "one\n\ntwo");
	assert_int_equal(json_array_size(files), 1);
	assert_string_equal(json_text(json_array_get(files, 0), "url"),
			    "data:image/png;base64,aGk=");
	assert_string_equal(json_text(json_array_get(files, 0), "messageID"),
			    "msg_1");
	json_decref(part);
	forgets_history();
}

static void
a_tool_that_is_not_offered_any_more_keeps_its_name(void **state_)
{
	json_t *part, *its;

	knows_history();
	part = part_of_call(1);
	its = json_object_get(part, "state");
	assert_string_equal(json_text(part, "tool"), "gone");
	assert_string_equal(json_text(its, "status"), "error");
	assert_string_equal(json_text(its, "error"), "no such thing");
	json_decref(part);
	forgets_history();
}

static void
a_call_without_a_result_is_one_that_failed(void **state_)
{
	json_t *part, *its;

	knows_history();
	part = part_of_call(2);
	its = json_object_get(part, "state");
	assert_string_equal(json_text(its, "status"), "error");
	assert_string_equal(json_text(its, "error"), "it has no result");
	json_decref(part);
	forgets_history();
}

static bool
can_tell(const char *part)
{
	json_t *told = json_loads(part, 0, NULL);
	bool can = calls_can_tell(&talk, told);

	assert_non_null(told);
	json_decref(told);
	return can;
}

static void
what_cannot_be_in_a_result_is_not_told_so(void **state_)
{
	asks();
	assert_true(can_tell("{\"type\":\"tool_call\"}"));
	assert_true(can_tell("{\"type\":\"tool_result\",\"content\":[{"
			     "\"type\":\"text\"},{\"type\":\"image\","
			     "\"data\":\"aGk=\"}]}"));
	assert_false(can_tell("{\"type\":\"tool_result\",\"content\":[{"
			      "\"type\":\"image\",\"url\":\"http://x\"}]}"));
	assert_false(can_tell("{\"type\":\"audio\"}"));
	talk.client_tools = NULL;
	assert_false(can_tell("{\"type\":\"tool_call\"}"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test(a_call_is_announced_and_then_has_its_arguments),
		test(a_tool_of_its_own_or_of_another_server_is_none_of_the_callers),
		test(without_tools_of_the_callers_there_is_no_call_of_them),
		test(a_call_that_opencode_answers_by_itself_is_withdrawn),
		test(a_call_that_is_invalid_is_withdrawn),
		test(a_text_that_ends_behind_a_call_says_that_no_other_comes),
		test(what_is_said_meanwhile_is_heard_behind_the_results),
		test(a_turn_that_ends_meanwhile_has_failed),
		test(its_usage_is_told_with_the_calls_and_counted_once),
		test(a_call_is_told_with_its_result),
		test(a_tool_that_is_not_offered_any_more_keeps_its_name),
		test(a_call_without_a_result_is_one_that_failed),
		test(what_cannot_be_in_a_result_is_not_told_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
