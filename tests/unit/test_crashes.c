/* What workers/cli/crashes promises. */
#include "tests/unit/unit.h"

#include "proto/loop.h"
#include "workers/cli/crashes.h"

static void
crash(struct crashes *c, const char *session, unsigned times)
{
	while (times--)
		crashes_note(c, session, loop_now());
}

static void
the_first_is_followed_at_once(void **state)
{
	struct crashes c = { 0 };

	assert_int_equal(crashes_pause(&c, "a"), 0);
	crash(&c, "a", 1);
	assert_int_equal(crashes_pause(&c, "a"), 0);
}

static void
more_of_them_wait_longer(void **state)
{
	struct crashes c = { 0 };

	crash(&c, "a", 2);
	assert_in_range(crashes_pause(&c, "a"), 1, FIRST_PAUSE_MS);
	crash(&c, "a", 1);
	assert_in_range(crashes_pause(&c, "a"), FIRST_PAUSE_MS,
			2 * FIRST_PAUSE_MS);
	crash(&c, "a", 100);
	assert_in_range(crashes_pause(&c, "a"), LONGEST_PAUSE_MS / 2,
			LONGEST_PAUSE_MS);
}

static void
nobody_else_waits(void **state)
{
	struct crashes c = { 0 };

	crash(&c, "a", 5);
	assert_int_equal(crashes_pause(&c, "b"), 0);
	assert_int_equal(crashes_pause(&c, NULL), 0);
	crash(&c, NULL, 5);
	assert_true(crashes_pause(&c, NULL) > 0);
	crashes_forget(&c, NULL);
	assert_int_equal(crashes_pause(&c, NULL), 0);
	assert_true(crashes_pause(&c, "a") > 0);
}

static void
processes_that_end_together_are_one_crash(void **state)
{
	uint64_t began = loop_now();
	struct crashes c = { 0 };

	crashes_note(&c, "a", began);
	for (int n = 0; n < 5; n++)
		crashes_note(&c, "a", began - 1);
	assert_int_equal(crashes_pause(&c, "a"), 0);
}

static void
of_many_the_oldest_is_forgotten(void **state)
{
	struct crashes c = { 0 };
	char name[16];

	for (int n = 0; n < 2 * MAX_CRASHING; n++) {
		snprintf(name, sizeof name, "s%d", n);
		crash(&c, name, 3);
	}
	assert_true(crashes_pause(&c, name) > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_is_followed_at_once),
		cmocka_unit_test(more_of_them_wait_longer),
		cmocka_unit_test(nobody_else_waits),
		cmocka_unit_test(processes_that_end_together_are_one_crash),
		cmocka_unit_test(of_many_the_oldest_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
