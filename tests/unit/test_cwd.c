/* What workers/cwd says of directories that cannot be worked in. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "workers/executor/cwd.h"

enum { NOBODY = 65534 };

static char directory[] = "/tmp/test-cwd-XXXXXX";

static int
setup(void **state)
{
	return mkdtemp(directory) && chmod(directory, 0755) == 0 ? 0 : -1;
}

static int
teardown(void **state)
{
	return rmdir(directory);
}

static void
a_directory_that_can_be_used_is(void **state)
{
	must(cwd_check(directory, &e));
	must(cwd_check("/", &e));
}

static void
what_is_wrong_is_said(void **state)
{
	must_fail(ERR_BAD_CWD, "cwd must be an absolute path, and is: tmp",
		  cwd_check("tmp", &e));
	must_fail(ERR_BAD_CWD,
		  "cwd cannot be used: No such file or directory: /no/such",
		  cwd_check("/no/such", &e));
	must_fail(ERR_BAD_CWD, "cwd is not a directory: /proc/self/exe",
		  cwd_check("/proc/self/exe", &e));
}

static void
a_name_that_is_too_long_is_called_so(void **state)
{
	char path[512] = "/";
	struct error e = { 0 };

	memset(path + 1, 'x', sizeof path - 2);
	assert_false(cwd_check(path, &e));
	assert_int_equal(e.code, ERR_BAD_CWD);
	assert_non_null(strstr(e.text, "cwd cannot be used: File name too "
				       "long: /xxx"));
}

/* Root may enter everything, so it looks with the rights of somebody else. */
static bool
somebody_may_use(const char *path, struct error *e)
{
	bool is_root = geteuid() == 0, ok;

	assert_true(!is_root || seteuid(NOBODY) == 0);
	ok = cwd_check(path, e);
	assert_true(!is_root || seteuid(0) == 0);
	return ok;
}

static void
one_that_may_not_be_entered_is_the_callers_fault(void **state)
{
	struct error e = { 0 };

	assert_true(somebody_may_use(directory, &e));
	assert_int_equal(chmod(directory, 0000), 0);
	assert_false(somebody_may_use(directory, &e));
	assert_int_equal(chmod(directory, 0755), 0);
	assert_int_equal(e.code, ERR_BAD_CWD);
	assert_non_null(strstr(e.text,
			       "cwd may not be entered and read by the user "
			       "that the bridge runs as: Permission denied: "
			       "/tmp/test-cwd-"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_directory_that_can_be_used_is),
		cmocka_unit_test(what_is_wrong_is_said),
		cmocka_unit_test(a_name_that_is_too_long_is_called_so),
		cmocka_unit_test(
			one_that_may_not_be_entered_is_the_callers_fault),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
