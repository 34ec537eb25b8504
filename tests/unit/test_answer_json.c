/* An answer that is collected is whole, or an error: never a part of itself */
#include "gateway/exchange.h"
#include "tests/unit/answers.h"

static struct request request;
static struct exchange x;

static void
begins(void)
{
	answers_init(&request);
	x = (struct exchange){ .request = &request,
			       .text = BUF_INIT(MAX_ANSWER),
			       .reasoning = BUF_INIT(MAX_ANSWER),
			       .tools = BUF_INIT(MAX_ANSWER) };
	x.worker = xcalloc(1, sizeof *x.worker);
	x.worker->name = copy(STR("echo"));
	stamp_init(&x.stamp, 1, STR("echo/x"), false);
}

static void
ends(void)
{
	stamp_fini(&x.stamp);
	free(x.worker->name);
	free(x.worker);
	free(x.session);
	free(x.ignored);
	buf_fini(&x.text);
	buf_fini(&x.reasoning);
	buf_fini(&x.tools);
	answers_fini(&request);
}

static void
finishes(enum finish_reason reason)
{
	const struct msg_finish m = { .reason = reason };

	answer_whole.finish(&x, &m);
}

static void
pieces_become_one_answer(void **state)
{
	const char *text, *reasoning;
	json_t *answer, *tools;

	begins();
	answer_whole.text(&x, DELTA_REASONING, STR("hm"));
	answer_whole.text(&x, DELTA_TEXT, STR("one "));
	answer_whole.tool(&x, STR("{\"id\":\"a\"}"));
	answer_whole.text(&x, DELTA_TEXT, STR("\"two\""));
	answer_whole.tool(&x, STR("{\"id\":\"b\"}"));
	assert_int_equal(answered.count, 0);
	finishes(FINISH_STOP);
	assert_int_equal(answered.count, 1);
	assert_int_equal(answered.status, 200);
	answer = answers_json();
	assert_int_equal(json_unpack(answer, "{s:[{s:{s:s, s:s}}], s:{s:o}}",
				     "choices", "message", "content", &text,
				     "reasoning_content", &reasoning, "bridge",
				     "tools", &tools),
			 0);
	assert_string_equal(text, "one \"two\"");
	assert_string_equal(reasoning, "hm");
	assert_int_equal(json_array_size(tools), 2);
	json_decref(answer);
	ends();
}

static void
an_answer_of_nothing_is_still_one(void **state)
{
	const char *text, *reason;
	json_t *answer;

	begins();
	finishes(FINISH_LENGTH);
	answer = answers_json();
	assert_int_equal(json_unpack(answer, "{s:[{s:{s:s}, s:s}]}", "choices",
				     "message", "content", &text,
				     "finish_reason", &reason),
			 0);
	assert_string_equal(text, "");
	assert_string_equal(reason, "length");
	json_decref(answer);
	ends();
}

static void
its_headers_say_what_became_of_its_session(void **state)
{
	begins();
	x.session = copy(STR("s1"));
	finishes(FINISH_STOP);
	assert_string_equal(answers_header(&request, "X-Bridge-Harness"),
			    "echo");
	assert_string_equal(answers_header(&request, "X-Session-Id"), "s1");
	assert_null(answers_header(&request, "X-Bridge-Ignored"));
	ends();
}

static void
what_is_ignored_is_named_in_the_answer(void **state)
{
	const char *first, *second;
	json_t *answer;

	begins();
	x.ignored = copy(STR("n, messages.content.a-b"));
	finishes(FINISH_STOP);
	answer = answers_json();
	assert_int_equal(json_unpack(answer, "{s:{s:[s, s!]}}", "bridge",
				     "ignored", &first, &second),
			 0);
	assert_string_equal(first, "n");
	assert_string_equal(second, "messages.content.a-b");
	assert_string_equal(answers_header(&request, "X-Bridge-Ignored"),
			    "n, messages.content.a-b");
	json_decref(answer);
	ends();
}

static void
a_failure_gives_nothing_of_what_was_said(void **state)
{
	struct error e = { 0 };

	begins();
	x.accepted = true;
	answer_whole.text(&x, DELTA_TEXT, STR("half a sen"));
	fail_with(&e, ERR_CRASHED, "it crashed");
	answer_whole.failed(&x, &e);
	assert_int_equal(answered.status, 502);
	assert_null(strstr(answered.body, "half a sen"));
	assert_string_equal(answers_header(&request, "X-Bridge-Harness"),
			    "echo");
	ends();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_become_one_answer),
		cmocka_unit_test(an_answer_of_nothing_is_still_one),
		cmocka_unit_test(its_headers_say_what_became_of_its_session),
		cmocka_unit_test(what_is_ignored_is_named_in_the_answer),
		cmocka_unit_test(a_failure_gives_nothing_of_what_was_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
