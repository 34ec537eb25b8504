/*
 * What workers/opencode makes of what its server says.
 * data/opencode/<name>.jsonl is what happened, one thing a line: {"do":"say"}
 * and {"do":"interrupt"} are ours, {"answer":STATUS} is the server's to the
 * oldest question that waits, all else is an event.  <name>.heard is what must
 * be heard of it, and asked.
 */

#include "tests/unit/harness_kit.h"

#include <stdio.h>
#include <unistd.h>

#include "tests/unit/http_notes.h"
#include "workers/io/lines.h"
#include "workers/opencode/opencode.h"

static const char providers[] =
	"{\"providers\":[{\"id\":\"opencode\",\"options\":{\"apiKey\":"
	"\"public\"},\"models\":{\"free\":{}}},{\"id\":\"fake\",\"options\":{},"
	"\"models\":{\"fake-model\":{},\"org/slashed\":{}}}],"
	"\"default\":{\"opencode\":\"free\",\"fake\":\"fake-model\"}}";

static struct server server;
static struct opencode state;
static struct loop loop;
static struct instance agent = { .name = "opencode",
				 .workspace = "/w",
				 .scratch = "/scratch",
				 .permission_mode = "allow",
				 .loads = LOADS_EVERYTHING,
				 .loop = &loop,
				 .own = &server };
static struct conversation talk = { .instance = &agent, .own = &state };
static struct words argv, env;

static const struct harness *
harness(void)
{
	struct error e;

	return harness_of(agent.name, &e);
}

/* The server has been started, and has told of its models. */
static void
start(const char *models)
{
	auto_free char *line = NULL;

	must(harness()->instance_command(&agent, &argv, &env, &e));
	line = copy_format("opencode server listening on %s", server.origin);
	must(harness()->instance_line(&agent, str_of(line), &e));
	assert_true(http_notes_line(STR("data: {\"payload\":{\"type\":"
					"\"server.connected\"}}")));
	assert_true(http_notes_answer(200, str_of(models)));
	json_object_set_new(server.prepared, "/w", json_true());
}

static void
end(void)
{
	harness()->clear(&talk);
	harness()->instance_clear(&agent);
	words_fini(&argv);
	words_fini(&env);
	notes_clear();
	json_decref((json_t *)talk.messages);
	talk = (struct conversation){ .instance = &agent,
				      .permission_mode = agent.permission_mode,
				      .cwd = "/w",
				      .cli_id = "a uuid",
				      .kept = true,
				      .own = &state };
	notes_talk = &talk;
}

static int
setup(void **state_)
{
	agent.permission_mode = "allow";
	agent.loads = LOADS_EVERYTHING;
	end();
	return 0;
}

static int
teardown(void **state_)
{
	end();
	return 0;
}

/* A session that is open, so that a turn can be said. */
static void
open_session(const char *id)
{
	auto_free char *made = copy_format("{\"id\":\"%s\"}", id);

	start(providers);
	harness()->handshake(&talk);
	assert_true(http_notes_answer(200, str_of(made)));
	assert_true(http_notes_answer(200, STR("{\"model\":\"fake/x\"}")));
	notes_clear();
}

static void
say(const char *text)
{
	json_decref((json_t *)talk.messages);
	talk.messages = json_pack("[{s:s, s:[{s:s, s:s}]}]", "role", "user",
				  "content", "type", "text", "text", text);
	talk.from = 0;
	talk.turns++;
	harness()->say(&talk);
}

static void
hear_event(struct str json)
{
	struct buf line = BUF_INIT(MAX_LINE);

	must(buf_add(&line, STR("data: "), &e));
	must(buf_add(&line, json, &e));
	(void)http_notes_line(buf_str(&line));
	buf_fini(&line);
}

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
			    "\"model\":\"a/b\"}");
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

static void
one_with_other_permissions_is_begun_anew(void **state_)
{
	talk.permission_mode = "deny";
	resume(200, known);
	must_have_heard_only("ask GET /session/ses_1?directory=/w\nlost\n");
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

static const char four_messages[] =
	"[{\"info\":{\"id\":\"msg_1\",\"role\":\"user\"}},"
	"{\"info\":{\"id\":\"msg_2\",\"role\":\"assistant\"}},"
	"{\"info\":{\"id\":\"msg_3\",\"role\":\"user\"}},"
	"{\"info\":{\"id\":\"msg_4\",\"role\":\"assistant\"}}]";

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

/* Turns */

static void
what_is_said_is_text(void **state_)
{
	open_session("ses_1");
	talk.system = "be kind";
	talk.system_len = 7;
	say("/clear @secret.txt");
	assert_true(was_written("\"parts\":[{\"type\":\"text\",\"text\":"
				"\"/clear @secret.txt\"}],\"system\":\"be "
				"kind\"}"));
	assert_true(was_written("\"messageID\":\"msg_"));
}

static void
say_image(const char *image)
{
	open_session("ses_1");
	talk.messages = json_pack("[{s:s, s:[o]}]", "role", "user", "content",
				  json_loads(image, 0, NULL));
	talk.turns++;
	harness()->say(&talk);
}

static void
an_image_is_passed_on_as_data(void **state_)
{
	say_image("{\"type\":\"image\",\"media_type\":\"image/png\","
		  "\"data\":\"aGk=\"}");
	assert_true(was_written("{\"type\":\"file\",\"mime\":\"image/png\","
				"\"url\":\"data:image/png;base64,aGk=\"}"));
}

static void
an_image_by_its_url_is_refused(void **state_)
{
	say_image("{\"type\":\"image\",\"url\":\"http://x/y.png\"}");
	must_have_heard_only(
		"fail UNSUPPORTED the harness has no way to say a part "
		"of the type image\n");
}

/* Opens a session with a history, up to where that was asked for. */
static void
open_with_history(const char *history)
{
	json_t *told = json_loads(history, 0, NULL);

	talk.history = told;
	start(providers);
	harness()->handshake(&talk);
	json_decref(told);
	talk.history = NULL;
	assert_true(http_notes_answer(200, STR("{\"id\":\"ses_1\"}")));
	notes_clear();
	assert_true(http_notes_answer(200, STR("{\"model\":\"fake/x\"}")));
}

static const char long_ago[] =
	"[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
	"\"my dog\"}]},{\"role\":\"assistant\",\"content\":[{\"type\":"
	"\"text\",\"text\":\"is Rex\"}]}]";

static void
a_history_becomes_part_of_the_session(void **state_)
{
	open_with_history(long_ago);
	assert_true(was_written("\"seq\":1,\"type\":\"message.updated.1\""));
	assert_true(was_written("\"seq\":4,"));
	assert_true(was_written("\"text\":\"is Rex\""));
	assert_true(was_written("\"parentID\":\"msg_"));
	must_have_heard_only("ask POST /sync/replay?directory=/w\n");
	assert_true(http_notes_answer(200, STR("{}")));
	assert_true(was_heard("ready"));
	notes_clear();
	say("now");
	assert_false(was_written("my dog"));
}

/* Piece by piece, and each answer is a sign of life. */
static void
a_long_history_shows_how_far_it_is(void **state_)
{
	json_t *all = json_array();
	auto_free char *text = NULL;

	for (int i = 0; i < 50; i++)
		json_array_append_new(
			all, json_pack("{s:s, s:[{s:s, s:o}]}", "role",
				       i % 2 ? "assistant" : "user", "content",
				       "type", "text", "text",
				       json_sprintf("word%d.", i)));
	text = json_dumps(all, JSON_COMPACT);
	json_decref(all);
	open_with_history(text);
	assert_true(was_written("word19."));
	assert_false(was_written("word20."));
	assert_true(http_notes_answer(200, STR("{}")));
	assert_true(was_written("\"seq\":41,"));
	assert_true(was_written("word39."));
	assert_true(http_notes_answer(200, STR("{}")));
	assert_true(was_written("word49."));
	assert_false(was_heard("ready"));
	assert_true(http_notes_answer(200, STR("{}")));
	must_have_heard_only("ask POST /sync/replay?directory=/w\n"
			     "working importing the conversation 20 of 50\n"
			     "ask POST /sync/replay?directory=/w\n"
			     "working importing the conversation 40 of 50\n"
			     "ask POST /sync/replay?directory=/w\n"
			     "working importing the conversation 50 of 50\n"
			     "models 3\n"
			     "ready\n");
	assert_int_equal(http_notes_waiting(), 0);
}

/* The server may have taken a part of it, so that session is of no use. */
static void
a_history_that_it_does_not_take_is_told_as_text(void **state_)
{
	open_with_history(long_ago);
	assert_true(http_notes_answer(404, STR("{}")));
	assert_true(was_heard("ask DELETE /session/ses_1"));
	assert_true(http_notes_answer(200, STR("true")));
	assert_true(http_notes_answer(200, STR("{\"id\":\"ses_2\"}")));
	assert_true(http_notes_answer(200, STR("{\"model\":\"fake/x\"}")));
	assert_true(was_heard("name ses_2"));
	assert_true(was_heard("ready"));
	notes_clear();
	say("now");
	assert_true(was_written("my dog"));
	assert_true(was_written("is Rex"));
}

static void
a_history_with_tools_is_told_as_text(void **state_)
{
	open_with_history("[{\"role\":\"user\",\"content\":[{\"type\":"
			  "\"tool_result\",\"id\":\"1\",\"name\":\"f\","
			  "\"arguments\":\"{}\",\"content\":[{\"type\":"
			  "\"text\",\"text\":\"42\"}]}]}]");
	assert_true(was_heard("ready"));
	say("now");
	assert_true(was_written("42"));
}

static void
a_post_that_is_refused_fails_the_turn(void **state_)
{
	open_session("ses_1");
	say("hi");
	notes_clear();
	assert_true(http_notes_answer(
		404, STR("{\"data\":{\"message\":\"Session not found\"}}")));
	must_have_heard_only(
		"abort HARNESS opencode: Session not found (404)\n");
}

static void
tells(const char *type, const char *properties)
{
	auto_free char *line = copy_format(
		"data: {\"payload\":{\"type\":\"%s\",\"properties\":"
		"{\"sessionID\":\"ses_1\",%s}}}",
		type, properties);

	assert_true(http_notes_line(str_of(line)));
}

static void
tells_of_message(const char *role, const char *id)
{
	auto_free char *info = copy_format(
		"\"info\":{\"id\":\"%s\",\"role\":\"%s\"}", id, role);

	tells("message.updated", info);
}

/* An abort before that would spoil the directory for every later turn. */
static void
a_stop_waits_until_the_directory_is_prepared(void **state_)
{
	open_session("ses_1");
	json_object_clear(server.prepared);
	say("hi");
	notes_clear();
	assert_true(http_notes_answer(204, STR("")));
	harness()->interrupt(&talk);
	tells_of_message("user", state.prompt);
	assert_int_equal(notes.heard.len, 0);
	tells_of_message("assistant", "msg_answer");
	must_have_heard_only("ask POST /session/ses_1/abort?directory=/w\n");
}

/* No other event tells the end of such a turn. */
static void
a_turn_that_cannot_begin_is_stopped_in_any_directory(void **state_)
{
	static const char error[] =
		"\"error\":{\"name\":\"UnknownError\",\"data\":"
		"{\"message\":\"no such model\"}}";

	for (int stopped = 0; stopped < 2; stopped++) {
		open_session("ses_1");
		json_object_clear(server.prepared);
		say("hi");
		assert_true(http_notes_answer(204, STR("")));
		if (stopped)
			harness()->interrupt(&talk);
		notes_clear();
		tells("session.error", error);
		must_have_heard_only(
			"ask POST /session/ses_1/abort?directory=/w\n");
		assert_true(http_notes_answer(200, STR("true")));
		assert_true(http_notes_answer(200, STR("{}")));
		assert_true(was_heard("fail HARNESS opencode: no such model"));
		end();
	}
}

/* Something in the process is broken, for every turn. */
static void
a_process_that_ends_a_turn_without_a_message_gets_no_other(void **state_)
{
	open_session("ses_1");
	say("hi");
	assert_true(http_notes_answer(204, STR("")));
	tells_of_message("user", state.prompt);
	notes_clear();
	tells("session.idle", "\"x\":0");
	assert_true(http_notes_answer(200, STR("{}")));
	must_have_heard_only(
		"agent close\n"
		"ask POST /session/ses_1/revert?directory=/w\n"
		"fail HARNESS opencode: the answer is empty (no stream "
		"output)\n");
}

/* An abort that overtakes the post would stop nothing. */
static void
a_stop_waits_until_the_post_is_answered(void **state_)
{
	open_session("ses_1");
	say("hi");
	notes_clear();
	harness()->interrupt(&talk);
	assert_int_equal(notes.heard.len, 0);
	assert_true(http_notes_answer(204, STR("")));
	assert_true(http_notes_answer(200, STR("true")));
	assert_true(http_notes_answer(200, STR("{}")));
	must_have_heard_only("ask POST /session/ses_1/abort?directory=/w\n"
			     "ask POST /session/ses_1/revert?directory=/w\n"
			     "fail CANCELLED cancelled\n");
}

static void
a_turn_that_is_busy_still_is_stopped_again(void **state_)
{
	open_session("ses_1");
	say("hi");
	harness()->interrupt(&talk);
	assert_true(http_notes_answer(204, STR("")));
	assert_true(http_notes_answer(200, STR("true")));
	notes_clear();
	assert_true(http_notes_answer(409, STR("{\"message\":\"busy\"}")));
	must_have_heard_only("ask POST /session/ses_1/abort?directory=/w\n"
			     "ask POST /session/ses_1/revert?directory=/w\n");
	while (http_notes_answer(409, STR("{}")))
		;
	assert_true(was_heard("abort CANCELLED cancelled"));
}

/* Its end */

static void
closing_leaves_nothing_running_and_nothing_behind(void **state_)
{
	open_session("ses_1");
	talk.kept = false;
	harness()->close(&talk);
	must_have_heard_only("ask DELETE /session/ses_1?directory=/w\n");
}

static void
closing_stops_the_turn_first(void **state_)
{
	open_session("ses_1");
	talk.kept = false;
	say("hi");
	assert_true(http_notes_answer(204, STR("")));
	notes_clear();
	harness()->close(&talk);
	harness()->clear(&talk);
	assert_true(http_notes_answer(200, STR("true")));
	must_have_heard_only("ask POST /session/ses_1/abort?directory=/w\n"
			     "ask DELETE /session/ses_1?directory=/w\n");
}

static void
closing_stops_also_what_is_only_just_posted(void **state_)
{
	open_session("ses_1");
	say("hi");
	notes_clear();
	harness()->close(&talk);
	harness()->clear(&talk);
	assert_int_equal(notes.heard.len, 0);
	assert_true(http_notes_answer(204, STR("")));
	assert_true(http_notes_answer(200, STR("true")));
	must_have_heard_only("ask POST /session/ses_1/abort?directory=/w\n");
	assert_int_equal(http_notes_waiting(), 0);
}

static void
a_session_that_nobody_waits_for_any_more_is_deleted(void **state_)
{
	start(providers);
	harness()->handshake(&talk);
	notes_clear();
	harness()->close(&talk);
	harness()->clear(&talk);
	assert_true(http_notes_answer(200, STR("{\"id\":\"ses_1\"}")));
	must_have_heard_only("ask DELETE /session/ses_1?directory=/w\n");
}

/* Its process could not be started. */
static void
a_talk_without_a_server_is_cleared(void **state_)
{
	struct conversation orphan = talk;

	orphan.instance = NULL;
	harness()->clear(&orphan);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

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
		test(one_with_other_permissions_is_begun_anew),
		test(an_id_that_is_not_its_own_is_not_asked_for),
		test(what_came_behind_its_last_good_turn_is_taken_back),
		test(one_that_ends_with_a_good_turn_is_left_as_it_is),
		test(one_without_its_last_good_turn_is_lost),
		test(nobody_logged_in_is_told_at_once),
		test(a_default_is_of_who_is_logged_in),
		test(a_model_is_named_by_its_provider),
		test(what_is_said_is_text),
		test(an_image_is_passed_on_as_data),
		test(an_image_by_its_url_is_refused),
		test(a_history_becomes_part_of_the_session),
		test(a_long_history_shows_how_far_it_is),
		test(a_history_that_it_does_not_take_is_told_as_text),
		test(a_history_with_tools_is_told_as_text),
		test(a_post_that_is_refused_fails_the_turn),
		test(a_stop_waits_until_the_post_is_answered),
		test(a_stop_waits_until_the_directory_is_prepared),
		test(a_turn_that_cannot_begin_is_stopped_in_any_directory),
		test(a_process_that_ends_a_turn_without_a_message_gets_no_other),
		test(a_turn_that_is_busy_still_is_stopped_again),
		test(closing_leaves_nothing_running_and_nothing_behind),
		test(closing_stops_the_turn_first),
		test(closing_stops_also_what_is_only_just_posted),
		test(a_session_that_nobody_waits_for_any_more_is_deleted),
		test(a_talk_without_a_server_is_cleared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
