/* What workers/cli/login_gate promises. */
#include "unit.h"

#include "workers/cli/login_gate.h"

enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE };

static const uint64_t NOON = 1000ull * HOUR;
static struct login_gate gate;
static const char one, two;

/* A login that was written at noon, and lasts eight hours. */
static int
setup(void **state)
{
	login_gate_init(&gate, 8 * HOUR);
	login_gate_look(&gate, NOON);
	return 0;
}

static void
turns_begin_together_while_it_is_good(void **state)
{
	login_gate_begin(&gate, &one, NOON + HOUR);
	assert_true(login_gate_is_open(&gate, NOON + HOUR));
}

static void
one_turn_goes_first_when_it_is_due(void **state)
{
	uint64_t now = NOON + 8 * HOUR - 5 * MINUTE;

	login_gate_begin(&gate, &one, now);
	assert_false(login_gate_is_open(&gate, now));
	login_gate_end(&gate, &two);
	assert_false(login_gate_is_open(&gate, now));
	login_gate_end(&gate, &one);
	assert_true(login_gate_is_open(&gate, now));
}

static void
a_renewal_lets_the_others_begin(void **state)
{
	uint64_t now = NOON + 9 * HOUR;

	login_gate_begin(&gate, &one, now);
	assert_false(login_gate_is_open(&gate, now));
	login_gate_look(&gate, now);
	assert_true(login_gate_is_open(&gate, now));
	login_gate_begin(&gate, &two, now);
	assert_true(login_gate_is_open(&gate, now));
}

/* Its file is not what counts, then: there may be a key. */
static void
an_answer_after_its_end_shows_that_it_is_good(void **state)
{
	uint64_t now = NOON + 9 * HOUR;

	login_gate_begin(&gate, &one, now);
	login_gate_prove(&gate, &one, now);
	login_gate_begin(&gate, &two, now);
	assert_true(login_gate_is_open(&gate, now));
}

static void
an_answer_before_its_end_lets_others_begin_together_for_a_while(void **state)
{
	uint64_t now = NOON + 8 * HOUR - 8 * MINUTE;

	login_gate_begin(&gate, &one, now);
	login_gate_prove(&gate, &one, now);
	for (uint64_t at = now; at < now + MINUTE; at += MINUTE / 10) {
		login_gate_begin(&gate, &two, at);
		assert_true(login_gate_is_open(&gate, at));
	}
	login_gate_begin(&gate, &two, now + MINUTE);
	assert_false(login_gate_is_open(&gate, now + MINUTE));
}

static void
an_answer_of_a_turn_that_was_not_alone_shows_nothing(void **state)
{
	uint64_t now = NOON + 8 * HOUR - 8 * MINUTE;

	login_gate_begin(&gate, &one, NOON + HOUR);
	login_gate_prove(&gate, &one, now);
	login_gate_begin(&gate, &two, now);
	assert_false(login_gate_is_open(&gate, now));
}

static void
a_turn_that_says_nothing_is_alone_for_a_while_only(void **state)
{
	uint64_t now = NOON + 9 * HOUR;

	login_gate_begin(&gate, &one, now);
	assert_false(login_gate_is_open(&gate, now + MINUTE / 4));
	assert_true(login_gate_is_open(&gate, now + MINUTE));
}

static void
a_clock_that_is_set_back_keeps_nobody_out(void **state)
{
	uint64_t now = NOON + 9 * HOUR;

	login_gate_begin(&gate, &one, now);
	assert_true(login_gate_is_open(&gate, now - MINUTE));
}

static void
what_renewals_show_counts(void **state)
{
	uint64_t now = NOON + HOUR;

	login_gate_look(&gate, now);
	login_gate_begin(&gate, &one, now + HOUR - MINUTE);
	assert_false(login_gate_is_open(&gate, now + HOUR - MINUTE));
}

static void
a_file_that_is_written_twice_was_renewed_once(void **state)
{
	login_gate_look(&gate, NOON + 1);
	login_gate_begin(&gate, &one, NOON + HOUR);
	assert_true(login_gate_is_open(&gate, NOON + HOUR));
}

static void
a_login_without_a_file_is_nobodys_to_renew(void **state)
{
	login_gate_look(&gate, 0);
	login_gate_begin(&gate, &one, NOON + 100 * HOUR);
	assert_true(login_gate_is_open(&gate, NOON + 100 * HOUR));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(turns_begin_together_while_it_is_good,
				       setup),
		cmocka_unit_test_setup(one_turn_goes_first_when_it_is_due,
				       setup),
		cmocka_unit_test_setup(a_renewal_lets_the_others_begin, setup),
		cmocka_unit_test_setup(
			an_answer_after_its_end_shows_that_it_is_good, setup),
		cmocka_unit_test_setup(
			an_answer_before_its_end_lets_others_begin_together_for_a_while,
			setup),
		cmocka_unit_test_setup(
			an_answer_of_a_turn_that_was_not_alone_shows_nothing,
			setup),
		cmocka_unit_test_setup(
			a_turn_that_says_nothing_is_alone_for_a_while_only,
			setup),
		cmocka_unit_test_setup(
			a_clock_that_is_set_back_keeps_nobody_out, setup),
		cmocka_unit_test_setup(what_renewals_show_counts, setup),
		cmocka_unit_test_setup(
			a_file_that_is_written_twice_was_renewed_once, setup),
		cmocka_unit_test_setup(
			a_login_without_a_file_is_nobodys_to_renew, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
