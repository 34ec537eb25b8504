/* What proto/sweep promises. */
#include "waits.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "proto/buf.h"
#include "proto/spawn.h"
#include "proto/sweep.h"

static struct loop loop;

/* Tests that run at the same time must not sweep each other's processes. */
static const char *
mark(const char *rest)
{
	static char text[64];

	snprintf(text, sizeof text, "test%d/%s", (int)getpid(), rest);
	return text;
}

/* A program whose output ends when the last of its descendants has. */
static struct family {
	struct process parent;
	struct watch output;
	char heard[16];
	size_t len;
	bool ended, over;
} family;

static int
opens(void **state)
{
	must(loop_init(&loop, &e));
	return 0;
}

static int
closes(void **state)
{
	process_fini(&family.parent);
	loop_fini(&loop);
	return 0;
}

static void
on_ended(struct process *p)
{
	family.ended = true;
}

static void
on_output(struct watch *w)
{
	char bytes[16];
	ssize_t n = read(w->fd, bytes, sizeof bytes);

	if (n > 0) {
		family.len += (size_t)n;
		return;
	}
	close(w->fd);
	loop_unwatch(&loop, w);
	family.over = true;
}

static void
start_family(const char *rest, const char *script)
{
	static char path[] = "PATH=/usr/bin:/bin";
	auto_free char *owner = copy_format(OWNER_VARIABLE "=%s", mark(rest));
	char *env[] = { owner, path, NULL };
	const char *argv[] = { "/bin/sh", "-c", script, NULL };
	struct spawn s = { .argv = argv,
			   .env = env,
			   .in = -1,
			   .err = -1,
			   .pass = -1,
			   .death_signal = SIGKILL };
	int fds[2];

	family =
		(struct family){ .parent = PROCESS_INIT, .output = WATCH_INIT };
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	s.out = fds[1];
	must(process_start(&family.parent, &loop, &s, on_ended, &e));
	close(fds[1]);
	must(loop_watch(&loop, &family.output, fds[0], EPOLLIN, on_output, &e));
}

static bool
it_has_spoken(void)
{
	return family.len > 0;
}

static bool
it_is_over(void)
{
	return family.over;
}

static bool
the_parent_has_ended(void)
{
	return family.ended && family.len > 0;
}

/* A session and a group of its own, and a parent that is gone. */
static void
one_that_ran_away_is_found(void **state)
{
	start_family("run/", "setsid sh -c 'sleep 60 & echo x; sleep 60' "
			     "& exit 0");
	wait_until(&loop, the_parent_has_ended);
	assert_false(family.over);
	assert_true(sweep(mark("run/")) >= 2);
	wait_until(&loop, it_is_over);
}

static void
everything_below_a_mark_is_meant(void **state)
{
	start_family("claude/7/", "echo x; sleep 60");
	wait_until(&loop, it_has_spoken);
	assert_true(sweep(mark("")) >= 1);
	wait_until(&loop, it_is_over);
}

static void
another_mark_is_left_alone(void **state)
{
	start_family("claude/71/", "echo x; sleep 60");
	wait_until(&loop, it_has_spoken);
	assert_int_equal(sweep(mark("claude/7/")), 0);
	assert_int_equal(sweep(mark("laude/")), 0);
	wait_ms(&loop, 50);
	assert_false(family.over);
	assert_true(sweep(mark("claude/71/")) >= 1);
	wait_until(&loop, it_is_over);
}

static void
where_there_is_nothing_nothing_is_killed(void **state)
{
	assert_int_equal(sweep(mark("")), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_ran_away_is_found),
		cmocka_unit_test(everything_below_a_mark_is_meant),
		cmocka_unit_test(another_mark_is_left_alone),
		cmocka_unit_test(where_there_is_nothing_nothing_is_killed),
	};

	return cmocka_run_group_tests(tests, opens, closes);
}
