/* What workers/cli/client_content promises. */
#include "tests/unit/unit.h"

#include "workers/cli/client_content.h"
#include "workers/io/json.h"

enum { MAX = 20 };

static json_t *content;

static void
adds(const char *parts)
{
	json_t *read = json_loads(parts, JSON_ALLOW_NUL, NULL);

	assert_non_null(read);
	json_decref(content);
	content = json_array();
	client_content_add(content, read, MAX);
	json_decref(read);
}

static void
is_text(size_t at, const char *text)
{
	assert_string_equal(json_text(json_array_get(content, at), "text"),
			    text);
}

static void
what_is_short_stays_as_it_is(void **state)
{
	adds("[{\"type\":\"text\",\"text\":\"01234567890123456789\"}]");
	assert_int_equal(json_array_size(content), 1);
	is_text(0, "01234567890123456789");
}

static void
of_what_is_long_both_ends_stay(void **state)
{
	adds("[{\"type\":\"text\",\"text\":\"begin 1234567890123 the end\"}]");
	is_text(0, "begin 1234\n[... 7 bytes are left out here, because the "
		   "result is too long ...]\n23 the end");
}

static void
all_texts_together_have_the_room(void **state)
{
	adds("[{\"type\":\"text\",\"text\":\"012345678901\"},"
	     "{\"type\":\"text\",\"text\":\"abcdefghijkl\"},"
	     "{\"type\":\"text\",\"text\":\"x\"}]");
	assert_int_equal(json_array_size(content), 3);
	is_text(0, "012345678901");
	is_text(1, "abcd\n[... 4 bytes are left out here, because the result "
		   "is too long ...]\nijkl");
	is_text(2, "\n[... 1 bytes are left out here, because the result is "
		   "too long ...]\n");
}

static void
no_character_is_cut_in_two(void **state)
{
	adds("[{\"type\":\"text\",\"text\":"
	     "\"a\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4"
	     "\\u00e4\\u00e4\\u00e4\\u00e4b\"}]");
	is_text(0, "a\u00e4\u00e4\u00e4\u00e4\n[... 6 bytes are left out here, "
		   "because the result is too long ...]\n"
		   "\u00e4\u00e4\u00e4\u00e4b");
}

static void
a_nul_is_kept(void **state)
{
	adds("[{\"type\":\"text\",\"text\":"
	     "\"a\\u0000c and so on until it ends\"}]");
	assert_memory_equal(json_text(json_array_get(content, 0), "text"),
			    "a\0c and", 7);
}

static int
teardown(void **state)
{
	json_decref(content);
	content = NULL;
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(what_is_short_stays_as_it_is,
					  teardown),
		cmocka_unit_test_teardown(of_what_is_long_both_ends_stay,
					  teardown),
		cmocka_unit_test_teardown(all_texts_together_have_the_room,
					  teardown),
		cmocka_unit_test_teardown(no_character_is_cut_in_two, teardown),
		cmocka_unit_test_teardown(a_nul_is_kept, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
