/* What proto/variables promises. */
#include "unit.h"

#include <stdlib.h>
#include <unistd.h>

#include "proto/variables.h"

static int
setup(void **state)
{
	clearenv();
	return 0;
}

static void
a_value_has_no_white_space_around_it(void **state)
{
	setenv("A", " x y\t\r\n", 1);
	setenv("BLANK", " \t", 1);
	setenv("EMPTY", "", 1);
	assert_str(variable_value("A"), "x y");
	assert_null(variable_value("BLANK").ptr);
	assert_null(variable_value("EMPTY").ptr);
	assert_null(variable_value("NONE").ptr);
	assert_true(variable_is_there("BLANK"));
	assert_true(variable_is_there("EMPTY"));
	assert_false(variable_is_there("NONE"));
}

static void
an_environment_travels(void **state)
{
	char a[] = "A=1", b[] = "B=x=y\nz", c[] = "C=";
	char *entries[] = { a, b, c, NULL };
	struct buf packed = BUF_INIT(1000);

	setenv("OLD", "1", 1);
	must(variables_pack(&packed, entries, &e));
	must(variables_adopt(buf_str(&packed), &e));
	buf_fini(&packed);
	assert_str(variable_value("A"), "1");
	assert_str(variable_value("B"), "x=y\nz");
	assert_true(variable_is_there("C"));
	assert_false(variable_is_there("OLD"));
	assert_null(environ[3]);
}

static void
it_may_change_often_and_be_read_meanwhile(void **state)
{
	struct str before = { NULL, 0 };
	char entry[32];
	char *entries[] = { entry, NULL };

	for (int i = 0; i < 100; i++) {
		struct buf packed = BUF_INIT(100);

		snprintf(entry, sizeof entry, "N=%02d", i);
		must(variables_pack(&packed, entries, &e));
		must(variables_adopt(buf_str(&packed), &e));
		buf_fini(&packed);
		if (i)
			assert_int_equal(before.ptr[1], '0' + (i - 1) % 10);
		before = variable_value("N");
	}
	assert_int_equal(setenv("M", "1", 1), 0);
	assert_str(variable_value("N"), "99");
}

static void
what_is_none_changes_nothing(void **state)
{
	static const struct str wrong[] = {
		{ "A=1", 3 },
		{ "A\0", 2 },
		{ "=1\0", 3 },
		{ "\0", 1 },
	};

	setenv("OLD", "1", 1);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		must_fail(ERR_PROTOCOL, "an environment that is not NAME=value",
			  variables_adopt(wrong[i], &e));
	assert_str(variable_value("OLD"), "1");
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_value_has_no_white_space_around_it),
		TEST(an_environment_travels),
		TEST(it_may_change_often_and_be_read_meanwhile),
		TEST(what_is_none_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
