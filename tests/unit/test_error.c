/* What proto/error promises. */
#include "unit.h"

#include <errno.h>

#include "proto/utf8.h"

static void
it_carries_a_code_and_a_text(void **state)
{
	must_fail(ERR_BAD_CWD, "no directory 7",
		  fail_with(&e, ERR_BAD_CWD, "no directory %d", 7));
}

static void
it_says_what_errno_says(void **state)
{
	errno = ENOENT;
	must_fail(ERR_SYSTEM, "open x: No such file or directory",
		  fail_errno(&e, "open %s", "x"));
}

static void
a_new_error_forgets_when_the_old_one_could_be_retried(void **state)
{
	struct error e = { .retry_ms = 5 };

	assert_false(fail_with(&e, ERR_INVALID, "x"));
	assert_int_equal(e.retry_ms, 0);
}

static void
it_knows_which_field_of_a_request_is_wrong(void **state)
{
	struct error e = { 0 };

	fail_about(&e, ERR_INVALID, "a.b[%d]: is wrong", 3);
	assert_int_equal(e.field_len, strlen("a.b[3]"));
	fail_about(&e, ERR_INVALID, "n is wrong");
	assert_int_equal(e.field_len, 1);
	fail_with(&e, ERR_INVALID, "n: is wrong");
	assert_int_equal(e.field_len, 0);
}

/* One more byte in front each time, so that the cut is at every place. */
static void
it_is_never_cut_inside_a_character(void **state)
{
	static char text[MAX_ERROR_TEXT * 2];
	struct error e;

	for (size_t front = 0; front < 4; front++) {
		memset(text, 'a', front);
		for (size_t i = front; i + 4 < sizeof text; i += 4)
			memcpy(text + i, "\xf0\x9f\x98\x80", 4);
		assert_false(fail_with(&e, ERR_INVALID, "%s", text));
		assert_true(utf8_valid(str_of(e.text)));
		assert_in_range(strlen(e.text), MAX_ERROR_TEXT - 5,
				MAX_ERROR_TEXT - 1);
	}
}

static void
every_code_has_a_name_and_a_status(void **state)
{
	for (enum error_code c = ERR_NONE + 1; c < ERROR_CODES; c++) {
		assert_true(*error_name(c) && *error_type(c) && *error_slug(c));
		assert_in_range(error_http(c), 400, 599);
	}
	assert_string_equal(error_slug(ERR_NO_MODEL), "model_not_found");
	assert_int_equal(error_http(ERR_NO_MODEL), 404);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_carries_a_code_and_a_text),
		cmocka_unit_test(it_says_what_errno_says),
		cmocka_unit_test(
			a_new_error_forgets_when_the_old_one_could_be_retried),
		cmocka_unit_test(it_knows_which_field_of_a_request_is_wrong),
		cmocka_unit_test(it_is_never_cut_inside_a_character),
		cmocka_unit_test(every_code_has_a_name_and_a_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
