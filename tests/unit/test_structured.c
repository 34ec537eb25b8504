/* What workers/cli/structured promises: which JSON in an answer counts, and the
 * words that ask for it. */
#include "unit.h"

#include "proto/buf.h"
#include "workers/cli/structured.h"

static struct options
wants(const char *schema)
{
	struct options o = { .format = FORMAT_OBJECT };

	if (!schema)
		return o;
	o.format = FORMAT_SCHEMA;
	o.schema = json_pack("{s:s, s:o, s:b}", "name", "x", "schema",
			     json_loads(schema, 0, NULL), "strict", 1);
	return o;
}

#define A_NUMBER                                                             \
	"{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"number\"}}," \
	"\"required\":[\"n\"],\"additionalProperties\":false}"

static const struct {
	const char *schema, *answer, *json, *why;
} answers[] = {
	{ A_NUMBER, " {\"n\": 1.50} \n", "{\"n\": 1.50}", NULL },
	{ A_NUMBER, "{\"n\":123456789012345678901234567890}",
	  "{\"n\":123456789012345678901234567890}", NULL },
	{ A_NUMBER, "```json\n{\"n\":1}\n```", "{\"n\":1}", NULL },
	{ A_NUMBER, "Sure:\n\n```\n{\"n\":1}\n```\nThat is it.", "{\"n\":1}",
	  NULL },
	{ A_NUMBER, "Here {it} is: {\"n\":1}, and that is all.", "{\"n\":1}",
	  NULL },
	{ A_NUMBER, "Draft: {\"n\":1}\nFinal: {\"n\":2}", "{\"n\":2}", NULL },
	{ A_NUMBER, "{\"n\":1} {\"other\":2}", "{\"n\":1}", NULL },
	/* what is inside another value may fit by chance */
	{ A_NUMBER, "{\"answer\":{\"n\":1}}", NULL,
	  "$: must have a member \"n\"" },
	{ A_NUMBER, "Well: {\"answer\":{\"n\":1}}", NULL,
	  "$: must have a member \"n\"" },
	{ A_NUMBER, "{\"n\":\"1\"}", NULL,
	  "$.n: must be of the type number, and is a string" },
	{ A_NUMBER, "I cannot do that.", NULL,
	  "it is not JSON: invalid token near 'I', at byte 1" },
	{ A_NUMBER, "", NULL, "it is empty" },
	{ A_NUMBER, "{\"n\":1", NULL,
	  "it is not JSON: '}' expected near end of file, at byte 6" },
	{ "{\"type\":\"string\"}", "\"a {\\\"n\\\":1}\"", "\"a {\\\"n\\\":1}\"",
	  NULL },
	{ "{\"type\":\"string\",\"minLength\":1}", "\"a\\u0000b\"",
	  "\"a\\u0000b\"", NULL },
	{ NULL, "{}", "{}", NULL },
	{ NULL, "[1]", NULL, "$: must be of the type object, and is an array" },
};

static void
the_json_of_an_answer_is_found_or_the_error_says_why_not(void **state)
{
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		struct options o = wants(answers[i].schema);
		struct error e = { 0 };
		struct str json;

		if (!structured_find(str_of(answers[i].answer), &o, &json,
				     &e)) {
			assert_string_equal(e.text, answers[i].why);
			assert_int_equal(e.code, ERR_INVALID_OUTPUT);
		} else {
			assert_non_null(answers[i].json);
			assert_str(json, answers[i].json);
		}
		json_decref(o.schema);
	}
}

static void
a_long_answer_without_json_costs_little(void **state)
{
	struct options o = wants(A_NUMBER);
	struct buf answer = BUF_INIT(8 << 20);
	struct error e = { 0 };
	struct str json;

	for (int i = 0; i < 1 << 20; i++)
		buf_put(&answer, STR("[ {`"));
	assert_false(structured_find(buf_str(&answer), &o, &json, &e));
	buf_fini(&answer);
	json_decref(o.schema);
}

static const char *
last_text(const json_t *messages)
{
	const json_t *last =
		json_array_get(messages, json_array_size(messages) - 1);
	const json_t *content = json_object_get(last, "content");

	return json_string_value(json_object_get(
		json_array_get(content, json_array_size(content) - 1), "text"));
}

static void
it_is_asked_for_at_the_end_of_the_question(void **state)
{
	json_t *messages = json_loads(
		"[{\"role\":\"user\",\"content\":[{\"type\":\"text\","
		"\"text\":\"hello\"}]}]",
		0, NULL);
	json_t *before = json_deep_copy(messages);
	struct options o = wants("{\"type\":\"string\"}");
	json_t *asked = structured_ask(messages, &o);

	assert_true(json_equal(messages, before));
	assert_non_null(strstr(last_text(asked), "{\"type\":\"string\"}"));
	json_decref(asked);
	json_decref(o.schema);
	o = wants(NULL);
	asked = structured_ask(messages, &o);
	assert_non_null(strstr(last_text(asked), "one JSON object"));
	json_decref(asked);
	json_decref(messages);
	json_decref(before);
}

static void
it_is_asked_for_again_with_what_was_wrong(void **state)
{
	struct options o = wants("{\"type\":\"string\"}");
	const struct error why = { .text = "$.x: 100% wrong" };
	json_t *again = json_pack("[o]", structured_ask_again(&o, &why, false));

	assert_non_null(strstr(last_text(again), "$.x: 100% wrong"));
	assert_non_null(strstr(last_text(again), "{\"type\":\"string\"}"));
	json_decref(again);
	again = json_pack("[o]", structured_ask_again(&o, &why, true));
	assert_non_null(strstr(last_text(again), "$.x: 100% wrong"));
	assert_null(strstr(last_text(again), "{\"type\":\"string\"}"));
	json_decref(again);
	json_decref(o.schema);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			the_json_of_an_answer_is_found_or_the_error_says_why_not),
		cmocka_unit_test(a_long_answer_without_json_costs_little),
		cmocka_unit_test(it_is_asked_for_at_the_end_of_the_question),
		cmocka_unit_test(it_is_asked_for_again_with_what_was_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
