/*
 * What cli-bridge-slot promises of orders, of what it tells, of the runs that
 * it watches and signals, and of its end.
 */
#include "slot_world.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "proto/exit_code.h"

enum {
	FLOOD = 20000,
	ORPHANS = 50,
	WATCHED = 100,
	MAX_WATCHED = 1024,
	FULL_MS = 200,
	MAX_SAID_BYTES = 1 << 20
};

static struct slot_world world;
static struct piped run, other;

static int
begins(void **state)
{
	world_begins(&world);
	return 0;
}

static int
ends(void **state)
{
	world_ends(&world);
	return 0;
}

static void
says_bytes(const char *bytes, size_t len)
{
	assert_int_equal(write(world.slot.in, bytes, len), len);
}

/* Orders */

static void
what_it_does_not_know_it_says(void **state)
{
	static const char *const wrong[] = {
		"dance",      "find",	 "watch a b",
		"signal 1 0", "FIND sh", "forward 80 relative"
	};

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		auto_free char *answer = copy_format("unknown %s", wrong[i]);

		says(&world, "%s", wrong[i]);
		hears(&world, answer);
	}
	says_bytes("\x01\xff\0\n", 4);
	hears(&world, "unknown ???");
}

static void
a_program_is_found_in_path_or_where_it_is(void **state)
{
	says(&world, "find env");
	hears(&world, "found env /usr/bin/env");
	says(&world, "find /bin/sh");
	hears(&world, "found /bin/sh /bin/sh");
	says(&world, "find /etc/passwd");
	hears(&world, "missing /etc/passwd");
	says(&world, "find no such program");
	hears(&world, "missing no such program");
	says(&world, "find bin");
	hears(&world, "missing bin");
}

static void
it_does_not_matter_how_orders_are_cut(void **state)
{
	static const char orders[] = "find env\ndance\nprove\nfind env\n";

	for (size_t i = 0; i < sizeof orders - 1; i++)
		says_bytes(orders + i, 1);
	for (size_t cut = 1; cut < sizeof orders - 1; cut++) {
		says_bytes(orders, cut);
		says_bytes(orders + cut, sizeof orders - 1 - cut);
	}
	for (size_t i = 0; i < sizeof orders - 1; i++) {
		hears(&world, "found env /usr/bin/env");
		hears(&world, "unknown dance");
		hears(&world, "clean 0");
		hears(&world, "found env /usr/bin/env");
	}
}

/* Orders go on arriving while answers wait to be read, but not too many. */
static void
a_flood_of_orders_is_obeyed(void **state)
{
	static const char order[] = "find env\n";
	struct pollfd fds[] = { { .fd = world.slot.in, .events = POLLOUT },
				{ .fd = world.slot.out, .events = POLLIN } };
	int said = 0, heard = 0;

	while (heard < FLOOD) {
		fds[0].events = said < FLOOD ? POLLOUT : 0;
		assert_true(poll(fds, 2, LIMIT_MS) > 0);
		if (fds[1].revents)
			do {
				hears(&world, "found env /usr/bin/env");
				heard++;
			} while (memchr(world.slot.heard.ptr, '\n',
					world.slot.heard.len));
		else if (fds[0].revents && said < FLOOD && ++said)
			says_bytes(order, sizeof order - 1);
	}
}

/* Says the same again and again, until nobody listens. */
static void
says_on(const char *bytes, size_t len)
{
	struct pollfd ready = { .fd = world.slot.in, .events = POLLOUT };

	for (size_t said = 0; said < MAX_SAID_BYTES; said += len) {
		assert_int_equal(poll(&ready, 1, LIMIT_MS), 1);
		if (write(world.slot.in, bytes, len) < 0) {
			assert_int_equal(errno, EPIPE);
			return;
		}
	}
	fail_msg("it listens on and on");
}

/* Says the same until the pipe has been full for some time. */
static int
fills_the_pipe(const char *order)
{
	struct pollfd ready = { .fd = world.slot.in, .events = POLLOUT };

	int said;

	for (said = 0; poll(&ready, 1, FULL_MS) == 1; said++) {
		assert_true(said < FLOOD);
		says(&world, "%s", order);
	}
	return said;
}

static void
who_never_reads_is_not_obeyed_but_missed_when_gone(void **state)
{
	(void)fills_the_pipe("find env");
	close_now(&world.slot.in);
	assert_int_equal(its_code(&world), EXIT_SUCCESS);
}

static void
who_reads_in_the_end_gets_every_answer(void **state)
{
	for (int said = fills_the_pipe("find env"); said > 0; said--)
		hears(&world, "found env /usr/bin/env");
	says(&world, "dance");
	hears(&world, "unknown dance");
}

/* These are no answers: the runs that are watched have exited. */
static void
who_never_reads_what_happens_loses_it(void **state)
{
	for (int i = 0; i < MAX_WATCHED; i++)
		says(&world, "watch %0128d", i);
	assert_int_equal(its_code(&world), EXIT_FAILURE);
}

static void
an_order_that_never_ends_is_the_last_one(void **state)
{
	says_on("xxxxxxxx", 8);
	assert_int_equal(its_code(&world), EXIT_FAILURE);
}

/* Its end */

static void
at_the_end_of_its_input_it_ends_with_all_that_runs(void **state)
{
	run_begins(&world, &run, "1", "setsid sleep 1000 & echo up; cat");
	close_now(&world.slot.in);
	assert_int_equal(its_code(&world), EXIT_SUCCESS);
	run_is_over(&run);
}

static void
half_an_order_at_the_end_is_none(void **state)
{
	says_bytes("find env", 8);
	close_now(&world.slot.in);
	assert_null(next_line(&world.slot).ptr);
	assert_int_equal(its_code(&world), EXIT_SUCCESS);
}

static void
the_end_is_noticed_during_a_proof(void **state)
{
	says_bytes("prove\nfind env", 14);
	close_now(&world.slot.in);
	assert_int_equal(its_code(&world), EXIT_SUCCESS);
}

static void
a_signal_ends_it(void **state)
{
	run_begins(&world, &run, "1", "echo up; cat");
	assert_int_equal(kill(world.first, SIGTERM), 0);
	assert_int_equal(its_code(&world), EXIT_SUCCESS);
	run_is_over(&run);
}

static void
it_refuses_to_be_any_other_process(void **state)
{
	static const char *const argv[] = { SLOT, NULL }, *const env[] = {
		NULL
	};
	struct piped p;

	piped_begins(&p, argv, env);
	assert_null(next_line(&p).ptr);
	assert_int_equal(piped_code(&p), EXIT_NOT_RUNNABLE);
	close_now(&p.in);
	close_now(&p.out);
	buf_fini(&p.heard);
}

/* Runs */

static void
the_end_of_a_run_is_told(void **state)
{
	run_begins(&world, &run, "r-1", "echo up; read x");
	run_begins(&world, &other, "r-2", "echo up; read x");
	says(&world, "watch r-1");
	hears(&world, "runs r-1");
	says(&world, "watch r-2");
	hears(&world, "runs r-2");
	run_says(&other, "go");
	hears(&world, "exited r-2");
	run_says(&run, "go");
	hears(&world, "exited r-1");
	run_is_over(&run);
	run_is_over(&other);
}

/* Its output is still open, in the hands of a child. */
static void
the_end_of_a_run_is_that_of_its_first_process(void **state)
{
	run_begins(&world, &run, "1", "sleep 1000 & echo up; read x");
	says(&world, "watch 1");
	hears(&world, "runs 1");
	run_says(&run, "go");
	hears(&world, "exited 1");
	says(&world, "signal 1 9");
	run_is_over(&run);
}

static void
a_run_that_is_not_there_has_exited(void **state)
{
	run_begins(&world, &run, "10", "echo up; exec cat");
	for (int i = 0; i < WATCHED; i++)
		says(&world, "watch gone-%d", i);
	for (int i = 0; i < WATCHED; i++) {
		auto_free char *told = copy_format("exited gone-%d", i);

		hears(&world, told);
	}
	says(&world, "watch 1");
	hears(&world, "exited 1");
	says(&world, "prove");
	hears(&world, "clean 1");
	run_is_over(&run);
}

static void
a_signal_reaches_the_whole_group(void **state)
{
	struct str first, second;

	run_begins(&world, &run, "1",
		   "(trap 'echo child; exit' TERM; echo up; while :; do "
		   "sleep 0.01; done) & read x; trap 'echo leader; exit' TERM; "
		   "echo ready; while :; do sleep 0.01; done");
	run_says(&run, "go");
	run_is_heard(&run, "ready");
	says(&world, "signal 1 15");
	first = next_line(&run);
	second = STR("leader");
	if (str_is(first, "leader"))
		second = STR("child");
	else
		assert_str(first, "child");
	assert_true(str_eq(next_line(&run), second));
	run_is_over(&run);
}

static void
a_signal_reaches_no_other_run(void **state)
{
	run_begins(&world, &run, "1", "echo up; cat");
	run_begins(&world, &other, "11", "echo up; cat");
	says(&world, "signal 1 9");
	run_is_over(&run);
	run_says(&other, "still here");
	run_is_heard(&other, "still here");
	says(&world, "signal 11 9");
	run_is_over(&other);
}

static void
a_signal_reaches_what_a_run_has_left(void **state)
{
	run_begins(&world, &run, "1",
		   "setsid sh -c 'echo up; exec sleep 1000' & exit 0");
	says(&world, "watch 1");
	hears(&world, "exited 1");
	says(&world, "signal 1 9");
	run_is_over(&run);
}

static bool
has_no_children(pid_t pid)
{
	char path[64], text[1];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid,
		 (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	n = read(fd, text, sizeof text);
	close(fd);
	return n == 0;
}

static void
orphans_are_reaped(void **state)
{
	char script[128];

	snprintf(script, sizeof script,
		 "for i in $(seq %d); do (sleep 0.1 &); done; echo up; cat",
		 ORPHANS);
	run_begins(&world, &run, "1", script);
	assert_false(has_no_children(world.first));
	wait_for(has_no_children(world.first));
	says(&world, "prove 1");
	hears(&world, "clean 0");
	says(&world, "signal 1 9");
	run_is_over(&run);
}

/* cli-bridge-slot run */

static int
code_of(const char *program)
{
	const char *const argv[] = {
		SLOT, "run", program, "-c", "exit 5", NULL
	};
	static const char *const env[] = { "PATH=/usr/bin:/bin", NULL };
	struct piped p;
	int code;

	piped_begins(&p, argv, env);
	code = piped_code(&p);
	close_now(&p.in);
	close_now(&p.out);
	return code;
}

static void
a_program_that_can_not_be_run_has_a_code_of_its_own(void **state)
{
	assert_int_equal(code_of("sh"), 5);
	assert_int_equal(code_of("no-such-program"), EXIT_NOT_FOUND);
	assert_int_equal(code_of("/etc/passwd"), EXIT_NOT_RUNNABLE);
}

int
main(void)
{
#define in_a_world(test) cmocka_unit_test_setup_teardown(test, begins, ends)
	const struct CMUnitTest tests[] = {
		in_a_world(what_it_does_not_know_it_says),
		in_a_world(a_program_is_found_in_path_or_where_it_is),
		in_a_world(it_does_not_matter_how_orders_are_cut),
		in_a_world(a_flood_of_orders_is_obeyed),
		in_a_world(who_never_reads_is_not_obeyed_but_missed_when_gone),
		in_a_world(who_reads_in_the_end_gets_every_answer),
		in_a_world(who_never_reads_what_happens_loses_it),
		in_a_world(an_order_that_never_ends_is_the_last_one),
		in_a_world(at_the_end_of_its_input_it_ends_with_all_that_runs),
		in_a_world(half_an_order_at_the_end_is_none),
		in_a_world(the_end_is_noticed_during_a_proof),
		in_a_world(a_signal_ends_it),
		cmocka_unit_test(it_refuses_to_be_any_other_process),
		in_a_world(the_end_of_a_run_is_told),
		in_a_world(the_end_of_a_run_is_that_of_its_first_process),
		in_a_world(a_run_that_is_not_there_has_exited),
		in_a_world(a_signal_reaches_the_whole_group),
		in_a_world(a_signal_reaches_no_other_run),
		in_a_world(a_signal_reaches_what_a_run_has_left),
		in_a_world(orphans_are_reaped),
		cmocka_unit_test(
			a_program_that_can_not_be_run_has_a_code_of_its_own),
	};

	if (!world_is_possible())
		return SKIPPED;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
