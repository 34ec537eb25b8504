/* Which orders ask for the same. */
#include "unit.h"

#include "workers/worker/identity.h"

static const struct msg_submit plain = {
	.harness = STR("claude"),
	.model = STR("sonnet"),
	.session = STR("s"),
	.body = STR("{\"model\":\"claude/sonnet\",\"stream\":true,"
		    "\"messages\":[{\"role\":\"user\",\"content\":\"a b\"}]}"),
};

static bool
asks_for_the_same(struct str body)
{
	struct msg_submit m = plain;

	m.body = body;
	return identity_of(&m) == identity_of(&plain);
}

static void
the_same_is_the_same(void **state)
{
	assert_true(asks_for_the_same(plain.body));
	assert_int_not_equal(identity_of(&plain), 0);
}

static void
white_space_between_tokens_makes_no_difference(void **state)
{
	assert_true(asks_for_the_same(
		STR(" { \"model\" : \"claude/sonnet\",\n\t\"stream\" : true , "
		    "\"messages\":[ {\"role\":\"user\", \"content\":\"a b\"} ] "
		    "}\r\n")));
	assert_false(asks_for_the_same(
		STR("{\"model\":\"claude/sonnet\",\"stream\":true,"
		    "\"messages\":[{\"role\":\"user\",\"content\":\"ab\"}]}")));
}

static void
the_form_of_the_answer_makes_no_difference(void **state)
{
	assert_true(asks_for_the_same(STR(
		"{\"model\":\"claude/sonnet\","
		"\"messages\":[{\"role\":\"user\",\"content\":\"a b\"}]}")));
	assert_true(asks_for_the_same(STR(
		"{\"stream\":false,\"model\":\"claude/sonnet\","
		"\"messages\":[{\"role\":\"user\",\"content\":\"a b\"}],"
		"\"stream_options\":{\"include_usage\":true,\"x\":[1,{}]}}")));
}

/* Only the body itself has these two fields, and only as names. */
static void
a_field_that_is_called_alike_elsewhere_counts(void **state)
{
	assert_false(asks_for_the_same(
		STR("{\"model\":\"claude/sonnet\",\"stream\":true,"
		    "\"messages\":[{\"role\":\"user\",\"content\":\"a b\","
		    "\"stream\":true}]}")));
	assert_false(asks_for_the_same(STR(
		"{\"model\":\"claude/sonnet\",\"user\":\"stream\","
		"\"messages\":[{\"role\":\"user\",\"content\":\"a b\"}]}")));
}

static void
every_other_field_counts(void **state)
{
	struct msg_submit others[] = { plain, plain, plain, plain, plain };

	others[0].harness = STR("codex");
	others[1].model = STR("opus");
	others[2].session = STR("t");
	others[3].cwd = STR("/");
	others[4].dialect = DIALECT_EMBEDDINGS;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		assert_int_not_equal(identity_of(&others[i]),
				     identity_of(&plain));
}

/* What is no JSON is for the engine to refuse. */
static void
any_bytes_have_an_identity(void **state)
{
	const struct str bodies[] = {
		STR(""),	   STR("{"),
		STR("\""),	   STR("\"\\"),
		STR("\"\\\""),	   STR("}}]]"),
		STR("{\"strea\""), STR("\\\"\\\\"),
		STR("\0\xff{"),	   STR("{\"a\\\\\":1}"),
	};

	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		struct msg_submit m = plain;
		uint64_t identity;

		/* Exactly so many bytes, for the sanitizer. */
		m.body.ptr = memcpy(xcalloc(1, bodies[i].len + 1),
				    bodies[i].ptr, bodies[i].len);
		m.body.len = bodies[i].len;
		identity = identity_of(&m);
		for (size_t j = 0; j < i; j++) {
			struct msg_submit other = plain;

			other.body = bodies[j];
			assert_int_not_equal(identity, identity_of(&other));
		}
		free((char *)m.body.ptr);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_is_the_same),
		cmocka_unit_test(
			white_space_between_tokens_makes_no_difference),
		cmocka_unit_test(the_form_of_the_answer_makes_no_difference),
		cmocka_unit_test(a_field_that_is_called_alike_elsewhere_counts),
		cmocka_unit_test(every_other_field_counts),
		cmocka_unit_test(any_bytes_have_an_identity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
