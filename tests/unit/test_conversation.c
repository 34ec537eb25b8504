/* What workers/conversation promises. */
#include "tests/unit/unit.h"

#include "workers/conversation.h"

static struct conversation c;

static int
fini(void **state)
{
	conversation_fini(&c);
	return 0;
}

#define reads(body) must(conversation_read(&c, STR(body), &e))
#define refuses(code, why, body) \
	must_fail(code, why, conversation_read(&c, STR(body), &e))

static void
messages_are(const char *want)
{
	char *got = json_dumps(c.messages, JSON_COMPACT);

	assert_string_equal(got, want);
	free(got);
}

static void
a_string_and_an_array_of_parts_say_the_same(void **state)
{
	static const char want[] = "[{\"role\":\"user\",\"content\":"
				   "[{\"type\":\"text\",\"text\":\"hi\"}]}]";

	reads("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}");
	messages_are(want);
	fini(state);
	reads("{\"messages\":[{\"role\":\"user\",\"content\":"
	      "[{\"type\":\"text\",\"text\":\"hi\"}]}]}");
	messages_are(want);
}

static void
all_system_and_developer_messages_are_the_system_prompt(void **state)
{
	reads("{\"messages\":[{\"role\":\"system\",\"content\":\"a\"},"
	      "{\"role\":\"user\",\"content\":\"hi\"},"
	      "{\"role\":\"developer\",\"content\":"
	      "[{\"type\":\"text\",\"text\":\"b\"}]}]}");
	assert_string_equal(c.system, "a\n\nb");
	assert_int_equal(json_array_size(c.messages), 1);
}

static void
calls_of_tools_and_their_results_are_kept(void **state)
{
	reads("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},"
	      "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":"
	      "[{\"id\":\"c1\",\"type\":\"function\",\"function\":"
	      "{\"name\":\"look\",\"arguments\":\"{}\"}}]},"
	      "{\"role\":\"tool\",\"tool_call_id\":\"c1\","
	      "\"content\":\"seen\"}]}");
	assert_int_equal(json_array_size(c.messages), 3);
	assert_int_equal(conversation_unanswered(&c), 2);
}

static void
what_nobody_honours_is_named(void **state)
{
	reads("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],"
	      "\"temperature\":0.5,\"n\":1,\"seed\":null,\"tools\":[],"
	      "\"logprobs\":true,\"user\":\"me\",\"stream\":true}");
	assert_string_equal(c.ignored, "temperature, logprobs");
}

static void
an_error_names_the_place(void **state)
{
	refuses(ERR_INVALID,
		"messages[1].role must be system, developer, user, assistant "
		"or tool",
		"{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},"
		"{\"role\":\"robot\",\"content\":\"hi\"}]}");
	refuses(ERR_UNSUPPORTED,
		"messages[0].content[1].type is not supported: text, "
		"image_url, input_text and input_image are",
		"{\"messages\":[{\"role\":\"user\",\"content\":"
		"[{\"type\":\"text\",\"text\":\"x\"},{\"type\":\"video\"}]}]}");
}

static void
the_last_word_must_be_the_users_and_not_be_blank(void **state)
{
	static const char why[] =
		"messages: the last one must say something, and be of the "
		"user or a tool";

	refuses(ERR_INVALID, why,
		"{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},"
		"{\"role\":\"assistant\",\"content\":\"ho\"}]}");
	refuses(ERR_INVALID, why,
		"{\"messages\":[{\"role\":\"user\",\"content\":\" \\n \"}]}");
}

static void
an_answer_is_known_again_whatever_its_white_space(void **state)
{
	uint64_t said = answer_add(answer_add(ANSWER_EMPTY, STR("Hello, ")),
				   STR("world.\n"));

	reads("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},"
	      "{\"role\":\"assistant\",\"content\":\"Hello,\\nworld.\"},"
	      "{\"role\":\"user\",\"content\":\"hi\"}]}");
	assert_true(conversation_answer(&c, 1) == said);
	assert_true(conversation_answer(&c, 0) == 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(
			a_string_and_an_array_of_parts_say_the_same, fini),
		cmocka_unit_test_teardown(
			all_system_and_developer_messages_are_the_system_prompt,
			fini),
		cmocka_unit_test_teardown(
			calls_of_tools_and_their_results_are_kept, fini),
		cmocka_unit_test_teardown(what_nobody_honours_is_named, fini),
		cmocka_unit_test(an_error_names_the_place),
		cmocka_unit_test(
			the_last_word_must_be_the_users_and_not_be_blank),
		cmocka_unit_test_teardown(
			an_answer_is_known_again_whatever_its_white_space,
			fini),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
