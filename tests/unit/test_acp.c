/* What workers/acp makes of what an agent says: see acp_replay.h. */
#include "tests/unit/acp_replay.h"

#include <stdio.h>
#include <unistd.h>

static void
is_heard_of(const char *name)
{
	struct str said = read_file(name, "jsonl");

	assert_non_null(said.ptr);
	replay(name, said, said.len);
	must_be_heard_of("acp", name);
}

static const char *const transcripts[] = {
	"copilot-401",	    "copilot-404",	 "copilot-429",
	"copilot-500",	    "copilot-cancelled", "copilot-cut",
	"copilot-lost",	    "copilot-rejected",	 "copilot-resumed",
	"copilot-tool",	    "copilot-turns",	 "gemini-401",
	"gemini-404",	    "gemini-429",	 "gemini-500",
	"gemini-cancelled", "gemini-cut",	 "gemini-lost",
	"gemini-rejected",  "gemini-resumed",	 "gemini-tool",
	"gemini-turns",	    "kimi-401",		 "kimi-alone",
	"qwen-alone",	    "kimi-404",		 "kimi-429",
	"kimi-500",	    "kimi-cancelled",	 "kimi-cut",
	"kimi-lost",	    "kimi-no-model",	 "kimi-rejected",
	"kimi-resumed",	    "kimi-tool",	 "kimi-turns",
	"qwen-401",	    "qwen-404",		 "qwen-cancelled",
	"qwen-cut",	    "qwen-lost",	 "qwen-no-model",
	"qwen-rejected",    "qwen-resumed",	 "qwen-tool",
	"qwen-turns",
};

enum { TRANSCRIPTS = sizeof transcripts / sizeof *transcripts };

static void
what_it_says_is_heard(void **state_)
{
	for (size_t i = 0; i < TRANSCRIPTS; i++)
		is_heard_of(transcripts[i]);
	forget();
}

static void
where_its_output_is_cut_makes_no_difference(void **state_)
{
	struct str said = read_file("qwen-turns", "jsonl");
	struct str want = read_file("qwen-turns", "heard");

	for (size_t at = 0; at <= said.len; at++) {
		replay("qwen-turns", said, at);
		assert_true(str_eq(buf_str(&notes.heard), want));
	}
	forget();
}

/* Whole is only what it has called whole. */
static const char *mutant_of;

static void
hear_mutant(struct str said)
{
	replay(mutant_of, said, said.len);
	if (!was_heard("\nfinish stop"))
		return;
	assert_non_null(memmem(said.ptr, said.len, "\"end_turn\"", 10));
}

static void
another_version_of_it_is_no_worse(void **state_)
{
	static const char *const names[] = { "gemini-tool", "kimi-429",
					     "kimi-turns",  "qwen-tool",
					     "copilot-500", "copilot-tool" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		mutant_of = names[i];
		mutants_each(read_file(names[i], "jsonl"), hear_mutant);
	}
	forget();
}

static void
what_looks_like_a_command_is_text(void **state_)
{
	static const struct {
		const char *name, *said, *written;
	} all[] = {
		{ "gemini", " /help",
		  "[{\"type\":\"text\",\"text\":\"The user "
		  "says:\\n\"},{\"type\":\"text\",\"text\":"
		  "\" /help\"}]" },
		{ "gemini", "$help", "\"The user says:\\n\"" },
		{ "copilot", "\xef\xbb\xbf/compact", "\"The user says:\\n\"" },
		{ "kimi", "/clear",
		  "[{\"type\":\"text\",\"text\":\"\\n\"},{"
		  "\"type\":\"text\",\"text\":\"/clear\"}]" },
		{ "qwen", "a /clear",
		  "[{\"type\":\"text\",\"text\":\"a /clear"
		  "\"}]" },
	};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		open_session(all[i].name);
		say(all[i].said);
		must_have_written(all[i].written);
	}
	forget();
}

static void
a_command_behind_something_else_is_text(void **state_)
{
	json_t *messages = json_pack(
		"[{s:s, s:[{s:s, s:s, s:s}, {s:s, s:s}, {s:s, s:s}]}]", "role",
		"user", "content", "type", "image", "media_type", "image/png",
		"data", "AAAA", "type", "text", "text", " ", "type", "text",
		"text", "/clear");

	open_session("gemini");
	instance_own.sees_images = true;
	talk.messages = messages;
	talk.from = 0;
	harness()->say(&talk);
	talk.messages = NULL;
	json_decref(messages);
	must_have_written(
		"[{\"type\":\"text\",\"text\":\"The user says:\\n\"}");
	forget();
}

static void
says_a_file(void)
{
	json_t *messages = json_pack("[{s:s, s:[{s:s, s:s, s:s, s:s}]}]",
				     "role", "user", "content", "type", "file",
				     "media_type", "application/pdf", "data",
				     "AAAA", "name", "../a b.pdf");

	talk.messages = messages;
	talk.from = 0;
	harness()->say(&talk);
	talk.messages = NULL;
	json_decref(messages);
}

/* Its address is no path: some agents read files by them. */
static void
a_file_is_a_resource_for_who_takes_them(void **state_)
{
	open_session("gemini");
	instance_own.takes_files = true;
	says_a_file();
	must_have_written("{\"type\":\"resource\",\"resource\":{\"uri\":"
			  "\"attachment:..%2Fa%20b.pdf\",\"mimeType\":"
			  "\"application/pdf\",\"blob\":\"AAAA\"}}");
	forget();
	open_session("gemini");
	instance_own.takes_files = false;
	says_a_file();
	assert_true(was_heard("fail UNSUPPORTED test takes no files"));
	forget();
}

static void
a_model_that_a_cancelled_turn_has_asked_for_is_taken_back(void **state_)
{
	open_session("qwen");
	state.model = copy(STR("a"));
	talk.model = "b";
	say("hi");
	must_have_written("\"modelId\":\"b\"");
	harness()->interrupt(&talk);
	assert_true(was_heard("fail CANCELLED cancelled"));
	talk.model = "a";
	say("hi");
	must_have_written("\"modelId\":\"a\"");
	forget();
}

static void
what_was_said_before_goes_before(void **state_)
{
	json_t *history = message("I am Rex");

	greet_agent("qwen", false);
	instance_own.sees_images = true;
	talk.history = history;
	talk.system = "Be brief.";
	talk.system_len = 9;
	harness()->handshake(&talk);
	talk.history = NULL;
	json_decref(history);
	state.models = json_object();
	say("/who am I?");
	must_have_written(
		"\"prompt\":[{\"type\":\"text\",\"text\":\"<system>\\n"
		"Be brief.");
	must_have_written("<user>\\nI am Rex\\n</user>");
	must_have_written("{\"type\":\"text\",\"text\":\"/who am I?\"}]");
	talk.system = NULL;
	talk.system_len = 0;
	forget();
}

static json_t *
decide(bool is_restricted, const char *kinds)
{
	json_t *options = json_array(), *params, *decision;
	struct str rest = str_of(kinds), kind;

	greet_agent("copilot", is_restricted);
	while (str_word(&rest, &kind))
		json_array_append_new(options,
				      json_pack("{s:s%, s:s%}", "optionId",
						kind.ptr, kind.len, "kind",
						kind.ptr, kind.len));
	params = json_pack("{s:o}", "options", options);
	decision = acp_decide(&talk, params);
	json_decref(params);
	return decision;
}

static void
decides(bool is_restricted, const char *kinds, const char *want)
{
	json_t *decision = decide(is_restricted, kinds);
	const json_t *outcome = json_object_get(decision, "outcome");
	const char *option = json_text(outcome, "optionId");

	assert_string_equal(option ? option : json_text(outcome, "outcome"),
			    want);
	json_decref(decision);
	forget();
}

static void
nobody_waits_for_an_approval(void **state_)
{
	decides(false, "reject_once allow_always allow_once", "allow_once");
	decides(false, "reject_once allow_always", "allow_always");
	decides(false, "reject_once", "cancelled");
	decides(true, "allow_once reject_always reject_once", "reject_once");
	decides(true, "allow_once reject_always", "reject_always");
	decides(true, "allow_once", "cancelled");
	decides(false, "", "cancelled");
}

static void
an_agent_without_models_refuses_one(void **state_)
{
	open_session("copilot");
	state.choice = ACP_NO_CHOICE;
	talk.model = "other";
	say("hi");
	assert_true(was_heard("fail NO_MODEL test offers no choice of models"));
	forget();
}

/* Unless it is of what was said before. */
static void
a_line_that_is_damaged_is_not_passed_over(void **state_)
{
	struct str line = STR("{\"params\":{\"sessionId\":\"s\",\"update\":{"
			      "\"sessionUpdate\":"
			      "\"agent_message_chunk\",\"t\":\"\\ud83d\"}}}");

	open_session("qwen");
	must(harness()->instance_line(&agent, line, &e));
	assert_false(was_heard("abort"));
	say("hi");
	must(harness()->instance_line(&agent, line, &e));
	assert_true(was_heard(
		"abort HARNESS qwen: it wrote a line that is not valid JSON"));
	forget();
}

static void
a_second_tool_call_is_not_told_twice(void **state_)
{
	json_t *call = json_pack("{s:s, s:s, s:s, s:{s:s}}", "sessionUpdate",
				 "tool_call", "toolCallId", "1", "title", "ls",
				 "rawInput", "command", "ls");

	open_session("gemini");
	say("hi");
	notes_clear();
	acp_on_update(&talk, call);
	acp_on_update(&talk, call);
	assert_str(buf_str(&notes.heard),
		   "tool {\"id\":\"1\",\"name\":\"ls\",\"arguments\":"
		   "{\"command\":\"ls\"}}\n");
	json_decref(call);
	forget();
}

/* A pause before the second. */
static void
says(const char *first, const char *second)
{
	open_session("qwen");
	say("hi");
	notes_clear();
	acp_hear_text(&talk, str_of(first));
	state.heard_at -= 2000;
	acp_hear_text(&talk, str_of(second));
}

static void
a_turn_without_a_word_is_not_asked_again_by_itself(void **state_)
{
	json_t *result = json_pack("{s:s}", "stopReason", "end_turn");

	open_session("gemini");
	say("hi");
	notes_clear();
	acp_conclude(&talk, result);
	json_decref(result);
	assert_str(buf_str(&notes.heard),
		   "fail HARNESS test ended its turn without a word\n");
	forget();
}

static void
a_model_that_was_not_asked_for_want_of_room_is_no_cut_answer(void **state_)
{
	json_t *result =
		json_pack("{s:s, s:{s:{s:{s:i, s:i}}}}", "stopReason",
			  "max_tokens", "_meta", "quota", "token_count",
			  "input_tokens", 0, "output_tokens", 0);

	open_session("gemini");
	say("hi");
	notes_clear();
	acp_count_answer(talk.own, result);
	acp_conclude(&talk, result);
	json_decref(result);
	assert_true(was_heard("fail CONTEXT test did not ask its model"));
	forget();
}

static void
a_prompt_that_the_agent_would_not_take_is_not_sent(void **state_)
{
	auto_free char *text = xcalloc(1, (5u << 20) + 2);

	memset(text, 'x', (5u << 20) + 1);
	open_session("kimi");
	notes_clear();
	say(text);
	assert_true(was_heard("fail TOO_LARGE test takes prompts of 5242880"));
	assert_int_equal(notes.written.len, 0);
	text[5u << 20] = '\0';
	say(text);
	assert_true(notes.written.len > 5u << 20);
	forget();
}

static void
a_system_prompt_is_told_once(void **state_)
{
	greet_agent("kimi", false);
	instance_own.resumes = true;
	talk.resumed = talk.knows_system = true;
	talk.cli_id = "s";
	talk.system = "Be brief.";
	talk.system_len = 9;
	harness()->handshake(&talk);
	state.models = json_object();
	say("hello");
	must_have_written(
		"\"prompt\":[{\"type\":\"text\",\"text\":\"hello\"}]");
	talk.system = NULL;
	talk.system_len = 0;
	talk.knows_system = false;
	forget();
}

static void
the_default_model_is_said_only_after_another(void **state_)
{
	open_session("qwen");
	state.default_model = copy(STR("usual"));
	talk.model = NULL;
	say("hi");
	assert_int_equal(prompts_written(), 1);
	acp_forget_turn(&state);
	state.model = copy(STR("other"));
	say("hi");
	must_have_written("\"modelId\":\"usual\"");
	forget();
	open_session("copilot");
	state.choice = ACP_NO_CHOICE;
	say("hi");
	assert_int_equal(prompts_written(), 1);
	forget();
}

static void
which_ones_lose_a_session_elsewhere(void **state_)
{
	static const struct {
		const char *name;
		bool keeps;
	} all[] = { { "gemini", true },
		    { "qwen", true },
		    { "kimi", true },
		    { "copilot", false } };

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		agent.name = all[i].name;
		assert_int_equal(!(harness()->can & CAN_CWD), all[i].keeps);
	}
}

static void
what_is_said_twice_is_heard_once(void **state_)
{
	says("one two three", "one two ");
	assert_str(buf_str(&notes.heard), "text one two three");
	acp_hear_text(&talk, STR("three four"));
	assert_str(buf_str(&notes.heard), "text one two three");
	assert_int_equal(state.why.code, ERR_TRUNCATED);
	must_have_written("session/cancel");
	says("one two three", "one two ");
	acp_hear_text(&talk, STR("and so on"));
	assert_str(buf_str(&notes.heard),
		   "text one two threeone two and so on");
	says("no, no, no, ", "no, no, no, ");
	assert_str(buf_str(&notes.heard), "text no, no, no, no, no, no, ");
	forget();
}

static void
opens_as(const char *id, const char *alias)
{
	greet_agent("gemini", false);
	instance_own.loads = true;
	talk.resumed = true;
	talk.cli_id = id;
	harness()->handshake(&talk);
	assert_string_equal(talk.cli_id, alias);
	must_have_written(alias);
	forget();
}

static void
gemini_opens_a_session_under_another_name(void **state_)
{
	opens_as("12345678-9", " 12345678-9");
	opens_as("      12345678-9", "       12345678-9");
	opens_as("       12345678-9", " 12345678-9");
}

static void
the_operators_own_agent_is_a_line(void **state_)
{
	struct words argv = { 0 }, env = { 0 };

	forget();
	must_fail(ERR_NOT_SET_UP,
		  "BRIDGE_ACP_MINE must be a command, and is not set",
		  harness_of("mine", &e));
	setenv("BRIDGE_ACP_MINE", "  my-agent  --acp\t-v ", 1);
	setenv("BRIDGE_ACP_MINE_MODELS", "a, b", 1);
	agent.name = "mine";
	assert_string_equal(harness()->models[0], "default");
	assert_string_equal(harness()->models[1], "a");
	assert_string_equal(harness()->models[2], "b");
	assert_null(harness()->models[3]);
	assert_string_equal(harness()->permission_modes[0], "allow");
	must(harness()->instance_command(&agent, &argv, &env, &e));
	assert_int_equal(argv.len, 2);
	assert_string_equal(argv.ptr[0], "--acp");
	assert_string_equal(argv.ptr[1], "-v");
	words_fini(&argv);
	memset(&instance_own, 0, sizeof instance_own);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_says_is_heard),
		cmocka_unit_test(where_its_output_is_cut_makes_no_difference),
		cmocka_unit_test(another_version_of_it_is_no_worse),
		cmocka_unit_test(what_looks_like_a_command_is_text),
		cmocka_unit_test(a_command_behind_something_else_is_text),
		cmocka_unit_test(a_file_is_a_resource_for_who_takes_them),
		cmocka_unit_test(
			a_model_that_a_cancelled_turn_has_asked_for_is_taken_back),
		cmocka_unit_test(what_was_said_before_goes_before),
		cmocka_unit_test(nobody_waits_for_an_approval),
		cmocka_unit_test(an_agent_without_models_refuses_one),
		cmocka_unit_test(a_line_that_is_damaged_is_not_passed_over),
		cmocka_unit_test(a_second_tool_call_is_not_told_twice),
		cmocka_unit_test(
			a_turn_without_a_word_is_not_asked_again_by_itself),
		cmocka_unit_test(
			a_model_that_was_not_asked_for_want_of_room_is_no_cut_answer),
		cmocka_unit_test(
			a_prompt_that_the_agent_would_not_take_is_not_sent),
		cmocka_unit_test(a_system_prompt_is_told_once),
		cmocka_unit_test(the_default_model_is_said_only_after_another),
		cmocka_unit_test(which_ones_lose_a_session_elsewhere),
		cmocka_unit_test(what_is_said_twice_is_heard_once),
		cmocka_unit_test(gemini_opens_a_session_under_another_name),
		cmocka_unit_test(the_operators_own_agent_is_a_line),
	};
	struct error e = { 0 };
	int failed;

	int fd;

	if (!loop_init(&event_loop, &e))
		return 1;
	fd = mkstemp(growing);
	if (fd < 0)
		return 1;
	close(fd);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(growing);
	loop_fini(&event_loop);
	return failed;
}
