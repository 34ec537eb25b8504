/*
 * What workers/factory makes of what droid says: data/factory/<name>.jsonl is
 * what was said, <name>.heard is what must be heard of it, if a turn begins
 * whenever it can.
 */

#include "tests/unit/harness_kit.h"

#include <stdio.h>

#include "workers/factory/factory.h"

static struct factory state;
static struct conversation *place;
static struct instance agent = { .executor = (struct executor *)&host_executor,
				 .name = "factory",
				 .loads = LOADS_EVERYTHING,
				 .own = &place };
static struct conversation talk;
static json_t *messages;

static void
begin(struct conversation with, const char *home)
{
	struct words argv = { 0 }, env = { 0 };

	if (talk.own)
		factory.clear(&talk);
	notes_clear();
	talk = with;
	talk.instance = &agent;
	talk.executor = (struct executor *)&host_executor;
	talk.own = &state;
	talk.kept = true;
	talk.cli_id = "11111111-1111-4111-8111-111111111111";
	talk.cwd = "/project";
	talk.permission_mode =
		talk.permission_mode ? talk.permission_mode : "high";
	talk.messages = messages;
	words_print(&env, "HOME=%s", home ? home : "/nonexistent");
	must(factory.command(&talk, &argv, &env, &e));
	words_fini(&argv);
	words_fini(&env);
	factory.handshake(&talk);
}

static void
set_up_messages(const char *text)
{
	json_decref(messages);
	messages = user_says(text);
}

static bool
hear_line(struct str line)
{
	size_t before = notes.heard.len;
	struct error e = { 0 };

	if (!factory.line(&talk, line, &e))
		return false;
	if (can_speak(before))
		factory.say(&talk);
	return true;
}

static void
begin_recorded(const char *name)
{
	bool low = !strcmp(name, "permission-rejected");

	begin((struct conversation){ .resumed = !strncmp(name, "resume", 6),
				     .permission_mode = low ? "low" : NULL },
	      NULL);
}

static const struct harness_kit kit = { .folder = "factory",
					.begin = begin_recorded,
					.hear = hear_line };

static void
what_it_says_is_heard(void **state_)
{
	static const char *const names[] = {
		"plain-turn",
		"multi-turn",
		"multibyte",
		"thinking",
		"tool-use",
		"retry-after-tool",
		"cut",
		"cut-before",
		"interrupt",
		"400",
		"400-context",
		"401",
		"402",
		"404",
		"429",
		"500",
		"permission-rejected",
		"resume",
		"resume-unknown",
		"not-logged-in",
		NULL,
	};

	replay_all(&kit, names);
}

static void
where_its_output_is_cut_makes_no_difference(void **state_)
{
	replay_every_cut(&kit, "multibyte");
}

/* What it finishes with it must have been told by the CLI. */
static void
hear_mutant(struct str said)
{
	static const char ending[] = "\nfinish stop";
	struct str line, rest = said;

	begin((struct conversation){ 0 }, NULL);
	while (rest.len) {
		line = str_cut(rest, '\n', &rest);
		if (!hear_line(line))
			return;
	}
	if (memmem(buf_str(&notes.heard).ptr, notes.heard.len, ending,
		   sizeof ending - 1))
		assert_non_null(memmem(said.ptr, said.len,
				       "\"reason\":\"completed\"", 20));
}

static void
another_version_of_it_is_no_worse(void **state_)
{
	static const char *const names[] = {
		"plain-turn",	       "tool-use",	 "cut", "401",
		"permission-rejected", "resume-unknown", NULL
	};

	replay_mutants(&kit, names, hear_mutant);
}

static const char opened[] =
	"{\"id\":\"1\",\"result\":{\"settings\":{\"modelId\":\"custom:a\"},"
	"\"availableModels\":["
	"{\"id\":\"custom:a\",\"isCustom\":true,\"noImageSupport\":true},"
	"{\"id\":\"custom:b\",\"isCustom\":true,\"noImageSupport\":false},"
	"{\"id\":\"hosted\",\"isCustom\":false}]}}";

static void
what_is_not_known_is_counted_and_passed_over(void **state_)
{
	begin((struct conversation){ 0 }, NULL);
	assert_true(hear_line(STR("(bun) a warning")));
	assert_true(hear_line(STR("{\"method\":\"droid.song\"}")));
	assert_true(hear_line(
		STR("{\"method\":\"droid.session_notification\",\"params\":"
		    "{\"notification\":{\"type\":\"song\"}}}")));
	assert_true(hear_line(STR("{\"id\":\"q\",\"method\":\"droid.sing\"}")));
	must_have_heard("unknown line that is no JSON object\n"
			"unknown method droid.song\n"
			"unknown event song\n"
			"unknown method droid.sing\n");
	must_have_written("\"id\":\"q\",\"error\":{\"code\":-32601");
}

static void
a_line_that_is_damaged_is_not_passed_over(void **state_)
{
	begin((struct conversation){ 0 }, NULL);
	must_fail(ERR_HARNESS,
		  "factory: it wrote a line that is not valid JSON",
		  factory.line(&talk, STR("{\"method\":\"\\ud83d\"}"), &e));
}

static void
the_users_text_is_inert(void **state_)
{
	set_up_messages("/review @secret.txt");
	begin((struct conversation){ 0 }, NULL);
	assert_true(hear_line(str_of(opened)));
	must_have_written("\"text\":\"\",\"content\":[{\"type\":\"text\","
			  "\"text\":\"/review @secret.txt\"}]");
	must_not_have_written("\"text\":\"/review @secret.txt\",\"content\"");
}

static void
nothing_of_the_callers_is_in_an_argument(void **state_)
{
	struct words argv = { 0 }, env = { 0 };

	begin((struct conversation){ 0 }, NULL);
	talk.system = talk.model = "SECRET";
	talk.system_len = 6;
	factory.clear(&talk);
	must(factory.command(&talk, &argv, &env, &e));
	for (size_t i = 0; i < argv.len; i++)
		assert_null(strstr(argv.ptr[i], "SECRET"));
	words_fini(&argv);
	words_fini(&env);
}

static void
its_messages_are_dressed(void **state_)
{
	begin((struct conversation){ 0 }, NULL);
	must_have_written("{\"id\":\"1\",");
	must_have_written("\"jsonrpc\":\"2.0\",\"factoryApiVersion\":\"1.0.0\","
			  "\"type\":\"request\"}\n");
}

static void
a_system_prompt_goes_where_its_own_is(void **state_)
{
	begin((struct conversation){ .system = "be\0kind", .system_len = 7 },
	      NULL);
	must_have_written("\"systemPrompt\":{\"type\":\"preset\",\"preset\":"
			  "\"droid\",\"append\":\"be\\u0000kind\"}");
}

/* It can't be changed any more: then it is told in words. */
static void
another_system_prompt_is_told_when_it_resumes(void **state_)
{
	static const char answer[] =
		"{\"id\":\"1\",\"result\":{\"settings\":{\"modelId\":\"a\","
		"\"systemPrompt\":{\"append\":\"be kind\"}},\"availableModels\""
		":[{\"id\":\"a\",\"isCustom\":true}]}}";

	begin((struct conversation){ .resumed = true,
				     .system = "be kind",
				     .system_len = 7 },
	      NULL);
	assert_true(hear_line(str_of(answer)));
	must_not_have_written("be kind");
	begin((struct conversation){ .resumed = true,
				     .system = "be rude",
				     .system_len = 7 },
	      NULL);
	assert_true(hear_line(str_of(answer)));
	must_have_written("be rude");
}

static void
a_history_is_told_message_by_message(void **state_)
{
	json_t *history = json_loads(
		"[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
		"\"one\"}]},{\"role\":\"assistant\",\"content\":[]},{\"role\":"
		"\"assistant\",\"content\":[{\"type\":\"text\",\"text\":"
		"\"two\"}]}]",
		0, NULL);

	begin((struct conversation){ .history = history }, NULL);
	assert_true(hear_line(str_of(opened)));
	must_have_written("\"content\":[{\"type\":\"text\",\"text\":\"one\"}],"
			  "\"role\":\"user\",\"skipAgentLoop\":true");
	must_have_written("\"content\":[{\"type\":\"text\",\"text\":\"two\"}],"
			  "\"role\":\"assistant\",\"skipAgentLoop\":true");
	assert_true(hear_line(STR("{\"id\":\"2\",\"result\":{}}")));
	assert_null(
		memmem(buf_str(&notes.heard).ptr, notes.heard.len, "ready", 5));
	assert_true(hear_line(STR("{\"id\":\"3\",\"result\":{}}")));
	must_have_heard("ready\n");
	json_decref(history);
}

static void
one_with_tools_is_told_in_words(void **state_)
{
	json_t *history = json_loads(
		"[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
		"\"one\"}]},{\"role\":\"assistant\",\"content\":[{\"type\":"
		"\"tool_call\",\"id\":\"c\",\"name\":\"weather\","
		"\"arguments\":\"{}\"}]}]",
		0, NULL);

	set_up_messages("and now?");
	begin((struct conversation){ .history = history }, NULL);
	assert_true(hear_line(str_of(opened)));
	must_have_heard("ready\n");
	must_not_have_written("skipAgentLoop");
	must_have_written("weather");
	must_have_written("and now?");
	json_decref(history);
}

static void
only_models_that_it_can_ask_are_told(void **state_)
{
	begin((struct conversation){ 0 }, NULL);
	assert_true(hear_line(str_of(opened)));
	must_have_heard("models 3\nready\n");
}

static void
a_model_that_it_does_not_have_is_refused(void **state_)
{
	begin((struct conversation){ .model = "custom:none" }, NULL);
	assert_true(hear_line(str_of(opened)));
	must_have_heard("fail NO_MODEL factory: there is no model custom:none");
}

static void
a_model_is_told_before_the_message(void **state_)
{
	set_up_messages("hello");
	begin((struct conversation){ .model = "custom:b" }, NULL);
	assert_true(hear_line(str_of(opened)));
	must_have_written("\"params\":{\"modelId\":\"custom:b\"}");
	must_not_have_written("hello");
	assert_true(hear_line(STR("{\"id\":\"2\",\"result\":{}}")));
	must_have_written("hello");
}

static void
an_image_is_shown_to_who_can_see(void **state_)
{
	json_t *image = json_loads("{\"type\":\"image\",\"media_type\":"
				   "\"image/png\",\"data\":\"AAAA\"}",
				   0, NULL);

	set_up_messages("look");
	json_array_append_new(
		json_object_get(json_array_get(messages, 0), "content"), image);
	begin((struct conversation){ 0 }, NULL);
	assert_true(hear_line(str_of(opened)));
	must_have_heard("fail UNSUPPORTED factory: custom:a can't see images");
	begin((struct conversation){ .model = "custom:b" }, NULL);
	assert_true(hear_line(str_of(opened)));
	assert_true(hear_line(STR("{\"id\":\"2\",\"result\":{}}")));
	must_have_written("\"source\":{\"type\":\"base64\",\"mediaType\":"
			  "\"image/png\",\"data\":\"AAAA\"}");
	set_up_messages("hello");
}

/* Its format has documents beside a message, and not in it. */
static void
a_document_is_attached_to_its_message(void **state_)
{
	json_t *file = json_loads("{\"type\":\"file\",\"media_type\":"
				  "\"application/pdf\",\"data\":\"AAAA\","
				  "\"name\":\"p.pdf\"}",
				  0, NULL);

	set_up_messages("read");
	json_array_append_new(
		json_object_get(json_array_get(messages, 0), "content"), file);
	begin((struct conversation){ 0 }, NULL);
	assert_true(hear_line(str_of(opened)));
	must_have_written("\"content\":[{\"type\":\"text\",\"text\":\"read\"},"
			  "{\"type\":\"text\",\"text\":\"<file name=\\\"p.pdf"
			  "\\\">\\nIt is attached to this message.\\n</file>\"}"
			  "],\"files\":[{\"type\":\"base64\",\"mediaType\":"
			  "\"application/pdf\",\"data\":\"AAAA\",\"name\":"
			  "\"p.pdf\"}]");
	set_up_messages("hello");
}

static void
only_the_most_permissive_mode_permits(void **state_)
{
	static const char question[] =
		"{\"id\":\"q\",\"method\":\"droid.request_permission\"}";

	begin((struct conversation){ 0 }, NULL);
	must_have_written("\"autonomyLevel\":\"high\","
			  "\"autoRejectPermissionRequests\":false");
	assert_true(hear_line(str_of(question)));
	must_have_written("\"selectedOption\":\"proceed_once\"");
	begin((struct conversation){ .permission_mode = "medium" }, NULL);
	must_have_written("\"autonomyLevel\":\"medium\","
			  "\"autoRejectPermissionRequests\":true");
	assert_true(hear_line(str_of(question)));
	must_have_written("\"selectedOption\":\"cancel\"");
}

/* It has a life of its own: background work of an earlier turn, sub-agents. */
static void
turns_that_are_not_ours_are_not_heard(void **state_)
{
	begin((struct conversation){ 0 }, NULL);
	assert_true(hear_line(str_of(opened)));
	assert_true(hear_line(
		STR("{\"method\":\"droid.session_notification\",\"params\":"
		    "{\"notification\":{\"type\":\"agent_turn_completed\","
		    "\"turnId\":\"another\",\"reason\":\"completed\"}}}")));
	assert_true(hear_line(
		STR("{\"method\":\"droid.session_notification\",\"params\":"
		    "{\"sessionId\":\"another\",\"notification\":{\"type\":"
		    "\"assistant_text_delta\",\"textDelta\":\"no\"}}}")));
	assert_int_equal(notes.heard.len, strlen("models 3\nready\n"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_says_is_heard),
		cmocka_unit_test(where_its_output_is_cut_makes_no_difference),
		cmocka_unit_test(another_version_of_it_is_no_worse),
		cmocka_unit_test(what_is_not_known_is_counted_and_passed_over),
		cmocka_unit_test(a_line_that_is_damaged_is_not_passed_over),
		cmocka_unit_test(the_users_text_is_inert),
		cmocka_unit_test(nothing_of_the_callers_is_in_an_argument),
		cmocka_unit_test(its_messages_are_dressed),
		cmocka_unit_test(a_system_prompt_goes_where_its_own_is),
		cmocka_unit_test(another_system_prompt_is_told_when_it_resumes),
		cmocka_unit_test(a_history_is_told_message_by_message),
		cmocka_unit_test(one_with_tools_is_told_in_words),
		cmocka_unit_test(only_models_that_it_can_ask_are_told),
		cmocka_unit_test(a_model_that_it_does_not_have_is_refused),
		cmocka_unit_test(a_model_is_told_before_the_message),
		cmocka_unit_test(an_image_is_shown_to_who_can_see),
		cmocka_unit_test(a_document_is_attached_to_its_message),
		cmocka_unit_test(only_the_most_permissive_mode_permits),
		cmocka_unit_test(turns_that_are_not_ours_are_not_heard),
	};
	int failed;

	set_up_messages("hello");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	factory.clear(&talk);
	notes_clear();
	json_decref(messages);
	return failed;
}
