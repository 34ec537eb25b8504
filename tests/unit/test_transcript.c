/*
 * A conversation told in words has all of it in it, in its order, and says
 * who said what.
 */
#include "tests/unit/unit.h"

#include "workers/cli/parts.h"
#include "workers/cli/transcript.h"

static json_t *
json_of(const char *text)
{
	json_t *json = json_loads(text, JSON_ALLOW_NUL, NULL);

	assert_non_null(json);
	return json;
}

/* Takes `json`. */
static void
is(json_t *json, const char *want)
{
	json_t *wanted = json_of(want);

	assert_true(json_equal(json, wanted));
	json_decref(wanted);
	json_decref(json);
}

static void
nothing_becomes_nothing(void **state)
{
	struct conversation t = { 0 };

	assert_null(transcript_system(&t));
	assert_null(transcript_history(&t));
	is(transcript_preface(&t), "[]");
	is(json_pack("[o]", transcript_text(NULL)), "[\"\"]");
}

static void
a_system_prompt_is_marked(void **state)
{
	struct conversation t = { .system = "Be \0brief", .system_len = 9 };

	is(transcript_system(&t),
	   "{\"type\":\"text\",\"text\":"
	   "\"<system>\\nBe \\u0000brief\\n</system>\\n\\n\"}");
}

static void
who_said_what_is_told_in_order(void **state)
{
	json_t *history = json_of(
		"[{\"role\":\"user\",\"content\":["
		"{\"type\":\"text\",\"text\":\"hi\\u0000\"}]},"
		"{\"role\":\"assistant\",\"content\":["
		"{\"type\":\"text\",\"text\":\"I look\"},"
		"{\"type\":\"tool_call\",\"id\":\"c1\",\"name\":\"ls\","
		"\"arguments\":\"{}\"}]},"
		"{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\","
		"\"id\":\"c1\",\"name\":\"ls\",\"arguments\":\"{}\","
		"\"content\":[{\"type\":\"text\",\"text\":\"a b\"}]}]}]");
	struct conversation t = { .history = history };

	is(transcript_history(&t),
	   "[{\"type\":\"text\",\"text\":\"The conversation so far:\\n"
	   "\\n<user>\\nhi\\u0000\\n</user>\\n"
	   "\\n<assistant>\\nI look\\n"
	   "<tool_call id=\\\"c1\\\" name=\\\"ls\\\">\\n{}\\n</tool_call>\\n"
	   "</assistant>\\n"
	   "\\n<user>\\n<tool_result id=\\\"c1\\\">\\na b\\n</tool_result>\\n"
	   "</user>\\n"
	   "\\nEnd of the conversation so far. The user goes on with the next "
	   "message:\\n\\n\"}]");
	json_decref(history);
}

static const char picture[] = "[{\"role\":\"user\",\"content\":["
			      "{\"type\":\"text\",\"text\":\"look:\"},"
			      "{\"type\":\"image\",\"url\":\"http://a/b\"},"
			      "{\"type\":\"text\",\"text\":\"nice?\"}]}]";

static void
images_stay_in_their_places(void **state)
{
	json_t *history = json_of(picture), *parts;
	struct conversation t = { .history = history,
				  .system = "s",
				  .system_len = 1 };

	parts = transcript_preface(&t);
	assert_int_equal(json_array_size(parts), 4);
	is(json_incref(json_array_get(parts, 2)),
	   "{\"type\":\"image\",\"url\":\"http://a/b\"}");
	json_decref(parts);
	json_decref(history);
}

static void
no_text_stands_for_an_image(void **state)
{
	json_t *history = json_of(picture), *parts;
	struct conversation t = { .history = history };

	parts = transcript_history(&t);
	assert_null(transcript_text(parts));
	json_decref(parts);
	json_decref(history);
}

static const char round_of_calls[] =
	"[{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\","
	"\"id\":\"c1\",\"name\":\"look\",\"arguments\":\"{}\",\"content\":["
	"{\"type\":\"text\",\"text\":\"se\\u0000en\"},"
	"{\"type\":\"image\",\"url\":\"http://a/b\"},"
	"{\"type\":\"text\",\"text\":\"twice\"}],\"is_error\":true}]},"
	"{\"role\":\"user\",\"content\":["
	"{\"type\":\"text\",\"text\":\"so?\"}]}]";

static void
an_image_in_a_result_stays_in_it(void **state)
{
	json_t *history = json_of(round_of_calls);
	struct conversation t = { .history = history };

	is(transcript_history(&t),
	   "[{\"type\":\"text\",\"text\":\"The conversation so far:\\n"
	   "\\n<user>\\n<tool_result id=\\\"c1\\\" is_error=\\\"true\\\">\\n"
	   "se\\u0000en\\n\"},"
	   "{\"type\":\"image\",\"url\":\"http://a/b\"},"
	   "{\"type\":\"text\",\"text\":\"\\ntwice\\n</tool_result>\\n"
	   "</user>\\n\\n<user>\\nso?\\n</user>\\n"
	   "\\nEnd of the conversation so far. The user goes on with the next "
	   "message:\\n\\n\"}]");
	json_decref(history);
}

/* The CLI has not heard the call, and nothing of the result is left out. */
static void
a_result_in_a_question_is_told_with_its_call(void **state)
{
	json_t *messages = json_of(round_of_calls);
	struct conversation t = { .messages = messages };

	is(transcript_question(&t),
	   "[{\"type\":\"text\",\"text\":"
	   "\"<tool_call id=\\\"c1\\\" name=\\\"look\\\">\\n{}\\n</tool_call>"
	   "\\n<tool_result id=\\\"c1\\\" is_error=\\\"true\\\">\\n"
	   "se\\u0000en\\n\"},"
	   "{\"type\":\"image\",\"url\":\"http://a/b\"},"
	   "{\"type\":\"text\",\"text\":\"\\ntwice\\n</tool_result>\\n\"},"
	   "{\"type\":\"text\",\"text\":\"so?\"}]");
	t.from = 1;
	is(transcript_question(&t), "[{\"type\":\"text\",\"text\":\"so?\"}]");
	json_decref(messages);
}

/* What is not said fails; it is not left out. */
static void
a_part_without_a_handler_is_a_failure(void **state)
{
	static const struct part_handlers none = { .text = NULL };
	static const char image[] = "[{\"type\":\"image\",\"media_type\":"
				    "\"image/png\",\"data\":\"\"}]";
	static const char *const all[] = {
		"[{\"type\":\"text\",\"text\":\"a\"}]",
		image,
		"[{\"type\":\"image\",\"url\":\"http://a/b\"}]",
		"[{\"type\":\"tool_call\"}]",
		"[{\"type\":\"tool_result\"}]",
	};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		json_t *parts = json_of(all[i]);
		struct error why = { 0 };

		assert_false(parts_say(parts, &none, NULL, &why));
		assert_int_equal(why.code, ERR_UNSUPPORTED);
		json_decref(parts);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_becomes_nothing),
		cmocka_unit_test(a_system_prompt_is_marked),
		cmocka_unit_test(who_said_what_is_told_in_order),
		cmocka_unit_test(images_stay_in_their_places),
		cmocka_unit_test(no_text_stands_for_an_image),
		cmocka_unit_test(an_image_in_a_result_stays_in_it),
		cmocka_unit_test(a_result_in_a_question_is_told_with_its_call),
		cmocka_unit_test(a_part_without_a_handler_is_a_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
