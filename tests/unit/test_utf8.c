/* What proto/utf8 promises. */
#include "unit.h"

#include "proto/utf8.h"

#define VALID(literal) utf8_valid(STR(literal))

/* 1, 2, 3 and 4 bytes, and the first and last character of each length. */
static const char mixed[] = "a\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf"
			    "\xf0\x90\x80\x80\xf4\x8f\xbf\xbfz";

static void
text_of_all_lengths_is_valid(void **state)
{
	assert_true(VALID(""));
	assert_true(VALID("a\0b"));
	assert_true(VALID("\xed\x9f\xbf"));
	assert_true(VALID("\xee\x80\x80"));
	assert_true(utf8_valid(str_of(mixed)));
}

static void
overlong_forms_are_refused(void **state)
{
	assert_false(VALID("\xc0\x80"));
	assert_false(VALID("\xc1\xbf"));
	assert_false(VALID("\xe0\x80\x80"));
	assert_false(VALID("\xe0\x9f\xbf"));
	assert_false(VALID("\xf0\x80\x80\x80"));
	assert_false(VALID("\xf0\x8f\xbf\xbf"));
}

static void
surrogates_and_what_is_beyond_unicode_are_refused(void **state)
{
	assert_false(VALID("\xed\xa0\x80"));
	assert_false(VALID("\xed\xbf\xbf"));
	assert_false(VALID("\xf4\x90\x80\x80"));
	assert_false(VALID("\xf5\x80\x80\x80"));
	assert_false(VALID("\xf8\x88\x80\x80\x80"));
	assert_false(VALID("\xff"));
}

static void
a_byte_in_the_wrong_place_is_refused(void **state)
{
	assert_false(VALID("\x80"));
	assert_false(VALID("a\xbf"));
	assert_false(VALID("\xc3("));
	assert_false(VALID("\xe2\x82("));
	assert_false(VALID("\xe2(\x82"));
	assert_false(VALID("\xc3\xc3\xa9"));
}

/* The check reads eight bytes at a time: the fault may be at any of them. */
static void
a_fault_is_found_wherever_it_is(void **state)
{
	char text[40];

	for (size_t i = 0; i < sizeof text; i++) {
		memset(text, 'x', sizeof text);
		text[i] = (char)0xff;
		assert_false(utf8_valid((struct str){ text, sizeof text }));
	}
}

static size_t
boundary_before(size_t at)
{
	while (at > 0 && ((unsigned char)mixed[at] & 0xc0) == 0x80)
		at--;
	return at;
}

static void
every_split_is_moved_to_a_boundary(void **state)
{
	for (size_t at = 0; at < sizeof mixed; at++) {
		struct str head = { mixed, at };
		size_t whole = utf8_whole(head);

		assert_int_equal(whole, boundary_before(at));
		assert_true(utf8_valid((struct str){ mixed, whole }));
	}
}

static void
what_is_no_text_is_not_moved_for_ever(void **state)
{
	assert_int_equal(utf8_whole(STR("\x80\x80\x80\x80\x80")), 5);
	assert_int_equal(utf8_whole(STR("\xff")), 1);
	assert_int_equal(utf8_whole(STR("")), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_of_all_lengths_is_valid),
		cmocka_unit_test(overlong_forms_are_refused),
		cmocka_unit_test(
			surrogates_and_what_is_beyond_unicode_are_refused),
		cmocka_unit_test(a_byte_in_the_wrong_place_is_refused),
		cmocka_unit_test(a_fault_is_found_wherever_it_is),
		cmocka_unit_test(every_split_is_moved_to_a_boundary),
		cmocka_unit_test(what_is_no_text_is_not_moved_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
