/*
 * What workers/pi/tools.c promises of the caller's tools: which tools pi is
 * given, when its calls end the response, and how it is told the results.
 */

#include "tests/unit/harness_kit.h"

#include <stdio.h>
#include <unistd.h>

#include "workers/executor/host.h"
#include "workers/pi/pi.h"

#define ID "11111111-1111-4111-8111-111111111111"

static struct pi state;
static char scratch[] = "/tmp/test-pi-tools-XXXXXX";
static struct instance agent = { .name = "pi", .loads = LOADS_EVERYTHING };
static struct conversation talk;
static json_t *messages, *tools;

/* Each in <>. */
static char arguments[4096];

static void
begin(struct conversation with)
{
	struct words argv = { 0 }, env = { 0 };

	if (talk.own)
		pi.clear(&talk);
	notes_clear();
	talk = with;
	talk.instance = &agent;
	talk.own = &state;
	talk.kept = true;
	talk.cli_id = ID;
	talk.cwd = "/project";
	talk.scratch = scratch;
	talk.executor = (struct executor *)&host_executor;
	talk.permission_mode =
		talk.permission_mode ? talk.permission_mode : "all-tools";
	talk.messages = messages;
	must(pi.command(&talk, &argv, &env, &e));
	arguments[0] = '\0';
	for (size_t n, i = 0; i < argv.len; i++) {
		n = strlen(arguments);
		snprintf(arguments + n, sizeof arguments - n, "<%s>",
			 argv.ptr[i]);
	}
	words_fini(&argv);
	pi.handshake(&talk);
}

static void
hears(const char *line)
{
	must(pi.line(&talk, str_of(line), &e));
}

#define OPEN(more)                                                             \
	do {                                                                   \
		hears("{\"id\":\"get_state\",\"type\":\"response\","           \
		      "\"success\":true,\"data\":{\"model\":{\"provider\":"    \
		      "\"p\",\"id\":\"a\"},\"sessionId\":\"" ID                \
		      "\",\"messageCount\":0,\"thinkingLevel\":\"medium\"}}"); \
		more;                                                          \
		hears("{\"id\":\"get_available_models\",\"type\":"             \
		      "\"response\",\"success\":true,\"data\":{\"models\":["   \
		      "{\"provider\":\"p\",\"id\":\"a\",\"reasoning\":true,"   \
		      "\"input\":[\"text\"]}]}}");                             \
	} while (0)

static void
tells_state(const char *text)
{
	auto_free char *line = copy_format(
		"{\"type\":\"extension_ui_request\",\"id\":\"s\",\"method\":"
		"\"setStatus\",\"statusKey\":\"client_tools\",\"statusText\":"
		"\"%s\"}",
		text);

	hears(line);
}

/* Up to the first turn, which is said. */
static void
opens(void)
{
	begin((struct conversation){ .options.tools = tools });
	tells_state("ready");
	OPEN((void)0);
	pi.say(&talk);
	notes_clear();
}

static void
starts(const char *id, const char *name)
{
	auto_free char *line = copy_format(
		"{\"type\":\"tool_execution_start\",\"toolCallId\":\"%s\","
		"\"toolName\":\"%s\",\"args\":{\"of\":\"%s\"}}",
		id, name, id);

	hears(line);
}

/* pi's own id of the question is the call's with a "q". */
static void
asks(const char *id)
{
	auto_free char *line = copy_format(
		"{\"type\":\"extension_ui_request\",\"id\":\"q%s\",\"method\":"
		"\"input\",\"title\":\"client_tool\",\"placeholder\":\"%s\"}",
		id, id);

	hears(line);
}

static void
ends(const char *id, const char *name)
{
	auto_free char *line = copy_format(
		"{\"type\":\"tool_execution_end\",\"toolCallId\":\"%s\","
		"\"toolName\":\"%s\",\"result\":{\"content\":[]},\"isError\":"
		"true}",
		id, name);

	hears(line);
}

static void
says_model_done(void)
{
	hears("{\"type\":\"message_end\",\"message\":{\"role\":\"assistant\","
	      "\"model\":\"a\",\"stopReason\":\"toolUse\",\"usage\":{"
	      "\"input\":5,\"output\":2}}}");
}

static bool
has_parked(void)
{
	return was_heard("park ");
}

/* Its tools */

static void
it_has_the_callers_alone_or_beside_its_own(void **state_)
{
	begin((struct conversation){ .options.tools = tools });
	assert_non_null(strstr(arguments, "<--tools><weather,a_dot_"));
	assert_non_null(strstr(arguments, "<--extension>"));
	begin((struct conversation){
		.options = { .tools = tools, .keeps_own_tools = true } });
	assert_null(strstr(arguments, "<--tools>"));
	assert_non_null(strstr(arguments, "<--extension>"));
	begin((struct conversation){
		.permission_mode = "read-only",
		.options = { .tools = tools, .keeps_own_tools = true } });
	assert_non_null(
		strstr(arguments, "<--tools><read,grep,find,ls,weather,"));
	begin((struct conversation){
		.permission_mode = "no-tools",
		.options = { .tools = tools, .keeps_own_tools = true } });
	assert_non_null(strstr(arguments, "<--tools><weather,"));
	assert_null(strstr(arguments, "<--no-tools>"));
}

static void
it_has_none_if_it_may_call_none(void **state_)
{
	json_t *none = json_array();

	begin((struct conversation){ .options.tools = none });
	assert_non_null(strstr(arguments, "<--no-tools>"));
	assert_null(strstr(arguments, "<--extension>"));
	OPEN((void)0);
	must_have_heard("ready\n");
	json_decref(none);
}

/* As text of JavaScript, which has to be right whatever is in it. */
static void
their_file_has_them_until_they_are_loaded(void **state_)
{
	static char text[1 << 14];
	auto_free char *path = copy_format("%s/" ID ".mjs", scratch);
	FILE *f;

	begin((struct conversation){ .options.tools = tools });
	f = fopen(path, "r");
	assert_non_null(f);
	text[fread(text, 1, sizeof text - 1, f)] = '\0';
	fclose(f);
	assert_non_null(strstr(text, "\"description\":\"It's \\\"so\\\".\""));
	assert_non_null(strstr(text, "\"parameters\":{\"type\":\"object\""));
	tells_state("ready");
	OPEN((void)0);
	assert_int_equal(access(path, F_OK), -1);
}

static void
without_them_no_turn_begins(void **state_)
{
	begin((struct conversation){ .options.tools = tools });
	OPEN((void)0);
	must_have_heard("fail HARNESS pi: it has not loaded the caller's "
			"tools\n");
	begin((struct conversation){ .options.tools = tools });
	OPEN(tells_state("weather"));
	must_have_heard("fail CONFLICT tools: an extension of pi's has a tool "
			"of the same name: weather\n");
}

static void
a_conflict_at_its_start_is_no_crash(void **state_)
{
	struct error e = { 0 };

	begin((struct conversation){ .options.tools = tools });
	pi.ended(&talk, 1 << 8, STR("Tool \"weather\" conflicts with x"), &e);
	assert_int_equal(e.code, ERR_CONFLICT);
	e = (struct error){ 0 };
	pi.ended(&talk, 1 << 8, STR("Segmentation fault"), &e);
	assert_int_equal(e.code, ERR_NONE);
}

/* Calls */

static void
the_calls_end_the_response_once_all_have_asked(void **state_)
{
	opens();
	says_model_done();
	starts("a", "weather");
	starts("b", "weather");
	asks("a");
	assert_false(has_parked());
	asks("b");
	must_have_heard("park [{\"arguments\":\"{\\\"of\\\":\\\"a\\\"}\","
			"\"cli\":\"a\",\"name\":\"weather\"");
	must_have_heard("\"cli\":\"b\"");
	must_have_heard("finish tool_calls");
	assert_false(was_heard("tool {"));
	assert_int_equal(notes.written.len, 0);
}

static void
the_names_of_its_caller_come_back(void **state_)
{
	auto_free char *name = NULL;

	begin((struct conversation){ .options.tools = tools });
	name = copy(str_of(strstr(arguments, "a_dot_")));
	*strchr(name, '>') = '\0';
	tells_state("ready");
	OPEN((void)0);
	pi.say(&talk);
	starts("a", name);
	asks("a");
	must_have_heard("\"name\":\"a.dot\"");
}

static void
its_own_tools_are_told_and_not_waited_for(void **state_)
{
	opens();
	starts("own", "bash");
	starts("a", "weather");
	asks("a");
	must_have_heard("tool {");
	must_have_heard("park [{\"arguments\":\"{\\\"of\\\":\\\"a\\\"}\"");
	assert_null(memmem(notes.heard.ptr, notes.heard.len, "\"cli\":\"own\"",
			   11));
}

/* Its arguments were not as the schema has them. */
static void
a_call_that_ends_unasked_is_not_waited_for(void **state_)
{
	opens();
	starts("a", "weather");
	ends("a", "weather");
	starts("b", "weather");
	asks("b");
	must_have_heard("park [{\"arguments\":\"{\\\"of\\\":\\\"b\\\"}\"");
	opens();
	starts("a", "weather");
	starts("b", "weather");
	asks("b");
	assert_false(has_parked());
	ends("a", "weather");
	assert_true(has_parked());
	opens();
	starts("a", "weather");
	ends("a", "weather");
	assert_false(has_parked());
}

static void
a_turn_that_was_stopped_ends_with_no_call(void **state_)
{
	opens();
	starts("a", "weather");
	pi.interrupt(&talk);
	must_have_written("\"abort\"");
	asks("a");
	ends("a", "weather");
	assert_false(has_parked());
	hears("{\"type\":\"agent_settled\"}");
	must_have_heard("fail ");
}

static void
a_question_of_another_extension_is_none_of_theirs(void **state_)
{
	opens();
	starts("a", "weather");
	hears("{\"type\":\"extension_ui_request\",\"id\":\"x\",\"method\":"
	      "\"input\",\"title\":\"client_tool\",\"placeholder\":\"other\"}");
	must_have_written("\"id\":\"x\",\"cancelled\":true");
	assert_false(has_parked());
}

/* Results */

static void
parks(void)
{
	opens();
	starts("a", "weather");
	starts("b", "weather");
	asks("a");
	asks("b");
	assert_true(has_parked());
	notes_clear();
}

static void
answers(json_t *beside)
{
	json_t *results = json_loads(
		"[{\"id\":\"a\",\"content\":[{\"type\":\"text\",\"text\":"
		"\"sun\"}]},{\"id\":\"b\",\"is_error\":true,\"content\":[{"
		"\"type\":\"image\",\"media_type\":\"image/png\",\"data\":"
		"\"AAAA\"}]}]",
		0, NULL);

	talk.results = results;
	talk.messages = beside;
	talk.from = 0;
	pi.answer(&talk);
	talk.results = NULL;
	json_decref(results);
}

static void
must_have_answered(void)
{
	must_have_written("{\"type\":\"extension_ui_response\",\"id\":\"qa\","
			  "\"value\":\"{\\\"content\\\":[{\\\"type\\\":"
			  "\\\"text\\\",\\\"text\\\":\\\"sun\\\"}],"
			  "\\\"is_error\\\":false}\"}");
	must_have_written("\"id\":\"qb\",\"value\":\"{\\\"content\\\":[{"
			  "\\\"type\\\":\\\"image\\\",\\\"data\\\":"
			  "\\\"AAAA\\\",\\\"mimeType\\\":\\\"image/png\\\"}],"
			  "\\\"is_error\\\":true}\"}");
}

static void
settles(void)
{
	ends("a", "weather");
	ends("b", "weather");
	hears("{\"type\":\"message_end\",\"message\":{\"role\":\"assistant\","
	      "\"stopReason\":\"stop\",\"usage\":{\"input\":7,\"output\":1}}}");
	hears("{\"type\":\"agent_settled\"}");
}

/* An answer of no words is one, as the tools have spoken. */
static void
the_results_are_told_and_the_turn_goes_on(void **state_)
{
	parks();
	answers(NULL);
	must_have_answered();
	settles();
	must_have_heard("finish stop");
	assert_false(was_heard("fail"));
}

static void
what_the_user_says_beside_them_is_told_before(void **state_)
{
	json_t *beside = user_says("and quick");

	parks();
	answers(beside);
	must_have_written("\"steer\"");
	must_have_written("and quick");
	must_not_have_written("extension_ui_response");
	hears("{\"id\":\"steer\",\"type\":\"response\",\"success\":true}");
	must_have_answered();
	json_decref(beside);
}

static void
another_model_is_told_before(void **state_)
{
	parks();
	talk.model = "p/b";
	answers(NULL);
	must_have_written("\"modelId\":\"b\"");
	must_not_have_written("extension_ui_response");
	hears("{\"id\":\"set_model\",\"type\":\"response\",\"success\":true}");
	must_have_answered();
}

static void
without_that_model_the_conversation_ends(void **state_)
{
	parks();
	talk.model = "p/b";
	answers(NULL);
	hears("{\"id\":\"set_model\",\"type\":\"response\",\"success\":false,"
	      "\"error\":\"Model not found: p/b\"}");
	must_have_heard("abort NO_MODEL pi: Model not found: p/b\n");
	must_not_have_written("extension_ui_response");
}

static void
another_effort_is_told_before_and_set_back(void **state_)
{
	parks();
	talk.options.effort = EFFORT_HIGH;
	answers(NULL);
	must_have_written("\"level\":\"high\"");
	must_have_answered();
	notes_clear();
	settles();
	must_have_written("\"level\":\"medium\"");
}

static void
one_that_is_stopped_before_they_are_told_is_told_none(void **state_)
{
	json_t *beside = user_says("and quick");

	parks();
	answers(beside);
	pi.interrupt(&talk);
	must_have_written("\"abort\"");
	hears("{\"id\":\"steer\",\"type\":\"response\",\"success\":true}");
	must_not_have_written("extension_ui_response");
	json_decref(beside);
}

static void
they_may_lead_to_further_calls(void **state_)
{
	parks();
	answers(NULL);
	ends("a", "weather");
	ends("b", "weather");
	starts("c", "weather");
	asks("c");
	must_have_heard("\"cli\":\"c\"");
	assert_null(
		memmem(notes.heard.ptr, notes.heard.len, "\"cli\":\"a\"", 9));
}

int
main(void)
{
	const struct CMUnitTest all[] = {
		cmocka_unit_test(it_has_the_callers_alone_or_beside_its_own),
		cmocka_unit_test(it_has_none_if_it_may_call_none),
		cmocka_unit_test(their_file_has_them_until_they_are_loaded),
		cmocka_unit_test(without_them_no_turn_begins),
		cmocka_unit_test(a_conflict_at_its_start_is_no_crash),
		cmocka_unit_test(
			the_calls_end_the_response_once_all_have_asked),
		cmocka_unit_test(the_names_of_its_caller_come_back),
		cmocka_unit_test(its_own_tools_are_told_and_not_waited_for),
		cmocka_unit_test(a_call_that_ends_unasked_is_not_waited_for),
		cmocka_unit_test(a_turn_that_was_stopped_ends_with_no_call),
		cmocka_unit_test(
			a_question_of_another_extension_is_none_of_theirs),
		cmocka_unit_test(the_results_are_told_and_the_turn_goes_on),
		cmocka_unit_test(what_the_user_says_beside_them_is_told_before),
		cmocka_unit_test(another_model_is_told_before),
		cmocka_unit_test(without_that_model_the_conversation_ends),
		cmocka_unit_test(another_effort_is_told_before_and_set_back),
		cmocka_unit_test(
			one_that_is_stopped_before_they_are_told_is_told_none),
		cmocka_unit_test(they_may_lead_to_further_calls),
	};
	int failed;

	if (!mkdtemp(scratch))
		return 1;
	messages = user_says("hello");
	tools = json_loads("[{\"name\":\"weather\",\"description\":\"It's "
			   "\\\"so\\\".\",\"parameters\":{\"type\":\"object\","
			   "\"properties\":{}}},{\"name\":\"a.dot\","
			   "\"description\":\"\",\"parameters\":{\"type\":"
			   "\"object\",\"properties\":{}}}]",
			   0, NULL);
	failed = cmocka_run_group_tests(all, NULL, NULL);
	pi.clear(&talk);
	notes_clear();
	json_decref(messages);
	json_decref(tools);
	return failed || rmdir(scratch);
}
