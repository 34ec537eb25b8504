/* What a turn has used, as chat completions say it: byte for byte */
#include "unit.h"

#include "gateway/chat/usage.h"

static void
is_written(const struct msg_finish *m, const char *want)
{
	struct buf b = BUF_INIT(4096);

	usage_write(&b, m);
	assert_str(buf_str(&b), want);
	buf_fini(&b);
}

static void
all_that_is_known_is_written(void **state)
{
	const struct msg_finish m = {
		.reason = FINISH_STOP,
		.input = amount_of(440),
		.cached = amount_of(400),
		.written = amount_of(30),
		.output = amount_of(12),
		.reasoning = amount_of(7),
		.cost = amount_of(400000),
		.cost_source = STR("a \"price\""),
	};

	is_written(&m,
		   "{\"prompt_tokens\":440,\"completion_tokens\":12,"
		   "\"total_tokens\":452,\"prompt_tokens_details\":"
		   "{\"cached_tokens\":400,\"cache_write_tokens\":30},"
		   "\"completion_tokens_details\":{\"reasoning_tokens\":7},"
		   "\"cost_usd\":0.0004,\"cost_source\":\"a \\\"price\\\"\"}");
}

static void
a_detail_that_is_not_known_is_left_out_and_zero_is_not(void **state)
{
	struct msg_finish m = { .input = amount_of(1), .output = amount_of(0) };

	is_written(&m, "{\"prompt_tokens\":1,\"completion_tokens\":0,"
		       "\"total_tokens\":1}");
	m.written = amount_of(0);
	m.reasoning = amount_of(0);
	is_written(&m,
		   "{\"prompt_tokens\":1,\"completion_tokens\":0,"
		   "\"total_tokens\":1,\"prompt_tokens_details\":"
		   "{\"cache_write_tokens\":0},"
		   "\"completion_tokens_details\":{\"reasoning_tokens\":0}}");
	m.written = m.reasoning = (struct amount){ 0 };
	m.cached = amount_of(0);
	is_written(&m, "{\"prompt_tokens\":1,\"completion_tokens\":0,"
		       "\"total_tokens\":1,\"prompt_tokens_details\":"
		       "{\"cached_tokens\":0}}");
}

static void
extends(const struct msg_finish *m, const char *cache, const char *want)
{
	struct buf b = BUF_INIT(4096);

	buf_put(&b, STR("{"));
	usage_write_extension(&b, m, cache);
	assert_str(buf_str(&b), want);
	buf_fini(&b);
}

/* Clients with types read three numbers without asking whether they are there.
 */
static void
there_is_no_usage_with_a_number_that_nobody_has_told(void **state)
{
	struct msg_finish m = { .reason = FINISH_STOP };

	assert_false(usage_is_whole(&m));
	is_written(&m, "null");
	extends(&m, NULL, "{");
	m.output = amount_of(3);
	is_written(&m, "null");
	extends(&m, NULL, "{\"bridge\":{\"usage\":{\"completion_tokens\":3}}");
	m.output = (struct amount){ 0 };
	m.cost = amount_of(5000000);
	m.cost_source = STR("agent");
	extends(&m, NULL,
		"{\"bridge\":{\"usage\":{\"cost_usd\":0.005,"
		"\"cost_source\":\"agent\"}}");
	m.input = amount_of(1);
	m.output = amount_of(3);
	assert_true(usage_is_whole(&m));
	extends(&m, NULL, "{");
}

static void
what_a_cache_did_is_told_with_numbers_if_they_are_known(void **state)
{
	struct msg_finish m = { .input = amount_of(1), .output = amount_of(3) };
	auto_free char *word = usage_cache_header("warm", &m), *early, *all;

	assert_string_equal(word, "warm");
	extends(&m, "warm", "{\"bridge\":{\"cache\":{\"how\":\"warm\"}}");
	m.expected = amount_of(1200);
	m.again = amount_of(0);
	m.fresh = amount_of(1300);
	m.rebilled = amount_of(1);
	extends(&m, "resumed",
		"{\"bridge\":{\"cache\":{\"how\":\"resumed\","
		"\"expected\":1200,\"cached\":0,\"fresh\":1300,"
		"\"rebilled\":true}}");
	m.rebilled = amount_of(0);
	early = usage_cache_header("resumed", NULL);
	assert_string_equal(early, "resumed");
	all = usage_cache_header("resumed", &m);
	assert_string_equal(all, "resumed; expected=1200; cached=0; "
				 "fresh=1300; rebilled=false");
}

static void
costs(uint64_t nanodollars, const char *want)
{
	const struct msg_finish m = { .input = amount_of(0),
				      .output = amount_of(0),
				      .cost = amount_of(nanodollars) };
	auto_free char *all =
		copy_format("{\"prompt_tokens\":0,\"completion_tokens\":0,"
			    "\"total_tokens\":0,\"cost_usd\":%s}",
			    want);

	is_written(&m, all);
}

static void
costs_are_dollars_to_the_last_digit(void **state)
{
	costs(0, "0.0");
	costs(1, "0.000000001");
	costs(100000000, "0.1");
	costs(2000000000, "2.0");
	costs(12345678900, "12.3456789");
	costs(MAX_COST_NANODOLLARS, "1125899.906842624");
}

static void
the_largest_numbers_are_json(void **state)
{
	const struct msg_finish m = { .input = amount_of(MAX_TOKENS),
				      .output = amount_of(MAX_TOKENS) };

	is_written(&m, "{\"prompt_tokens\":1099511627776,"
		       "\"completion_tokens\":1099511627776,"
		       "\"total_tokens\":2199023255552}");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_is_known_is_written),
		cmocka_unit_test(
			a_detail_that_is_not_known_is_left_out_and_zero_is_not),
		cmocka_unit_test(
			there_is_no_usage_with_a_number_that_nobody_has_told),
		cmocka_unit_test(
			what_a_cache_did_is_told_with_numbers_if_they_are_known),
		cmocka_unit_test(costs_are_dollars_to_the_last_digit),
		cmocka_unit_test(the_largest_numbers_are_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
