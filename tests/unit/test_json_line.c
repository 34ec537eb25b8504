/* What is written to a CLI is one line, for every reader of lines. */
#include "tests/unit/unit.h"

#include "workers/io/json_line.h"

static void
is_written(const char *json, const char *want)
{
	json_t *value =
		json_loads(json, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
	auto_free char *got = NULL;

	assert_non_null(value);
	got = json_line_text(value);
	assert_string_equal(got, want);
	json_decref(value);
}

static void
what_ends_a_line_for_some_readers_is_an_escape(void **state)
{
	is_written("\"a\xe2\x80\xa8"
		   "b\xe2\x80\xa9"
		   "c\xc2\x85"
		   "d\"",
		   "\"a\\u2028b\\u2029c\\u0085d\"");
	is_written("\"\\u000B\\f\\r\\n\\u001C\\u0000\"",
		   "\"\\u000B\\f\\r\\n\\u001C\\u0000\"");
	is_written("{\"k\xe2\x80\xa8\":[\"\xe2\x80\xa9\"]}",
		   "{\"k\\u2028\":[\"\\u2029\"]}");
}

static void
their_neighbours_are_no_escapes(void **state)
{
	is_written("\"\xe2\x80\xa7\xe2\x80\xaa\xe2\x82\xac\xc2\x84\xc2\xa0\"",
		   "\"\xe2\x80\xa7\xe2\x80\xaa\xe2\x82\xac\xc2\x84\xc2\xa0\"");
}

/* Each character of the first planes, alone and among others. */
static void
everything_else_is_as_jansson_writes_it(void **state)
{
	json_t *all = json_array();
	auto_free char *want = NULL, *got = NULL;

	for (int c = 1; c < 0x3000; c++)
		if (c != 0x85 && c != 0x2028 && c != 0x2029) {
			auto_free char *one =
				copy_format("[\"x\\u%04x\\\"y\"]", c);
			json_t *list = json_loads(one, JSON_ALLOW_NUL, NULL);

			assert_non_null(list);
			json_array_append_new(all, list);
		}
	json_array_append_new(
		all, json_pack("{s:i, s:I, s:f, s:b, s:b, s:n, s:{}, s:[]}",
			       "a\"", -1, "b", (json_int_t)1 << 60, "c", 0.1,
			       "d", 1, "e", 0, "f", "g", "h"));
	want = json_dumps(all, JSON_COMPACT);
	got = json_line_text(all);
	assert_string_equal(got, want);
	json_decref(all);
}

static void
a_file_of_values_has_a_line_for_each(void **state)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	json_t *value = json_pack("{s:s}", "a", "\xe2\x80\xa8");

	json_line_write(f, value);
	json_line_write(f, value);
	fclose(f);
	assert_string_equal(text, "{\"a\":\"\\u2028\"}\n{\"a\":\"\\u2028\"}\n");
	free(text);
	json_decref(value);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			what_ends_a_line_for_some_readers_is_an_escape),
		cmocka_unit_test(their_neighbours_are_no_escapes),
		cmocka_unit_test(everything_else_is_as_jansson_writes_it),
		cmocka_unit_test(a_file_of_values_has_a_line_for_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
