/* What supervisor/progress promises, of processes that work, wait or stop. */
#include "unit.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proto/buf.h"
#include "supervisor/progress.h"

enum { MUCH_MS = 3600000, LOOKS = 1000 };

#define WORKS "while :; do :; done"
#define WAITS "exec sleep 1000"

static pid_t child;

static void
starts(const char *script)
{
	auto_free char *what = copy(str_of(script));
	char shell[] = "sh", option[] = "-c";
	char *const argv[] = { shell, option, what, NULL };

	assert_int_equal(
		posix_spawn(&child, "/bin/sh", NULL, NULL, argv, environ), 0);
}

static int
ends(void **state)
{
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	return 0;
}

static void
rests(void)
{
	const struct timespec rest = { .tv_nsec = 10000000 };

	nanosleep(&rest, NULL);
}

/* However long that takes on a busy machine. */
static bool
comes_to_be(bool wanted, struct progress *p, uint64_t max_ms)
{
	for (int i = 0; i < LOOKS; i++) {
		if (progress_goes_on(p, child, max_ms) == wanted)
			return true;
		rests();
	}
	return false;
}

static void
one_that_works_goes_on(void **state)
{
	struct progress p;

	starts(WORKS);
	progress_begin(&p, child);
	for (int i = 0; i < LOOKS && p.last - p.first < 5; i++) {
		(void)progress_goes_on(&p, child, MUCH_MS);
		rests();
	}
	for (int i = 0; i < 10; i++) {
		assert_true(progress_goes_on(&p, child, MUCH_MS));
		rests();
	}
}

static void
one_that_works_for_ever_does_not(void **state)
{
	struct progress p;

	starts(WORKS);
	progress_begin(&p, child);
	assert_true(comes_to_be(false, &p, 50));
}

static void
one_that_waits_does_not(void **state)
{
	struct progress p;

	starts(WAITS);
	progress_begin(&p, child);
	assert_true(comes_to_be(false, &p, MUCH_MS));
}

static void
one_that_is_stopped_does_not_until_it_may(void **state)
{
	struct progress p;

	starts(WORKS);
	progress_begin(&p, child);
	assert_int_equal(kill(child, SIGSTOP), 0);
	assert_true(comes_to_be(false, &p, MUCH_MS));
	assert_int_equal(kill(child, SIGCONT), 0);
	assert_true(comes_to_be(true, &p, MUCH_MS));
}

static void
one_that_is_gone_does_not(void **state)
{
	struct progress p;

	progress_begin(&p, -1);
	assert_false(progress_goes_on(&p, -1, MUCH_MS));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(one_that_works_goes_on, ends),
		cmocka_unit_test_teardown(one_that_works_for_ever_does_not,
					  ends),
		cmocka_unit_test_teardown(one_that_waits_does_not, ends),
		cmocka_unit_test_teardown(
			one_that_is_stopped_does_not_until_it_may, ends),
		cmocka_unit_test(one_that_is_gone_does_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
