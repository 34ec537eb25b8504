/*
 * How workers/opencode says a turn, stops it, and ends its session.
 */

#include "tests/unit/opencode_world.h"

#include "tests/unit/http_notes.h"

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
a_document_is_passed_on_with_its_name(void **state_)
{
	say_image("{\"type\":\"file\",\"media_type\":\"application/pdf\","
		  "\"data\":\"aGk=\",\"name\":\"p.pdf\"}");
	assert_true(was_written(
		"{\"type\":\"file\",\"mime\":\"application/pdf\",\"url\":"
		"\"data:application/pdf;base64,aGk=\",\"filename\":"
		"\"p.pdf\"}"));
}

/* opencode would tell the model that there was something, and nobody else. */
static void
what_the_model_does_not_take_is_refused(void **state_)
{
	json_t *inputs = json_pack("{s:b, s:b}", "image", 0, "pdf", 1);

	open_session("ses_1");
	json_object_set_new(server.inputs, "fake/fake-model", inputs);
	talk.model = "fake/fake-model";
	talk.messages =
		json_pack("[{s:s, s:[o]}]", "role", "user", "content",
			  json_pack("{s:s, s:s, s:s}", "type", "image",
				    "media_type", "image/png", "data", "aGk="));
	talk.turns++;
	harness()->say(&talk);
	must_have_heard_only("fail UNSUPPORTED opencode: fake/fake-model takes "
			     "no images\n");
	talk.model = NULL;
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

static void
the_first_cause_of_a_failure_is_told(void **state_)
{
	open_session("ses_1");
	say("hi");
	tells("session.error", "\"error\":{\"name\":\"UnknownError\",\"data\":"
			       "{\"message\":\"no such model\"}}");
	tells("session.error", "\"error\":{\"name\":\"UnknownError\",\"data\":"
			       "{\"message\":\"no such turn\"}}");
	assert_true(http_notes_answer(204, STR("")));
	assert_true(http_notes_answer(200, STR("true")));
	assert_true(http_notes_answer(200, STR("{}")));
	assert_true(was_heard("fail HARNESS opencode: no such model"));
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test(what_is_said_is_text),
		test(an_image_is_passed_on_as_data),
		test(a_document_is_passed_on_with_its_name),
		test(what_the_model_does_not_take_is_refused),
		test(an_image_by_its_url_is_refused),
		test(a_history_becomes_part_of_the_session),
		test(a_long_history_shows_how_far_it_is),
		test(a_history_that_it_does_not_take_is_told_as_text),
		test(a_history_with_tools_is_told_as_text),
		test(a_post_that_is_refused_fails_the_turn),
		test(a_stop_waits_until_the_post_is_answered),
		test(a_stop_waits_until_the_directory_is_prepared),
		test(a_turn_that_cannot_begin_is_stopped_in_any_directory),
		test(the_first_cause_of_a_failure_is_told),
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
