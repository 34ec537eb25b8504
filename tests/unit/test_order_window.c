/* What gateway/order_window promises. */
#include "unit.h"

#include "gateway/order_window.h"

enum { MB = 1 << 20, KB = 1 << 10 };

static struct order_window window;

static int
opens(void **state)
{
	order_window_init(&window, 64 * MB);
	return 0;
}

static struct order
of(size_t bytes)
{
	return (struct order){ .bytes = bytes };
}

static void
goes(struct order *o)
{
	assert_ptr_equal(order_window_next(&window), o);
	assert_null(o->node.next);
}

static void
nothing_goes(void)
{
	assert_null(order_window_next(&window));
}

static void
orders_go_while_there_is_room_and_then_as_there_is_more(void **state)
{
	struct order orders[5];

	for (int i = 0; i < 5; i++) {
		orders[i] = of(20 * MB);
		order_window_add(&window, &orders[i]);
	}
	goes(&orders[0]);
	goes(&orders[1]);
	nothing_goes();
	assert_int_equal(order_window_held(&window), 40 * MB);
	assert_int_equal(order_window_waiting(&window), 3);
	order_window_room(&window, 20 * MB);
	goes(&orders[2]);
	nothing_goes();
	order_drop(&orders[3]);
	order_drop(&orders[3]);
	assert_int_equal(order_window_waiting(&window), 1);
	order_window_room(&window, 20 * MB);
	goes(&orders[4]);
}

static void
small_ones_do_not_wait_behind_large_ones(void **state)
{
	struct order large[8], small[40];

	for (int i = 0; i < 8; i++) {
		large[i] = of(20 * MB);
		order_window_add(&window, &large[i]);
	}
	while (order_window_next(&window))
		;
	for (int i = 0; i < 40; i++) {
		small[i] = of(500 * KB);
		order_window_add(&window, &small[i]);
	}
	for (int i = 0; i < 32; i++)
		goes(&small[i]);
	nothing_goes();
	order_window_room(&window, 500 * KB);
	goes(&small[32]);
	assert_true(order_window_held(&window) <= 64 * MB);
}

static void
nor_do_large_ones_wait_for_the_last_small_one(void **state)
{
	struct order large = of(64 * MB), small[200];
	size_t sent = 0;

	for (int i = 0; i < 200; i++) {
		small[i] = of(MB);
		order_window_add(&window, &small[i]);
	}
	while (order_window_next(&window))
		sent++;
	assert_int_equal(sent, 64);
	order_window_add(&window, &large);
	for (int i = 0; i < 48; i++) {
		nothing_goes(); /* the small ones have more than their part */
		order_window_room(&window, MB);
	}
	goes(&large);
	order_window_room(&window, MB);
	assert_non_null(order_window_next(&window));
	nothing_goes();
}

static void
the_largest_goes_when_no_other_large_one_is_held(void **state)
{
	struct order one = of(64 * MB), two = of(64 * MB);

	order_window_add(&window, &one);
	order_window_add(&window, &two);
	goes(&one);
	nothing_goes();
	order_window_room(&window, 64 * MB);
	goes(&two);
	order_window_room(&window, 64 * MB);
	assert_int_equal(order_window_held(&window), 0);
}

static void
a_session_keeps_its_order(void **state)
{
	struct order running = of(40 * MB);
	struct order large = { .bytes = 20 * MB, .session = "a" };
	struct order second = { .bytes = KB, .session = "a" };
	struct order other = { .bytes = KB, .session = "b" };

	order_window_add(&window, &running);
	goes(&running);
	order_window_add(&window, &large);
	order_window_add(&window, &second);
	order_window_add(&window, &other);
	goes(&other);
	nothing_goes();
	order_window_room(&window, 40 * MB);
	goes(&large);
	goes(&second);
}

static void
a_worker_that_is_gone_holds_nothing(void **state)
{
	struct order one = of(64 * MB), two = of(64 * MB);

	order_window_add(&window, &one);
	goes(&one);
	order_window_add(&window, &two);
	order_window_reset(&window);
	goes(&two);
	order_window_room(&window, 64 * MB);
	order_window_room(&window, 64 * MB); /* of the one before */
	assert_int_equal(order_window_held(&window), 0);
}

static void
another_size_counts_as_soon_as_nothing_is_held(void **state)
{
	struct order one = of(40 * MB), two = of(20 * MB), three = of(20 * MB);

	order_window_add(&window, &one);
	goes(&one);
	order_window_resize(&window, 16 * MB);
	order_window_room(&window, 40 * MB);
	assert_int_equal(order_window_held(&window), 0);
	order_window_add(&window, &two);
	order_window_add(&window, &three);
	goes(&two);
	nothing_goes();
	order_window_resize(&window, 64 * MB);
	nothing_goes();
	order_window_room(&window, 20 * MB);
	goes(&three);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(
			orders_go_while_there_is_room_and_then_as_there_is_more,
			opens),
		cmocka_unit_test_setup(small_ones_do_not_wait_behind_large_ones,
				       opens),
		cmocka_unit_test_setup(
			nor_do_large_ones_wait_for_the_last_small_one, opens),
		cmocka_unit_test_setup(
			the_largest_goes_when_no_other_large_one_is_held,
			opens),
		cmocka_unit_test_setup(a_session_keeps_its_order, opens),
		cmocka_unit_test_setup(a_worker_that_is_gone_holds_nothing,
				       opens),
		cmocka_unit_test_setup(
			another_size_counts_as_soon_as_nothing_is_held, opens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
