/*
 * What workers/opencode makes of what its server says.
 * data/opencode/<name>.jsonl is what happened, one thing a line: {"do":"say"}
 * and {"do":"interrupt"} are ours, {"answer":STATUS} is the server's to the
 * oldest question that waits, all else is an event.  <name>.heard is what must
 * be heard of it, and asked.
 */

#include "tests/unit/opencode_world.h"

#include <stdio.h>

#include "tests/unit/http_notes.h"

/* Transcripts */

static void
answer(const json_t *thing)
{
	char *body = json_dumps(json_object_get(thing, "body"), 0);

	(void)http_notes_answer(
		(int)json_integer_value(json_object_get(thing, "answer")),
		str_of(body));
	free(body);
}

/* The turn's message has the id that it had when this was written down. */
static void
happen(struct str line)
{
	json_t *thing = json_loadb(line.ptr, line.len, 0, NULL);
	const char *what = json_text(thing, "do");
	const char *prompt = json_text(thing, "prompt");

	if (text_is(what, "say") && state.phase == AT_REST) {
		say("what was said");
		snprintf(state.prompt, sizeof state.prompt, "%s",
			 prompt ? prompt : "");
	} else if (text_is(what, "interrupt") && state.phase != AT_REST) {
		harness()->interrupt(&talk);
	} else if (json_object_get(thing, "answer")) {
		answer(thing);
	} else if (!what) {
		hear_event(line);
	}
	json_decref(thing);
}

/* Whose session it is stands in the first event that has one. */
static char *
session_in(struct str said)
{
	const char *at = memmem(said.ptr, said.len, "\"sessionID\":\"", 13);
	struct str rest;

	if (!at)
		return copy(STR("ses_none"));
	return copy(str_cut((struct str){ at + 13, 40 }, '"', &rest));
}

static void
replay(struct str said)
{
	auto_free char *session = session_in(said);
	struct str line;

	end();
	open_session(session);
	while (said.ptr && said.len) {
		line = str_cut(said, '\n', &said);
		happen(line);
	}
}

static const char *const names[] = {
	"plain-turn",
	"two-turns",
	"multibyte",
	"thinking",
	"tool-use",
	"tool-fails",
	"sub-agent",
	"400",
	"401",
	"403",
	"404",
	"429",
	"quota",
	"500",
	"500-once",
	"cut",
	"eof",
	"interrupt",
	"interrupt-tool",
	"model-unknown",
	"image-unreadable",
	"context-overflow",
	"empty",
	"length",
	"filter",
	"permission",
};

enum { NAMES = sizeof names / sizeof *names };

static void
is_heard_of(const char *name)
{
	replay(recorded("opencode", name, "jsonl"));
	must_be_heard_of("opencode", name);
}

static void
what_happens_is_heard(void **state_)
{
	for (size_t i = 0; i < NAMES; i++)
		is_heard_of(names[i]);
}

static void
what_it_asks_is_refused_if_nobody_may_allow_it(void **state_)
{
	agent.permission_mode = "ask";
	is_heard_of("permission-refused");
	assert_true(was_written("{\"reply\":\"reject\"}"));
}

/* "finish stop" only on the CLI's own word for it. */
static void
is_no_finish_without_an_end(struct str said)
{
	replay(said);
	if (!memmem(said.ptr, said.len, "\"finish\":\"stop\"", 15))
		assert_false(was_heard("finish stop"));
}

static void
what_its_next_version_may_say_is_survived(void **state_)
{
	static const char *const some[] = { "plain-turn", "tool-use",	  "429",
					    "cut",	  "interrupt",	  "400",
					    "sub-agent",  "model-unknown" };

	for (size_t i = 0; i < sizeof some / sizeof *some; i++)
		mutants_each(recorded("opencode", some[i], "jsonl"),
			     is_no_finish_without_an_end);
}

static void
unknown_events_are_counted(void **state_)
{
	open_session("ses_1");
	hear_event(STR("{\"payload\":{\"type\":\"tomorrow.came\"}}"));
	hear_event(STR("{\"payload\":{\"type\":7}}"));
	hear_event(STR("[1]"));
	hear_event(STR("{\"payload\""));
	(void)http_notes_line(STR(": a comment"));
	must_have_heard_only("unknown event tomorrow.came\n"
			     "unknown line that can't be read\n");
}

static void
an_event_that_cannot_be_read_fails_its_turn(void **state_)
{
	open_session("ses_1");
	say("hi");
	assert_true(http_notes_answer(204, STR("")));
	notes_clear();
	hear_event(STR("{\"sessionID\":\"ses_1\",\"delta\":\"\\ud83d\"}"));
	assert_true(http_notes_answer(200, STR("true")));
	assert_true(http_notes_answer(200, STR("{}")));
	must_have_heard_only(
		"ask POST /session/ses_1/abort?directory=/w\n"
		"ask POST /session/ses_1/revert?directory=/w\n"
		"fail HARNESS opencode: it sent an event that is not "
		"valid JSON\n");
}

/* Its start */

static void
a_port_and_a_password_are_of_our_choice(void **state_)
{
	start(providers);
	assert_string_equal(argv.ptr[0], "serve");
	assert_string_equal(argv.ptr[1], "--hostname=127.0.0.1");
	assert_non_null(strstr(argv.ptr[2], "--port="));
	assert_string_not_equal(argv.ptr[2], "--port=0");
	for (size_t i = 0; i < argv.len; i++)
		assert_null(strstr(argv.ptr[i], server.password));
	must_have_heard_only("ask GET /global/event\n"
			     "ask GET /config/providers\n"
			     "agent ready\n");
}

static const char *
value_of(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < env.len; i++)
		if (!strncmp(env.ptr[i], name, len) && env.ptr[i][len] == '=')
			return env.ptr[i] + len + 1;
	return NULL;
}

static void
what_the_user_configures_for_the_bridge_counts_most(void **state_)
{
	words_set(&env, "OPENCODE_CONFIG_CONTENT={\"model\":\"a/b\","
			"\"snapshot\":true}");
	start(providers);
	assert_string_equal(value_of("OPENCODE_CONFIG_CONTENT"),
			    "{\"snapshot\":true,\"share\":\"disabled\","
			    "\"autoupdate\":false,"
			    "\"experimental\":{\"continue_loop_on_deny\":true},"
			    "\"model\":\"a/b\","
			    "\"permission\":{\"br_*\":\"deny\"}}");
	assert_null(value_of("XDG_CONFIG_HOME"));
}

static void
told_to_load_nothing_it_looks_elsewhere(void **state_)
{
	agent.loads = LOADS_NOTHING;
	words_set(&env, "OPENCODE_CONFIG=/home/config.json");
	start(providers);
	assert_string_equal(value_of("OPENCODE_CONFIG"), "");
	assert_string_equal(value_of("OPENCODE_DISABLE_PROJECT_CONFIG"), "1");
	assert_string_equal(value_of("OPENCODE_PURE"), "1");
	assert_string_equal(value_of("XDG_CONFIG_HOME"),
			    "/scratch/opencode-config");
	assert_string_equal(value_of("OPENCODE_TEST_HOME"),
			    "/scratch/opencode-home");
}

/* Sessions */

static void
a_session_is_made_in_its_directory(void **state_)
{
	talk.cwd = "/a b/%?&#";
	start(providers);
	notes_clear();
	harness()->handshake(&talk);
	assert_true(http_notes_answer(200, STR("{\"id\":\"ses_1\"}")));
	assert_true(http_notes_answer(200, STR("{}")));
	must_have_heard_only("ask POST /session?directory=/a%20b/%25%3F%26%23\n"
			     "name ses_1\n"
			     "ask GET /config?directory=/a%20b/%25%3F%26%23\n"
			     "models 3\n"
			     "ready\n");
	assert_true(was_written("{\"title\":\"cli-bridge\",\"permission\":[{"
				"\"permission\":\"question\",\"pattern\":\"*\","
				"\"action\":\"deny\"},{"
				"\"permission\":\"br_*\",\"pattern\":\"*\","
				"\"action\":\"deny\"}]}"));
}

static void
who_denies_leaves_it_no_tools(void **state_)
{
	agent.permission_mode = talk.permission_mode = "deny";
	start(providers);
	harness()->handshake(&talk);
	assert_true(was_written("{\"permission\":\"*\",\"pattern\":\"*\","
				"\"action\":\"deny\"}"));
}

static const char known[] =
	"{\"id\":\"ses_1\",\"permission\":[{\"permission\":\"question\","
	"\"pattern\":\"*\",\"action\":\"deny\"}]}";

static void
resume(int status, const char *body)
{
	talk.resumed = true;
	talk.cli_id = "ses_1";
	start(providers);
	notes_clear();
	harness()->handshake(&talk);
	assert_true(http_notes_answer(status, str_of(body)));
}

static void
a_session_is_resumed(void **state_)
{
	resume(200, known);
	assert_true(http_notes_answer(200, STR("{\"model\":\"x/y\"}")));
	must_have_heard_only("ask GET /session/ses_1?directory=/w\n"
			     "ask GET /config?directory=/w\n"
			     "models 3\n"
			     "ready\n");
}

static void
one_that_it_does_not_know_is_lost(void **state_)
{
	resume(404, "{\"name\":\"NotFoundError\",\"data\":{}}");
	must_have_heard_only("ask GET /session/ses_1?directory=/w\nlost\n");
}

static const char four_messages[] =
	"[{\"info\":{\"id\":\"msg_1\",\"role\":\"user\"}},"
	"{\"info\":{\"id\":\"msg_2\",\"role\":\"assistant\"}},"
	"{\"info\":{\"id\":\"msg_3\",\"role\":\"user\"}},"
	"{\"info\":{\"id\":\"msg_4\",\"role\":\"assistant\"}}]";

static const char fork_of_it[] = "{\"id\":\"ses_2\"}";

static void
one_with_other_permissions_goes_on_in_a_copy(void **state_)
{
	talk.permission_mode = "deny";
	resume(200, known);
	assert_true(http_notes_answer(200, str_of(fork_of_it)));
	assert_true(was_written("\"permission\":\"*\""));
	assert_true(http_notes_answer(200, STR("{}")));
	assert_true(http_notes_answer(200, STR("{\"model\":\"x/y\"}")));
	must_have_heard_only("ask GET /session/ses_1?directory=/w\n"
			     "ask POST /session/ses_1/fork?directory=/w\n"
			     "name ses_2\n"
			     "ask PATCH /session/ses_2?directory=/w\n"
			     "ask GET /config?directory=/w\n"
			     "models 3\n"
			     "ready\n");
}

static void
one_that_cannot_be_copied_is_lost(void **state_)
{
	talk.permission_mode = "deny";
	resume(200, known);
	assert_true(http_notes_answer(500, STR("{}")));
	must_have_heard_only("ask GET /session/ses_1?directory=/w\n"
			     "ask POST /session/ses_1/fork?directory=/w\n"
			     "lost\n");
}

static void
what_came_behind_its_last_good_turn_is_not_in_the_copy(void **state_)
{
	talk.options.mode = MODE_SAFE;
	talk.position = "msg_2";
	resume(200, known);
	assert_true(http_notes_answer(200, str_of(four_messages)));
	assert_true(was_written("{\"messageID\":\"msg_3\"}"));
	assert_true(http_notes_answer(200, str_of(fork_of_it)));
	assert_true(was_written("\"permission\":\"read\""));
}

static void
an_id_that_is_not_its_own_is_not_asked_for(void **state_)
{
	talk.resumed = true;
	talk.cli_id = "ses_/../x";
	start(providers);
	notes_clear();
	harness()->handshake(&talk);
	must_have_heard_only("lost\n");
}

static void
what_came_behind_its_last_good_turn_is_taken_back(void **state_)
{
	talk.position = "msg_2";
	resume(200, known);
	assert_true(http_notes_answer(200, str_of(four_messages)));
	assert_true(was_written("{\"messageID\":\"msg_3\"}"));
	assert_true(http_notes_answer(200, STR("{}")));
	assert_true(http_notes_answer(200, STR("{\"model\":\"x/y\"}")));
	must_have_heard_only(
		"ask GET /session/ses_1?directory=/w\n"
		"ask GET /session/ses_1/message?directory=/w&limit=64\n"
		"ask POST /session/ses_1/revert?directory=/w\n"
		"ask GET /config?directory=/w\n"
		"models 3\n"
		"ready\n");
}

static void
one_that_ends_with_a_good_turn_is_left_as_it_is(void **state_)
{
	talk.position = "msg_4";
	resume(200, known);
	assert_true(http_notes_answer(200, str_of(four_messages)));
	assert_false(was_written("revert"));
}

static void
one_without_its_last_good_turn_is_lost(void **state_)
{
	talk.position = "msg_9";
	resume(200, known);
	assert_true(http_notes_answer(200, str_of(four_messages)));
	assert_true(was_heard("lost"));
}

/* Models */

static void
nobody_logged_in_is_told_at_once(void **state_)
{
	start("{\"providers\":[{\"id\":\"opencode\",\"options\":{\"apiKey\":"
	      "\"public\"},\"models\":{\"free\":{}}}],\"default\":{}}");
	harness()->handshake(&talk);
	assert_true(http_notes_answer(200, STR("{\"id\":\"ses_1\"}")));
	notes_clear();
	assert_true(http_notes_answer(200, STR("{}")));
	must_have_heard_only(
		"fail LOGIN opencode is logged in with no provider; "
		"run: opencode auth login\n");
}

static void
a_default_is_of_who_is_logged_in(void **state_)
{
	start(providers);
	harness()->handshake(&talk);
	assert_true(http_notes_answer(200, STR("{\"id\":\"ses_1\"}")));
	assert_true(http_notes_answer(200, STR("{}")));
	say("hi");
	assert_true(was_written("\"model\":{\"providerID\":\"fake\","
				"\"modelID\":\"fake-model\"}"));
}

static void
asked_for(const char *model, const char *want)
{
	open_session("ses_1");
	talk.model = model;
	say("hi");
	if (!want)
		assert_false(was_written("\"model\""));
	else if (!was_written(want))
		fail_msg("%.*s", STR_ARG(buf_str(&notes.written)));
	end();
}

static void
a_model_is_named_by_its_provider(void **state_)
{
	asked_for(NULL, NULL);
	asked_for("fake/org/slashed", "\"model\":{\"providerID\":\"fake\","
				      "\"modelID\":\"org/slashed\"}");
	asked_for("opencode/free", "\"model\":{\"providerID\":\"opencode\","
				   "\"modelID\":\"free\"}");
	asked_for("fake", "\"model\":{\"providerID\":\"fake\","
			  "\"modelID\":\"fake-model\"}");
	asked_for("else", "\"model\":{\"providerID\":\"else\","
			  "\"modelID\":\"else\"}");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test(what_happens_is_heard),
		test(what_it_asks_is_refused_if_nobody_may_allow_it),
		test(what_its_next_version_may_say_is_survived),
		test(unknown_events_are_counted),
		test(an_event_that_cannot_be_read_fails_its_turn),
		test(a_port_and_a_password_are_of_our_choice),
		test(what_the_user_configures_for_the_bridge_counts_most),
		test(told_to_load_nothing_it_looks_elsewhere),
		test(a_session_is_made_in_its_directory),
		test(who_denies_leaves_it_no_tools),
		test(a_session_is_resumed),
		test(one_that_it_does_not_know_is_lost),
		test(one_with_other_permissions_goes_on_in_a_copy),
		test(one_that_cannot_be_copied_is_lost),
		test(what_came_behind_its_last_good_turn_is_not_in_the_copy),
		test(an_id_that_is_not_its_own_is_not_asked_for),
		test(what_came_behind_its_last_good_turn_is_taken_back),
		test(one_that_ends_with_a_good_turn_is_left_as_it_is),
		test(one_without_its_last_good_turn_is_lost),
		test(nobody_logged_in_is_told_at_once),
		test(a_default_is_of_who_is_logged_in),
		test(a_model_is_named_by_its_provider),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
