/* What workers/passthrough/model_list promises. */
#include "unit.h"

#include "workers/passthrough/model_list.h"

static struct buf rows;
static unsigned left_out;

static void
becomes(const char *answer, const char *want)
{
	rows = BUF_INIT(4096);
	must(model_list_read(&rows, "acme", str_of(answer), &left_out, &e));
	assert_str(buf_str(&rows), want);
	buf_fini(&rows);
}

#define ROW(id) \
	"{\"id\":\"acme/" id "\",\"object\":\"model\",\"owned_by\":\"acme\"}"

static void
a_list_may_stand_alone_or_be_the_data(void **state)
{
	becomes("{\"object\":\"list\",\"data\":[{\"id\":\"a\"},{\"id\":\"b/"
		"c\"}]"
		"}",
		ROW("a") "," ROW("b/c"));
	becomes(" [ {\"id\":\"a\"} ] ", ROW("a"));
	becomes("\xef\xbb\xbf{\"data\":[{\"id\":\"a\"}]}", ROW("a"));
	becomes("{\"data\":[]}", "");
	becomes("{\"d\\u0061ta\":[{\"\\u0069d\":\"a\"}]}", ROW("a"));
}

static void
what_is_known_of_a_model_is_kept(void **state)
{
	becomes("[{\"id\":\"a\",\"created\":1.7e9,\"owned_by\":\"them\","
		"\"name\":\"The A\",\"context_length\":128000}]",
		"{\"id\":\"acme/"
		"a\",\"object\":\"model\",\"created\":1700000000,"
		"\"owned_by\":\"acme\",\"upstream_owned_by\":\"them\","
		"\"name\":\"The A\",\"context_length\":128000}");
}

static void
a_bad_value_costs_no_more_than_its_field(void **state)
{
	static const char *const fields[] = {
		"\"created\":null",
		"\"created\":\"1700000000\"",
		"\"created\":-1",
		"\"created\":1e999",
		"\"created\":1e99",
		"\"owned_by\":7",
		"\"owned_by\":\"\\ud83d\"",
		"\"name\":\"a\\u0000b\"",
		"\"name\":\"a\\nb\"",
		"\"name\":\"\xff\"",
		"\"pricing\":{\"x\":[1e999,\"\\ud83d\",99999999999999999999]}",
		"\"context_length\":[]",
		"\"x\":NaN",
	};

	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		auto_free char *answer = copy_format(
			"{\"data\":[{%s,\"id\":\"a\"}]}", fields[i]);

		becomes(answer, ROW("a"));
		assert_int_equal(left_out, 0);
	}
}

static void
a_row_without_an_id_costs_no_more_than_itself(void **state)
{
	static const char *const bad[] = {
		"{}",
		"null",
		"7",
		"\"a\"",
		"[]",
		"{\"id\":7}",
		"{\"id\":null}",
		"{\"id\":\"\"}",
		"{\"id\":\"a\\u0000b\"}",
		"{\"id\":\"a\\nb\"}",
		"{\"id\":\"\\ud83d\"}",
		"{\"id\":\"\xff\"}",
		"{\"id\":{\"id\":1}}",
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		auto_free char *answer = copy_format(
			"{\"data\":[{\"id\":\"a\"},%s,{\"id\":\"b\"}]}",
			bad[i]);

		becomes(answer, ROW("a") "," ROW("b"));
		assert_int_equal(left_out, 1);
	}
}

static void
of_a_list_that_is_cut_what_is_whole_counts(void **state)
{
	const char *whole = "{\"data\":[{\"id\":\"a\"},{\"id\":\"b\"}]}";
	size_t first = strlen("{\"data\":[{\"id\":\"a\"}");

	for (size_t len = strlen("{\"data\":["); len < strlen(whole); len++) {
		auto_free char *answer = copy((struct str){ whole, len });

		if (len < first)
			becomes(answer, "");
		else if (len < strlen(whole) - 2)
			becomes(answer, ROW("a"));
		else
			becomes(answer, ROW("a") "," ROW("b"));
	}
}

static void
what_has_no_room_is_left_out(void **state)
{
	rows = BUF_INIT(256);
	must(model_list_read(
		&rows, "acme",
		STR("[{\"id\":\"a\"},{\"id\":\"b\"},{\"id\":\"c\"},"
		    "{\"id\":\"d\"},{\"id\":\"e\"},{\"id\":\"f\"}]"),
		&left_out, &e));
	assert_int_equal(left_out, 1);
	assert_str(buf_str(&rows), ROW("a") "," ROW("b") "," ROW("c") "," ROW(
					   "d") "," ROW("e"));
	buf_fini(&rows);
}

static void
what_is_no_list_is_an_error(void **state)
{
	static const char *const answers[] = {
		"",
		"<html>",
		"{}",
		"7",
		"{\"data\":null}",
		"{\"data\":{}}",
		"{\"models\":[{\"id\":\"a\"}]}",
		"{\"data\"",
		"{\"x\":\"",
	};

	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		rows = BUF_INIT(4096);
		must_fail(ERR_UPSTREAM, "it sent no list of models",
			  model_list_read(&rows, "acme", str_of(answers[i]),
					  &left_out, &e));
		buf_fini(&rows);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_may_stand_alone_or_be_the_data),
		cmocka_unit_test(what_is_known_of_a_model_is_kept),
		cmocka_unit_test(a_bad_value_costs_no_more_than_its_field),
		cmocka_unit_test(a_row_without_an_id_costs_no_more_than_itself),
		cmocka_unit_test(of_a_list_that_is_cut_what_is_whole_counts),
		cmocka_unit_test(what_has_no_room_is_left_out),
		cmocka_unit_test(what_is_no_list_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
