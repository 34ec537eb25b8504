/*
 * What workers/pi makes of what pi says: data/pi/<name>.jsonl is what was
 * said, <name>.heard is what must be heard of it, if a turn begins whenever it
 * can.
 */

#include "tests/unit/harness_kit.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "workers/pi/pi.h"
#include "workers/executor/host.h"

static struct pi state;
static char scratch[] = "/tmp/test-pi-XXXXXX";
static struct instance agent = { .name = "pi", .loads = LOADS_EVERYTHING };
static struct conversation talk;
static json_t *messages;

/* Each in <>. */
static char arguments[4096];

static void
begin(struct conversation with)
{
	struct words argv = { 0 }, env = { 0 };
	bool kept = !with.turns; /* says whether it is to be kept here */

	if (talk.own)
		pi.clear(&talk);
	notes_clear();
	talk = with;
	talk.instance = &agent;
	talk.own = &state;
	talk.kept = kept;
	talk.cli_id = "11111111-1111-4111-8111-111111111111";
	talk.cwd = "/project";
	talk.scratch = scratch;
	talk.executor = (struct executor *)&host_executor;
	talk.permission_mode =
		talk.permission_mode ? talk.permission_mode : "all-tools";
	talk.messages = messages;
	words_print(&env, "HOME=%s", scratch);
	must(pi.command(&talk, &argv, &env, &e));
	arguments[0] = '\0';
	for (size_t n, i = 0; i < argv.len; i++) {
		n = strlen(arguments);
		snprintf(arguments + n, sizeof arguments - n, "<%s>",
			 argv.ptr[i]);
	}
	words_fini(&argv);
	words_fini(&env);
	pi.handshake(&talk);
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

	if (!pi.line(&talk, line, &e))
		return false;
	if (can_speak(before))
		pi.say(&talk);
	return true;
}

static void
begin_recorded(const char *name)
{
	begin((struct conversation){ .resumed = !strncmp(name, "resume", 6) });
}

static const struct harness_kit kit = { .folder = "pi",
					.begin = begin_recorded,
					.hear = hear_line };

static void
what_it_says_is_heard(void **state_)
{
	static const char *const names[] = {
		"plain-turn",	 "multi-turn",
		"multibyte",	 "thinking",
		"tool-use",	 "retry-after-tool",
		"cut",		 "cut-before",
		"interrupt",	 "400",
		"400-context",	 "401",
		"402",		 "404",
		"429",		 "500",
		"429-quota",	 "length",
		"resume",	 "resume-unknown",
		"not-logged-in", NULL,
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
	static const char ending[] = "\nfinish";
	struct str line, rest = said;

	begin((struct conversation){ 0 });
	while (rest.len) {
		line = str_cut(rest, '\n', &rest);
		if (!hear_line(line))
			return;
	}
	if (memmem(buf_str(&notes.heard).ptr, notes.heard.len, ending,
		   sizeof ending - 1))
		assert_non_null(memmem(said.ptr, said.len,
				       "\"type\":\"agent_settled\"", 22));
}

static void
another_version_of_it_is_no_worse(void **state_)
{
	static const char *const names[] = { "plain-turn", "tool-use",
					     "cut",	   "401",
					     "500",	   "resume-unknown",
					     NULL };

	replay_mutants(&kit, names, hear_mutant);
}

static const char state_line[] =
	"{\"id\":\"get_state\",\"type\":\"response\",\"success\":true,\"data\":"
	"{\"model\":{\"provider\":\"p\",\"id\":\"org/a\"},\"sessionId\":"
	"\"11111111-1111-4111-8111-111111111111\",\"messageCount\":2}}";
static const char models_line[] =
	"{\"id\":\"get_available_models\",\"type\":\"response\",\"success\":"
	"true,\"data\":{\"models\":[{\"provider\":\"p\",\"id\":\"org/a\","
	"\"input\":[\"text\"]},{\"provider\":\"q\",\"id\":\"b\",\"input\":["
	"\"text\",\"image\"]}]}}";

/* Up to its first turn. */
static void
open_it(struct conversation with)
{
	begin(with);
	assert_true(hear_line(str_of(state_line)));
	assert_true(hear_line(str_of(models_line)));
}

static void
what_is_not_known_is_counted_and_passed_over(void **state_)
{
	begin((struct conversation){ 0 });
	assert_true(hear_line(STR("(node) a warning")));
	assert_true(hear_line(STR("{\"type\":\"song\"}")));
	assert_true(hear_line(STR("{\"type\":7}")));
	assert_true(hear_line(STR("{\"type\":\"response\",\"id\":\"song\"}")));
	must_have_heard("unknown line that is no JSON\n"
			"unknown event song\n"
			"unknown event without type\n"
			"unknown response song\n");
}

static void
a_line_that_is_damaged_is_not_passed_over(void **state_)
{
	must_fail(ERR_HARNESS, "pi: it wrote a line that is not valid JSON",
		  pi_line(&talk, STR("{\"type\":\"\\ud83d\"}"), &e));
}

static void
the_users_text_is_inert(void **state_)
{
	set_up_messages("/skill:x");
	open_it((struct conversation){ 0 });
	must_have_written("\"message\":\" /skill:x\"");
	set_up_messages("not /skill:x");
	open_it((struct conversation){ 0 });
	must_have_written("\"message\":\"not /skill:x\"");
	set_up_messages("hello");
}

static void
nothing_of_the_callers_is_in_an_argument(void **state_)
{
	begin((struct conversation){
		.system = "SECRET", .system_len = 6, .model = "SECRET" });
	assert_null(strstr(arguments, "SECRET"));
}

static void
has_left(const char *what, bool there)
{
	auto_free char *path = copy_format(
		"%s/11111111-1111-4111-8111-111111111111%s", scratch, what);

	assert_int_equal(access(path, F_OK) == 0, there);
}

static void
a_system_prompt_is_in_a_file_until_it_is_read(void **state_)
{
	begin((struct conversation){ .system = "be kind", .system_len = 7 });
	assert_non_null(strstr(arguments, "<--append-system-prompt>"));
	has_left(".system.jsonl", true);
	assert_true(hear_line(str_of(state_line)));
	assert_true(hear_line(str_of(models_line)));
	has_left(".system.jsonl", false);
}

/* As of a process that was started ahead. */
static void
one_that_comes_later_is_read_again(void **state_)
{
	static const char answer[] =
		"{\"id\":\"new_session\",\"type\":\"response\",\"success\":"
		"true}";
	static const char other[] =
		"{\"id\":\"get_state\",\"type\":\"response\",\"success\":true,"
		"\"data\":{\"sessionId\":\"other\"}}";

	begin((struct conversation){ 0 });
	notes_clear();
	talk.system = "be kind";
	talk.system_len = 7;
	pi.handshake(&talk);
	must_have_written("\"type\":\"new_session\"");
	must_not_have_written("get_state");
	assert_true(hear_line(str_of(answer)));
	must_have_written("\"type\":\"get_state\"");
	assert_true(hear_line(str_of(other)));
	must_have_heard("name other\n");
}

static void
a_session_has_the_id_that_it_is_given(void **state_)
{
	begin((struct conversation){ 0 });
	assert_non_null(strstr(arguments, "<--session-id><11111111-"));
	begin((struct conversation){ .resumed = true });
	assert_non_null(strstr(arguments, "<--session-id><11111111-"));
	begin((struct conversation){ .turns = 1 });
	assert_non_null(strstr(arguments, "<--no-session>"));
	assert_null(strstr(arguments, "<--session-id>"));
}

static void
a_past_is_a_session_to_go_on_from(void **state_)
{
	static char text[1 << 16];
	json_t *history = json_loads(
		"[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
		"\"one\"}]},{\"role\":\"assistant\",\"content\":[{\"type\":"
		"\"tool_call\",\"id\":\"c\",\"name\":\"weather\",\"arguments\":"
		"\"{\\\"at\\\":1}\"}]},{\"role\":\"user\",\"content\":[{"
		"\"type\":\"tool_result\",\"id\":\"c\",\"name\":\"weather\","
		"\"arguments\":\"{}\",\"content\":[{\"type\":\"text\","
		"\"text\":\"sun\\u0000AFTER\\u2028NUL\"},{\"type\":\"image\","
		"\"media_type\":\"image/png\",\"data\":\"AAAA\"}]}]}]",
		JSON_ALLOW_NUL, NULL);
	auto_free char *path = copy_format(
		"%s/11111111-1111-4111-8111-111111111111.jsonl", scratch);
	FILE *f;

	begin((struct conversation){ .history = history });
	assert_non_null(strstr(arguments, "<--fork>"));
	assert_non_null(strstr(arguments, "<--session-id>"));
	f = fopen(path, "r");
	assert_non_null(f);
	text[fread(text, 1, sizeof text - 1, f)] = '\0';
	fclose(f);
	assert_non_null(strstr(text, "\"parentId\":null"));
	assert_non_null(strstr(text, "\"type\":\"toolCall\",\"id\":\"c\","
				     "\"name\":\"weather\",\"arguments\":"
				     "{\"at\":1}"));
	assert_non_null(strstr(text,
			       "\"role\":\"toolResult\",\"toolCallId\":"
			       "\"c\",\"toolName\":\"weather\",\"content\":"
			       "[{\"type\":\"text\",\"text\":"
			       "\"sun\\u0000AFTER\\u2028NUL\"},{\"type\":"
			       "\"image\",\"data\":\"AAAA\""));
	assert_true(hear_line(str_of(state_line)));
	assert_true(hear_line(str_of(models_line)));
	has_left(".jsonl", false);

	/* not kept: it writes to the file as long as it lives */
	begin((struct conversation){ .history = history, .turns = 1 });
	assert_null(strstr(arguments, "<--fork>"));
	assert_non_null(strstr(arguments, "<--session>"));
	assert_true(hear_line(str_of(state_line)));
	assert_true(hear_line(str_of(models_line)));
	has_left(".jsonl", true);
	pi.clear(&talk);
	has_left(".jsonl", false);
	json_decref(history);
}

static void
a_model_is_told_before_the_message(void **state_)
{
	static const char done[] =
		"{\"id\":\"set_model\",\"type\":\"response\",\"success\":true}";

	open_it((struct conversation){ .model = "q/b" });
	must_have_written("{\"provider\":\"q\",\"modelId\":\"b\"");
	must_not_have_written("hello");
	assert_true(hear_line(str_of(done)));
	must_have_written("hello");
	open_it((struct conversation){ .model = "c" });
	must_have_written("{\"provider\":\"p\",\"modelId\":\"c\"");
	open_it((struct conversation){ .model = "q/org/b" });
	must_have_written("{\"provider\":\"q\",\"modelId\":\"org/b\"");
	open_it((struct conversation){ .model = NULL });
	must_not_have_written("set_model");
	must_have_written("hello");
}

static void
a_model_that_it_refuses_leaves_it_with_none_that_we_know(void **state_)
{
	static const char refused[] =
		"{\"id\":\"set_model\",\"type\":\"response\",\"success\":false,"
		"\"error\":\"Model not found: q/c\"}";

	open_it((struct conversation){ .model = "q/c" });
	talk.model = NULL;
	assert_true(hear_line(str_of(refused)));
	must_have_heard("fail NO_MODEL pi: Model not found: q/c\n");
	must_have_written("{\"provider\":\"p\",\"modelId\":\"org/a\"");
}

static void
of_two_models_the_last_counts(void **state_)
{
	static const char done[] =
		"{\"id\":\"set_model\",\"type\":\"response\",\"success\":true}";
	struct error e = { 0 };

	open_it((struct conversation){ .model = "q/b" });
	pi.interrupt(&talk);
	must_have_heard("fail CANCELLED cancelled\n");
	talk.model = "q/c";
	pi.say(&talk);
	assert_true(pi_line(&talk, str_of(done), &e));
	must_not_have_written("hello");
	assert_true(pi_line(&talk, str_of(done), &e));
	must_have_written("hello");
}

static void
a_model_that_a_cancelled_turn_has_asked_for_is_taken_back(void **state_)
{
	open_it((struct conversation){ .model = "q/b" });
	pi.interrupt(&talk);
	talk.model = NULL;
	pi.say(&talk);
	must_have_written("{\"provider\":\"p\",\"modelId\":\"org/a\"");
	must_not_have_written("hello");
}

static void
an_image_is_shown_to_who_can_see(void **state_)
{
	static const char done[] =
		"{\"id\":\"set_model\",\"type\":\"response\",\"success\":true}";
	json_t *image = json_loads("{\"type\":\"image\",\"media_type\":"
				   "\"image/png\",\"data\":\"AAAA\"}",
				   0, NULL);

	set_up_messages("look");
	json_array_append_new(
		json_object_get(json_array_get(messages, 0), "content"), image);
	open_it((struct conversation){ 0 });
	must_have_heard("fail UNSUPPORTED pi: p/org/a can't see images\n");
	open_it((struct conversation){ .model = "q/b" });
	assert_true(hear_line(str_of(done)));
	must_have_written("{\"type\":\"image\",\"data\":\"AAAA\","
			  "\"mimeType\":\"image/png\"}");
	set_up_messages("hello");
}

static void
what_it_loads_is_what_it_may(void **state_)
{
	auto_free char *path =
		copy_format("%s/.pi/agent/APPEND_SYSTEM.md", scratch);
	auto_free char *directory = copy_format("%s/.pi/agent", scratch);
	auto_free char *above = copy_format("%s/.pi", scratch);
	FILE *f;

	assert_int_equal(mkdir(above, 0700), 0);
	assert_int_equal(mkdir(directory, 0700), 0);
	f = fopen(path, "w");
	assert_non_null(f);
	fclose(f);
	begin((struct conversation){ 0 });
	assert_null(strstr(arguments, "<--no-context-files>"));
	assert_non_null(strstr(arguments, path));
	agent.loads = LOADS_NOTHING;
	begin((struct conversation){ 0 });
	assert_non_null(strstr(arguments, "<--no-context-files>"));
	assert_non_null(strstr(arguments, "<--system-prompt><>"));
	assert_null(strstr(arguments, path));
	agent.loads = LOADS_EVERYTHING;
	unlink(path);
	rmdir(directory);
	rmdir(above);
}

static void
what_it_may_not_do_it_has_no_tool_for(void **state_)
{
	begin((struct conversation){ 0 });
	assert_null(strstr(arguments, "tools"));
	begin((struct conversation){ .permission_mode = "read-only" });
	assert_non_null(strstr(arguments, "<--tools><read,grep,find,ls>"));
	begin((struct conversation){ .permission_mode = "no-tools" });
	assert_non_null(strstr(arguments, "<--no-tools>"));
}

static void
a_dialog_is_not_waited_for(void **state_)
{
	begin((struct conversation){ 0 });
	assert_true(hear_line(STR("{\"type\":\"extension_ui_request\",\"id\":"
				  "\"q\",\"method\":\"confirm\"}")));
	must_have_written("{\"type\":\"extension_ui_response\",\"id\":\"q\","
			  "\"cancelled\":true}");
	notes_clear();
	assert_true(hear_line(STR("{\"type\":\"extension_ui_request\",\"id\":"
				  "\"q\",\"method\":\"notify\"}")));
	assert_int_equal(notes.written.len, 0);
}

static void
a_prompt_that_it_refuses_fails_its_turn(void **state_)
{
	static const char refused[] =
		"{\"id\":\"prompt\",\"type\":\"response\",\"success\":false,"
		"\"error\":\"No API key found for q.\\n\\nUse /login\"}";

	open_it((struct conversation){ 0 });
	assert_true(hear_line(str_of(refused)));
	must_have_heard("fail LOGIN pi: No API key found for q.\n");
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
		cmocka_unit_test(a_system_prompt_is_in_a_file_until_it_is_read),
		cmocka_unit_test(one_that_comes_later_is_read_again),
		cmocka_unit_test(a_session_has_the_id_that_it_is_given),
		cmocka_unit_test(a_past_is_a_session_to_go_on_from),
		cmocka_unit_test(a_model_is_told_before_the_message),
		cmocka_unit_test(
			a_model_that_it_refuses_leaves_it_with_none_that_we_know),
		cmocka_unit_test(of_two_models_the_last_counts),
		cmocka_unit_test(
			a_model_that_a_cancelled_turn_has_asked_for_is_taken_back),
		cmocka_unit_test(an_image_is_shown_to_who_can_see),
		cmocka_unit_test(what_it_loads_is_what_it_may),
		cmocka_unit_test(what_it_may_not_do_it_has_no_tool_for),
		cmocka_unit_test(a_dialog_is_not_waited_for),
		cmocka_unit_test(a_prompt_that_it_refuses_fails_its_turn),
	};
	int failed;

	if (!mkdtemp(scratch))
		return 1;
	set_up_messages("hello");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	pi.clear(&talk);
	notes_clear();
	json_decref(messages);
	return failed || rmdir(scratch);
}
