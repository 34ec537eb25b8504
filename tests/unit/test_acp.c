/*
 * What workers/acp makes of what an agent says: data/acp/<agent>-<name>.jsonl
 * is what was said, .heard is what must be heard of it, .wire the agent's own
 * records.  Whatever it answers was asked in the order in which a harness asks;
 * each turn says the same.
 *
 * Turns follow one another, unless a .jsonl says itself what happens when:
 * "# say" begins a turn, and "# wire 12" is the time at which the agent has
 * written so many lines of its records.
 */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/mutants.h"
#include "tests/unit/conversation_notes.h"
#include "workers/acp/acp.h"
#include "workers/io/lines.h"

static struct acp state;
static struct acp_agent instance_own;
static struct loop event_loop;
static struct instance agent = { .scratch = "/tmp",
				 .loop = &event_loop,
				 .own = &instance_own };
static struct conversation talk = { .instance = &agent,
				    .cwd = "/w",
				    .own = &state };

static const struct harness *
harness(void)
{
	static const struct harness *h;
	struct error e;

	h = harness_of(agent.name, &e);
	assert_non_null(h);
	return h;
}

static struct str
read_file(const char *name, const char *ending)
{
	static char files[3][1 << 20];
	static unsigned turn;
	char *buf = files[turn++ % 3], path[512];
	FILE *f;
	size_t n;

	snprintf(path, sizeof path, DATA "/acp/%s.%s", name, ending);
	f = fopen(path, "r");
	if (!f)
		return (struct str){ NULL, 0 };
	n = fread(buf, 1, sizeof files[0], f);
	fclose(f);
	return (struct str){ buf, n };
}

static void
forget(void)
{
	if (instance_own.kind) {
		harness()->clear(&talk);
		harness()->instance_clear(&agent);
	}
	memset(&instance_own, 0, sizeof instance_own);
	notes_clear();
}

static bool
was_noted(const char *words)
{
	struct str heard = buf_str(&notes.heard);

	return memmem(heard.ptr, heard.len, words, strlen(words));
}

static void
must_have_written(const char *words)
{
	if (!memmem(notes.written.ptr, notes.written.len, words, strlen(words)))
		fail_msg("%s in %.*s", words, (int)notes.written.len,
			 notes.written.ptr);
}

/* The agent is up, as `name` and with that mode, and is greeted. */
static void
greet_agent(const char *name, bool is_restricted)
{
	struct words argv = { 0 }, env = { 0 };

	forget();
	agent.name = name;
	agent.permission_mode = talk.permission_mode =
		harness()->permission_modes[is_restricted ? 1 : 0];
	talk.cli_id = "unknown";
	talk.resumed = false;
	talk.model = NULL;
	notes_talk = &talk;
	words_add(&env, "HOME=/nonexistent");
	must(harness()->instance_command(&agent, &argv, &env, &e));
	words_fini(&argv);
	words_fini(&env);
	harness()->instance_handshake(&agent);
}

static json_t *
message(const char *text)
{
	return json_pack("[{s:s, s:[{s:s, s:s}]}]", "role", "user", "content",
			 "type", "text", "text", text);
}

static void
say(const char *text)
{
	json_t *messages = message(text);

	talk.messages = messages;
	talk.from = 0;
	harness()->say(&talk);
	talk.messages = NULL;
	json_decref(messages);
}

/* How far its records have been read; and those, "": it has none. */
static int64_t reached;
static char wire[512];

static bool is_scripted;

/* What the engine would do when it hears that. */
static void
react(struct str note)
{
	if (str_is(note, "agent ready")) {
		harness()->handshake(&talk);
	} else if (is_scripted) {
		return;
	} else if (str_is(note, "ready") || str_starts(note, STR("finish ")) ||
		   str_starts(note, STR("fail "))) {
		say("hello");
		state.record.read = reached;
	}
}

/* The agent's records as they grow. */
static char growing[] = "/tmp/test_acp.wire.XXXXXX";

/* Whatever waits for them looks at once. */
static void
wire_reaches(const char *name, size_t count)
{
	struct str all = read_file(name, "wire"), line;
	struct timer *look = &state.record.look;
	FILE *f = fopen(growing, "w");

	assert_non_null(f);
	for (; count > 0; count--) {
		line = str_cut(all, '\n', &all);
		fprintf(f, STR_FMT "\n", STR_ARG(line));
	}
	fclose(f);
	if (timer_is_set(look)) {
		loop_unset(&event_loop, look);
		look->fire(look);
	}
}

static const char *script;

static void
do_as_scripted(struct str line)
{
	if (str_is(line, "# say"))
		say("hello");
	else
		wire_reaches(script, strtoul(line.ptr + 7, NULL, 10));
}

static void
hear(struct str line)
{
	size_t had = notes.heard.len;
	auto_free char *heard = NULL;
	struct str rest, note;

	if (is_scripted && line.len && *line.ptr == '#') {
		do_as_scripted(line);
		return;
	}
	if (*wire && !state.record.path)
		state.record.path = copy(str_of(wire));
	must(harness()->instance_line(&agent, line, &e));
	reached = state.record.read;
	heard = copy(str_from(buf_str(&notes.heard), had));
	rest = str_of(heard);
	while (rest.len) {
		note = str_cut(rest, '\n', &rest);
		react(note);
	}
}

/* "kimi-cut" of kimi; what it was not allowed in another mode. */
static void
greet_for(const char *name)
{
	auto_free char *kind = copy((struct str){ name, strcspn(name, "-") });
	static char kept[16];

	snprintf(kept, sizeof kept, "%s", kind);
	greet_agent(kept, strstr(name, "-rejected") != NULL);
	talk.resumed = strstr(name, "-resumed") || strstr(name, "-lost");
	talk.cli_id = talk.resumed ? "S" : "unknown";
	talk.model = strstr(name, "-no-model") ? "no-such-model"
		     : str_starts(str_of(name), STR("gemini"))
			     ? "gemini-2.5-pro"
			     : NULL;
	reached = 0;
	snprintf(wire, sizeof wire, DATA "/acp/%s.wire", name);
	if (is_scripted && access(wire, R_OK) == 0) {
		snprintf(wire, sizeof wire, "%s", growing);
		script = name;
		wire_reaches(name, 0);
	}
	if (access(wire, R_OK) != 0)
		wire[0] = '\0';
	free(instance_own.records);
	instance_own.records = *wire ? copy(STR("/nonexistent")) : NULL;
}

/* Says the whole transcript in two pieces, cut at `at`. */
static void
replay(const char *name, struct str said, size_t at)
{
	struct str pieces[] = { { said.ptr, at }, str_from(said, at) }, line;
	struct lines lines = LINES_INIT(MAX_LINE);
	char *room;

	is_scripted = memmem(said.ptr, said.len, "\n# ", 3);
	greet_for(name);
	for (size_t i = 0; i < 2; i++) {
		must(lines_room(&lines, pieces[i].len, &room, &e));
		memcpy(room, pieces[i].ptr, pieces[i].len);
		lines_added(&lines, pieces[i].len);
		while (lines_next(&lines, &line))
			hear(line);
	}
	lines_fini(&lines);
	is_scripted = false;
}

/* After a change that is meant: RECORD=1, and then read the difference. */
static void
record(const char *name)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof path, DATA "/acp/%s.heard", name);
	f = fopen(path, "w");
	assert_non_null(f);
	fwrite(notes.heard.ptr, 1, notes.heard.len, f);
	fclose(f);
}

static void
is_heard_of(const char *name)
{
	struct str said = read_file(name, "jsonl"), want;

	assert_non_null(said.ptr);
	replay(name, said, said.len);
	if (getenv("RECORD"))
		record(name);
	want = read_file(name, "heard");
	if (!str_eq(buf_str(&notes.heard), want))
		fail_msg("%s: heard is\n%.*s", name, (int)notes.heard.len,
			 notes.heard.ptr);
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
	if (!was_noted("\nfinish stop"))
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

/* A session of `name` is open, and nothing has been said. */
static void
open_session(const char *name)
{
	greet_agent(name, false);
	harness()->handshake(&talk);
	talk.cli_id = "s";
	state.models = json_object();
	state.choice = ACP_SET_MODEL;
	buf_fini(&notes.written);
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
a_model_that_a_cancelled_turn_has_asked_for_is_taken_back(void **state_)
{
	open_session("qwen");
	state.model = copy(STR("a"));
	talk.model = "b";
	say("hi");
	must_have_written("\"modelId\":\"b\"");
	harness()->interrupt(&talk);
	assert_true(was_noted("fail CANCELLED cancelled"));
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
	assert_true(was_noted("fail NO_MODEL test offers no choice of models"));
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
	assert_false(was_noted("abort"));
	say("hi");
	must(harness()->instance_line(&agent, line, &e));
	assert_true(was_noted(
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

static unsigned
prompts_written(void)
{
	struct str rest = buf_str(&notes.written);
	unsigned count = 0;
	const char *at;

	while ((at = memmem(rest.ptr, rest.len, "session/prompt", 14))) {
		rest = str_from(rest, (size_t)(at - rest.ptr) + 14);
		count++;
	}
	return count;
}

/* Up to the line before the one that begins so. */
static struct str
up_to(struct str said, const char *words)
{
	const char *at = memmem(said.ptr, said.len, words, strlen(words));

	assert_non_null(at);
	return (struct str){ said.ptr, (size_t)(at - said.ptr) };
}

enum {
	/* in kimi-alone.wire: the first turn; the agent's own has begun; it is
	 * over; our second */
	FIRST_TURN = 16,
	ALONE = 23,
	SILENT = 26,
	SECOND_TURN = 35,
};

/* Kimi has ended its first turn, and a command runs in the background. */
static void
kimi_has_ended_a_turn(void)
{
	struct str said = read_file("kimi-alone", "jsonl");

	said = up_to(said, "{\"jsonrpc\":\"2.0\",\"id\":5");
	said.len -= sizeof "# say\n# wire 35\n" - 1;
	replay("kimi-alone", said, said.len);
	assert_true(was_noted("background 1\nfinish stop"));
	assert_int_equal(prompts_written(), 1);
}

static void
answer_second_prompt(void)
{
	must(harness()->instance_line(
		&agent,
		STR("{\"id\":5,\"result\":{\"stopReason\":\"end_turn\"}}"),
		&e));
}

static void
no_prompt_is_sent_during_a_turn_of_kimis_own(void **state_)
{
	kimi_has_ended_a_turn();
	wire_reaches("kimi-alone", ALONE);
	assert_true(was_noted("background 0\nalone\ntext Aha."));
	say("hello again");
	assert_int_equal(prompts_written(), 1);
	wire_reaches("kimi-alone", SILENT);
	assert_int_equal(prompts_written(), 2);
	forget();
}

/* Its beginning was not written yet when the prompt was sent. */
static void
a_prompt_that_kimi_has_put_in_a_queue_is_answered(void **state_)
{
	kimi_has_ended_a_turn();
	wire_reaches("kimi-alone", FIRST_TURN);
	say("hello again");
	assert_int_equal(prompts_written(), 2);
	wire_reaches("kimi-alone", ALONE);
	answer_second_prompt();
	assert_true(was_noted("alone\ntext Aha."));
	assert_false(was_noted("silent"));
	wire_reaches("kimi-alone", SECOND_TURN);
	assert_true(was_noted("silent\nreasoning Hm.\ntext The answer.\n"
			      "finish stop, 10 + 2 tokens, by fake-large"));
	forget();
}

static void
one_that_is_cancelled_there_ends_with_its_session(void **state_)
{
	kimi_has_ended_a_turn();
	say("hello again");
	wire_reaches("kimi-alone", ALONE);
	answer_second_prompt();
	harness()->interrupt(&talk);
	assert_true(was_noted("abort CANCELLED cancelled"));
	forget();
}

static void
says_to(const char *name, const char *update)
{
	auto_free char *line = copy_format(
		"{\"method\":\"session/update\",\"params\":{\"sessionId\":"
		"\"s\",\"update\":%s}}",
		update);

	agent.name = name;
	must(harness()->instance_line(&agent, str_of(line), &e));
}

static void
qwen_may_not_begin_a_turn_of_its_own_during_ours(void **state_)
{
	struct str may_i = STR("{\"id\":1,\"method\":\"_qwencode/start_turn\","
			       "\"params\":{\"sessionId\":\"s\"}}");

	open_session("qwen");
	say("hi");
	must(harness()->instance_line(&agent, may_i, &e));
	must_have_written("{\"accepted\":false}");
	assert_false(was_noted("alone"));
	acp_forget_turn(&state);
	must(harness()->instance_line(&agent, may_i, &e));
	must_have_written("{\"accepted\":true}");
	assert_true(was_noted("alone"));
	forget();
}

static void
what_is_marked_as_its_own_is_not_the_answer(void **state_)
{
	open_session("qwen");
	say("hi");
	notes_clear();
	says_to("qwen",
		"{\"sessionUpdate\":\"agent_message_chunk\",\"content\":{"
		"\"type\":\"text\",\"text\":\"mine\"},\"_meta\":{"
		"\"backgroundTurn\":{}}}");
	says_to("qwen", "{\"sessionUpdate\":\"tool_call\",\"toolCallId\":\"1\","
			"\"rawInput\":{\"a\":1},\"_meta\":{"
			"\"backgroundTurn\":{}}}");
	says_to("qwen",
		"{\"sessionUpdate\":\"agent_message_chunk\",\"content\":{"
		"\"type\":\"text\",\"text\":\"yours\"}}");
	assert_str(buf_str(&notes.heard),
		   "alone\ntext mine\nsilent\ntext yours");
	forget();
}

static void
what_is_said_between_turns_belongs_to_none(void **state_)
{
	static const char words[] =
		"{\"sessionUpdate\":\"agent_message_chunk\",\"content\":{"
		"\"type\":\"text\",\"text\":\"by the way\"}}";

	open_session("copilot");
	notes_clear();
	says_to("copilot", words); /* a repetition of what was said before */
	assert_str(buf_str(&notes.heard), "");
	state.may_speak = true;
	says_to("copilot", words);
	assert_str(buf_str(&notes.heard), "alone\ntext by the way\nsilent\n");
	forget();
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
default_is_no_name_of_a_model(void **state_)
{
	open_session("qwen");
	state.default_model = copy(STR("usual"));
	talk.model = "default";
	say("hi");
	assert_int_equal(prompts_written(), 1);
	acp_forget_turn(&state);
	state.model = copy(STR("other"));
	say("hi");
	must_have_written("\"modelId\":\"usual\"");
	forget();
	open_session("copilot");
	state.choice = ACP_NO_CHOICE;
	talk.model = "default";
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
		assert_int_equal(harness()->keeps_cwd, all[i].keeps);
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
		cmocka_unit_test(
			a_model_that_a_cancelled_turn_has_asked_for_is_taken_back),
		cmocka_unit_test(what_was_said_before_goes_before),
		cmocka_unit_test(nobody_waits_for_an_approval),
		cmocka_unit_test(an_agent_without_models_refuses_one),
		cmocka_unit_test(a_line_that_is_damaged_is_not_passed_over),
		cmocka_unit_test(a_second_tool_call_is_not_told_twice),
		cmocka_unit_test(no_prompt_is_sent_during_a_turn_of_kimis_own),
		cmocka_unit_test(
			a_prompt_that_kimi_has_put_in_a_queue_is_answered),
		cmocka_unit_test(
			one_that_is_cancelled_there_ends_with_its_session),
		cmocka_unit_test(
			qwen_may_not_begin_a_turn_of_its_own_during_ours),
		cmocka_unit_test(what_is_marked_as_its_own_is_not_the_answer),
		cmocka_unit_test(what_is_said_between_turns_belongs_to_none),
		cmocka_unit_test(
			a_turn_without_a_word_is_not_asked_again_by_itself),
		cmocka_unit_test(a_system_prompt_is_told_once),
		cmocka_unit_test(default_is_no_name_of_a_model),
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
