/* What proto/buf promises. */
#include "unit.h"

#include "proto/buf.h"

enum { BIG = 1 << 20 };

static void
it_holds_what_was_added_in_order(void **state)
{
	struct buf b = BUF_INIT(100);

	must(buf_add(&b, STR("one "), &e));
	must(buf_add(&b, (struct str){ NULL, 0 }, &e));
	must(buf_add(&b, STR("two"), &e));
	buf_print(&b, " %d", 3);
	assert_str(buf_str(&b), "one two 3");
	buf_fini(&b);
}

static void
an_empty_one_is_an_empty_text(void **state)
{
	struct buf b = BUF_INIT(0);

	assert_non_null(buf_str(&b).ptr);
	assert_str(buf_str(&b), "");
	buf_fini(&b);
	buf_fini(&b);
}

static void
it_is_filled_to_the_last_byte_and_not_beyond(void **state)
{
	static const size_t limits[] = { 1, 255, 256, 257, 1000, 4097 };

	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
		struct buf b = BUF_INIT(limits[i]);
		struct error why = { 0 };

		for (size_t n = 0; n < limits[i]; n++)
			must(buf_add(&b, STR("x"), &e));
		assert_false(buf_add(&b, STR("y"), &why));
		assert_int_equal(why.code, ERR_TOO_LARGE);
		assert_int_equal(b.len, limits[i]);
		assert_int_equal(b.ptr[b.len - 1], 'x');
		buf_fini(&b);
	}
}

static void
a_wish_that_overflows_is_refused(void **state)
{
	struct buf b = BUF_INIT(100);

	must(buf_add(&b, STR("x"), &e));
	must_fail(ERR_TOO_LARGE, "more than the allowed 100 bytes",
		  buf_reserve(&b, SIZE_MAX, &e));
	must_fail(ERR_TOO_LARGE, "more than the allowed 100 bytes",
		  buf_reserve(&b, 100, &e));
	buf_fini(&b);
}

static void
what_is_dropped_is_dropped_at_the_front(void **state)
{
	struct buf b = BUF_INIT(100);

	must(buf_add(&b, STR("abcdef"), &e));
	buf_drop(&b, 0);
	assert_str(buf_str(&b), "abcdef");
	buf_drop(&b, 2);
	assert_str(buf_str(&b), "cdef");
	buf_drop(&b, 4);
	assert_str(buf_str(&b), "");
	must(buf_add(&b, STR("new"), &e));
	assert_str(buf_str(&b), "new");
	buf_fini(&b);
}

static void
an_emptied_one_gives_much_memory_back_and_keeps_little(void **state)
{
	struct buf b = BUF_INIT(2 * BIG);

	must(buf_reserve(&b, 1000, &e));
	b.len = 1000;
	buf_drop(&b, 1000);
	assert_true(b.size >= 1000);
	must(buf_reserve(&b, BIG, &e));
	b.len = BIG;
	buf_drop(&b, BIG);
	assert_int_equal(b.size, 0);
	buf_fini(&b);
}

static void
a_copy_ends_with_nul_and_none_is_none(void **state)
{
	auto_free char *three = copy((struct str){ "abcdef", 3 });
	auto_free char *printed = copy_format("%s-%d", "x", 7);

	assert_string_equal(three, "abc");
	assert_string_equal(printed, "x-7");
	assert_null(copy((struct str){ NULL, 0 }));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_holds_what_was_added_in_order),
		cmocka_unit_test(an_empty_one_is_an_empty_text),
		cmocka_unit_test(it_is_filled_to_the_last_byte_and_not_beyond),
		cmocka_unit_test(a_wish_that_overflows_is_refused),
		cmocka_unit_test(what_is_dropped_is_dropped_at_the_front),
		cmocka_unit_test(
			an_emptied_one_gives_much_memory_back_and_keeps_little),
		cmocka_unit_test(a_copy_ends_with_nul_and_none_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
