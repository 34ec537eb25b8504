/* What CLIs tell of a turn's end, read in their own words */
#include "unit.h"

#include "workers/cli/usage.h"

static const struct usage_names apart = {
	.input = "in",
	.cached = "cache.read",
	.written = "cache.write",
	.output = "out",
	.reasoning = "details.thought.tokens",
	.caches_are_apart = true,
	.reasoning_is_apart = true,
};

static const struct usage_names within = {
	.input = "in",
	.cached = "cached",
	.output = "out",
};

static void
reads(struct usage *u, const char *object, const struct usage_names *names)
{
	json_t *json = json_loads(object, JSON_DECODE_ANY, NULL);

	assert_non_null(json);
	usage_read(u, json, names);
	json_decref(json);
}

static void
is(struct amount a, uint64_t count)
{
	assert_true(a.is_known);
	assert_int_equal(a.count, count);
}

static void
is_not_known(struct amount a)
{
	assert_false(a.is_known);
	assert_int_equal(a.count, 0);
}

static void
what_a_cli_counts_apart_is_counted_in(void **state)
{
	struct usage u = { 0 };

	reads(&u,
	      "{\"in\":10,\"out\":5,\"cache\":{\"read\":400,\"write\":30},"
	      "\"details\":{\"thought\":{\"tokens\":7}}}",
	      &apart);
	is(u.input, 440);
	is(u.cached, 400);
	is(u.written, 30);
	is(u.output, 12);
	is(u.reasoning, 7);
	is_not_known(u.cost);
	assert_null(u.cost_source);
}

static void
what_it_counts_in_is_not_counted_twice(void **state)
{
	struct usage u = { 0 };

	reads(&u, "{\"in\":10,\"out\":5,\"cached\":4}", &within);
	is(u.input, 10);
	is(u.cached, 4);
	is(u.output, 5);
}

static void
what_has_no_name_or_is_left_out_stays_unknown(void **state)
{
	struct usage u = { 0 };

	reads(&u, "{\"in\":10,\"out\":5}", &within);
	is_not_known(u.cached);
	is_not_known(u.written);
	is_not_known(u.reasoning);
	u = (struct usage){ 0 };
	reads(&u, "{\"out\":5,\"cache\":{\"read\":400}}", &apart);
	is_not_known(u.input);
	is(u.cached, 400);
	is(u.output, 5);
}

static void
the_requests_of_a_turn_add_up(void **state)
{
	struct usage u = { .cost = amount_of(9), .cost_source = "x" };

	reads(&u, "{\"in\":10,\"out\":5,\"cached\":4}", &within);
	reads(&u, "{\"in\":1,\"out\":2,\"cached\":3}", &within);
	is(u.input, 11);
	is(u.cached, 7);
	is(u.output, 7);
	is(u.cost, 9);
	assert_string_equal(u.cost_source, "x");
}

static void
what_is_no_object_tells_nothing(void **state)
{
	static const char *const others[] = { "null", "7", "[1]", "\"in\"" };
	struct usage u = { 0 };

	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		reads(&u, others[i], &apart);
	usage_read(&u, NULL, &apart);
	is_not_known(u.input);
	is_not_known(u.output);
}

/* What stands where a number should is none, and no number is out of range. */
static void
odd_numbers_do_no_harm(void **state)
{
	struct usage u = { 0 };

	reads(&u, "{\"in\":-1,\"out\":\"5\",\"cached\":{}}", &within);
	is(u.input, 0);
	is_not_known(u.output);
	is_not_known(u.cached);
	reads(&u, "{\"in\":9223372036854775807,\"out\":1.5}", &within);
	reads(&u, "{\"in\":9223372036854775807,\"cache\":[{\"read\":1}]}",
	      &apart);
	is(u.input, MAX_TOKENS);
	is_not_known(u.cached);
}

static void
the_first_and_the_last_prompt_of_a_turn_are_kept(void **state)
{
	const struct usage_names sum = { .input = "in",
					 .output = "out",
					 .is_sum = true };
	struct usage u = { 0 };

	reads(&u, "{\"out\":5}", &within);
	is_not_known(u.first.all);
	reads(&u, "{\"in\":10,\"out\":5,\"cached\":4}", &within);
	reads(&u, "{\"in\":20,\"out\":5,\"cached\":9}", &within);
	reads(&u, "{\"in\":70,\"out\":5}", &sum);
	is(u.first.all, 10);
	is(u.first.cached, 4);
	is(u.last.all, 20);
	is(u.last.cached, 9);
	is(u.input, 100);
}

static void
the_prompt_of_a_turn_of_one_request_is_in_its_sum(void **state)
{
	const struct usage sum = { .input = amount_of(10),
				   .cached = amount_of(4) };
	struct usage u = sum;

	usage_settle(&u, TURN_USED_TOOLS);
	is_not_known(u.first.all);
	is_not_known(u.last.all);
	u = sum;
	usage_settle(&u, 0);
	is(u.first.all, 10);
	is(u.first.cached, 4);
	is(u.last.all, 10);
}

static void
zeros_of_a_cli_that_was_told_nothing_are_no_numbers(void **state)
{
	struct usage u = { .input = amount_of(0),
			   .cached = amount_of(0),
			   .written = amount_of(0),
			   .output = amount_of(3),
			   .reasoning = amount_of(0),
			   .cost = amount_of(0),
			   .cost_source = "x",
			   .first = { amount_of(0), amount_of(0) } };

	usage_settle(&u, 0);
	is_not_known(u.input);
	is_not_known(u.cached);
	is_not_known(u.written);
	is_not_known(u.reasoning);
	is_not_known(u.cost);
	is_not_known(u.first.all);
	is_not_known(u.first.cached);
	assert_null(u.cost_source);
	is(u.output, 3);
	u = (struct usage){ .input = amount_of(9),
			    .cached = amount_of(0),
			    .output = amount_of(0) };
	usage_settle(&u, 0);
	is(u.input, 9);
	is(u.cached, 0);
	is(u.output, 0);
	usage_settle(&u, TURN_SPOKE); /* the prompt is another one's */
	is_not_known(u.input);
	is_not_known(u.cached);
	is_not_known(u.output);
	is_not_known(u.first.all);
}

static void
costs_of_parts_add_up(void **state)
{
	struct usage u = { 0 };

	usage_add_cost(&u, usage_read_dollars(NULL), "x");
	is_not_known(u.cost);
	assert_null(u.cost_source);
	usage_add_cost(&u, amount_of(4), "x");
	usage_add_cost(&u, amount_of(5), "x");
	is(u.cost, 9);
	assert_string_equal(u.cost_source, "x");
	usage_add_cost(&u, amount_of(MAX_COST_NANODOLLARS), "x");
	is(u.cost, MAX_COST_NANODOLLARS);
}

static void
a_turn_is_what_was_used_since_the_sum_before_it(void **state)
{
	const struct usage before = { .input = amount_of(100),
				      .output = amount_of(50) };
	const struct usage now = { .input = amount_of(130),
				   .output = amount_of(7),
				   .cached = amount_of(3) };
	struct usage turn = usage_since(&now, &before);

	is(turn.input, 30);
	is(turn.output, 7); /* which was counted anew */
	is(turn.cached, 3);
	is_not_known(turn.reasoning);
}

static void
costs_are_nanodollars(void **state)
{
	is(usage_dollars(0.0004), 400000);
	is(usage_dollars(0.1 + 0.2), 300000000);
	is(usage_dollars(0), 0);
	is(usage_dollars(1e300), MAX_COST_NANODOLLARS);
	is_not_known(usage_dollars(-1));
	is_not_known(usage_dollars(0.0 / 0.0));
}

static void
only_a_known_word_is_a_reason(void **state)
{
	static const struct finish_word words[] = {
		{ "end_turn", FINISH_STOP },
		{ "max_tokens", FINISH_LENGTH },
		{ NULL, FINISH_NONE },
	};

	assert_int_equal(finish_reason_of(words, "max_tokens"), FINISH_LENGTH);
	assert_int_equal(finish_reason_of(words, "end_turn"), FINISH_STOP);
	assert_int_equal(finish_reason_of(words, "end"), FINISH_NONE);
	assert_int_equal(finish_reason_of(words, ""), FINISH_NONE);
	assert_int_equal(finish_reason_of(words, NULL), FINISH_NONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_cli_counts_apart_is_counted_in),
		cmocka_unit_test(what_it_counts_in_is_not_counted_twice),
		cmocka_unit_test(what_has_no_name_or_is_left_out_stays_unknown),
		cmocka_unit_test(the_requests_of_a_turn_add_up),
		cmocka_unit_test(what_is_no_object_tells_nothing),
		cmocka_unit_test(odd_numbers_do_no_harm),
		cmocka_unit_test(
			a_turn_is_what_was_used_since_the_sum_before_it),
		cmocka_unit_test(
			the_first_and_the_last_prompt_of_a_turn_are_kept),
		cmocka_unit_test(
			the_prompt_of_a_turn_of_one_request_is_in_its_sum),
		cmocka_unit_test(
			zeros_of_a_cli_that_was_told_nothing_are_no_numbers),
		cmocka_unit_test(costs_of_parts_add_up),
		cmocka_unit_test(costs_are_nanodollars),
		cmocka_unit_test(only_a_known_word_is_a_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
