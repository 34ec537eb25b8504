/* What proto/spawn promises. */
#include "waits.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/buf.h"
#include "proto/descriptors.h"
#include "proto/spawn.h"

static struct loop loop;

static struct program {
	struct process process;
	struct watch output;
	char said[4096];
	size_t len;
	bool ended, over; /* its exit; the end of its output */
} program;

static int
opens(void **state)
{
	must(loop_init(&loop, &e));
	return 0;
}

static int
closes(void **state)
{
	process_fini(&program.process);
	loop_fini(&loop);
	return 0;
}

static void
on_ended(struct process *p)
{
	program.ended = true;
}

static void
on_output(struct watch *w)
{
	ssize_t n = read(w->fd, program.said + program.len,
			 sizeof program.said - program.len - 1);

	if (n > 0) {
		program.len += (size_t)n;
		return;
	}
	close(w->fd);
	loop_unwatch(&loop, w);
	program.over = true;
}

static void
start(struct spawn s)
{
	static char path[] = "PATH=/usr/bin:/bin";
	static char *const env[] = { path, NULL };
	int fds[2];

	program = (struct program){ .process = PROCESS_INIT,
				    .output = WATCH_INIT };
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	s.env = env;
	s.out = fds[1];
	must(process_start(&program.process, &loop, &s, on_ended, &e));
	close(fds[1]);
	must(loop_watch(&loop, &program.output, fds[0], EPOLLIN, on_output,
			&e));
}

#define SPAWN(...)                                                      \
	((struct spawn){ .argv = (const char *[]){ __VA_ARGS__, NULL }, \
			 .in = -1,                                      \
			 .err = -1,                                     \
			 .pass = -1,                                    \
			 .death_signal = SIGKILL })

static bool
it_is_over(void)
{
	return program.ended && program.over;
}

static bool
its_output_is_over(void)
{
	return program.over;
}

static bool
it_has_ended(void)
{
	return program.ended;
}

static bool
it_has_spoken(void)
{
	return program.len > 0;
}

static int
exit_code(struct spawn s)
{
	start(s);
	wait_until(&loop, it_is_over);
	assert_true(WIFEXITED(program.process.status));
	assert_int_equal(program.process.pid, 0);
	return WEXITSTATUS(program.process.status);
}

static void
its_exit_code_is_told(void **state)
{
	assert_int_equal(exit_code(SPAWN("/bin/true")), 0);
	assert_int_equal(exit_code(SPAWN("/bin/sh", "-c", "exit 3")), 3);
	assert_string_equal(process_status_text(program.process.status),
			    "exit code 3");
}

static void
its_signal_is_told(void **state)
{
	start(SPAWN("/bin/sh", "-c", "kill -9 $$"));
	wait_until(&loop, it_is_over);
	assert_true(WIFSIGNALED(program.process.status));
	assert_string_equal(process_status_text(program.process.status),
			    "signal 9 (Killed)");
}

static void
why_it_could_not_be_started_is_told(void **state)
{
	assert_int_equal(exit_code(SPAWN("/no/such/program")), EXIT_NOT_FOUND);
	assert_int_equal(exit_code(SPAWN("/dev/null")), EXIT_NOT_RUNNABLE);
}

static void
a_directory_that_is_not_there_is_told(void **state)
{
	static char *const env[] = { NULL };
	struct spawn s = SPAWN("/bin/true");
	struct process p = PROCESS_INIT;

	s.env = env;
	s.out = -1;
	s.cwd = "/no/such/directory";
	must_fail(ERR_SYSTEM,
		  "start /bin/true in /no/such/directory: No such file or "
		  "directory",
		  process_start(&p, &loop, &s, on_ended, &e));
	assert_int_equal(p.pid, 0);
}

static void
arguments_arrive_as_they_are(void **state)
{
	start(SPAWN("/usr/bin/printf", "<%s>", "", "a b", "$x `y` \"z\""));
	wait_until(&loop, it_is_over);
	assert_string_equal(program.said, "<><a b><$x `y` \"z\">");
}

static void
it_reads_what_it_is_given(void **state)
{
	struct spawn s = SPAWN("/bin/cat");

	s.in = memfd_create("in", MFD_CLOEXEC);
	assert_int_equal(write(s.in, "hello", 5), 5);
	lseek(s.in, 0, SEEK_SET);
	assert_int_equal(exit_code(s), 0);
	assert_string_equal(program.said, "hello");
	close(s.in);
}

static void
it_inherits_no_descriptor(void **state)
{
	int leak = dup(STDERR_FILENO);
	int far = dup2(STDERR_FILENO, 200);

	/* The last one is what it reads the list through. */
	assert_int_equal(exit_code(SPAWN("/bin/ls", "/proc/self/fd")), 0);
	assert_string_equal(program.said, "0\n1\n2\n3\n");
	close(leak);
	close(far);
}

static void
what_is_passed_is_descriptor_three(void **state)
{
	struct spawn s = SPAWN("/bin/cat", "/proc/self/fd/3");

	s.pass = memfd_create("passed", MFD_CLOEXEC);
	assert_int_equal(write(s.pass, "passed", 6), 6);
	assert_int_equal(exit_code(s), 0);
	assert_string_equal(program.said, "passed");
	s.argv = (const char *[]){ "/bin/ls", "/proc/self/fd", NULL };
	assert_int_equal(exit_code(s), 0);
	assert_string_equal(program.said, "0\n1\n2\n3\n4\n");
	close(s.pass);
}

/* Fields 1, 5 and 6 of /proc/self/stat. */
static void
it_gets_a_session_of_its_own(void **state)
{
	int pid, pgrp, session;

	start(SPAWN("/usr/bin/cut", "-d ", "-f1,5,6", "/proc/self/stat"));
	wait_until(&loop, it_is_over);
	assert_int_equal(
		sscanf(program.said, "%d %d %d", &pid, &pgrp, &session), 3);
	assert_int_equal(pgrp, pid);
	assert_int_equal(session, pid);
}

static void
it_gets_the_limit_that_we_were_started_with(void **state)
{
	struct rlimit before, limit = { .rlim_cur = 123 };

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	limit.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	descriptors_raise();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(limit.rlim_cur, limit.rlim_max);
	start(SPAWN("/bin/sh", "-c", "ulimit -Sn"));
	wait_until(&loop, it_is_over);
	assert_string_equal(program.said, "123\n");
}

static void
it_starts_in_its_directory(void **state)
{
	struct spawn s = SPAWN("/bin/sh", "-c", "echo $PWD $(pwd -P)");

	s.cwd = "/usr";
	assert_int_equal(exit_code(s), 0);
	assert_string_equal(program.said, "/usr /usr\n");
}

/* 32 and 33 are libc's own: nobody can change what becomes of them. */
static unsigned long
mask_of(const char *name)
{
	const char *line = strstr(program.said, name);

	assert_non_null(line);
	return strtoul(line + strlen(name), NULL, 16) & 0x7fffffff;
}

static void
no_signal_is_blocked_or_ignored(void **state)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	assert_int_equal(exit_code(SPAWN("/bin/cat", "/proc/self/status")), 0);
	sigprocmask(SIG_UNBLOCK, &all, NULL);
	assert_int_equal(mask_of("SigBlk:"), 0);
	assert_int_equal(mask_of("SigIgn:"), 0);
}

static void
its_whole_group_is_signalled(void **state)
{
	start(SPAWN("/bin/sh", "-c", "sleep 60 & echo x; wait"));
	wait_until(&loop, it_has_spoken);
	process_signal(&program.process, SIGTERM);
	wait_until(&loop, it_is_over);
	assert_string_equal(process_status_text(program.process.status),
			    "signal 15 (Terminated)");
}

static void
fini_ends_it_and_its_group_without_a_call(void **state)
{
	start(SPAWN("/bin/sh", "-c", "trap '' TERM; sleep 60 & echo x; wait"));
	wait_until(&loop, it_has_spoken);
	process_fini(&program.process);
	process_fini(&program.process);
	wait_until(&loop, its_output_is_over);
	assert_false(program.ended);
}

/* As "test_spawn parent": starts a child that would stay, and is left. */
static int
be_a_parent(void)
{
	const char *argv[] = { "/bin/sleep", "60", NULL };
	struct spawn s = { .argv = argv,
			   .env = environ,
			   .in = -1,
			   .out = STDOUT_FILENO,
			   .err = -1,
			   .pass = -1,
			   .death_signal = SIGTERM };
	struct process child;
	struct error e;

	if (!loop_init(&loop, &e) ||
	    !process_start(&child, &loop, &s, on_ended, &e))
		return EXIT_FAILURE;
	(void)!write(STDOUT_FILENO, "x", 1);
	pause();
	return EXIT_SUCCESS;
}

static void
it_dies_with_its_parent(void **state)
{
	auto_free char *us = program_of_ours("test_spawn");

	start(SPAWN(us, "parent"));
	wait_until(&loop, it_has_spoken);
	kill(program.process.pid, SIGKILL); /* the parent, not its group */
	wait_until(&loop, it_has_ended);
	wait_until(&loop, its_output_is_over);
}

static void
programs_are_found_as_a_shell_finds_them(void **state)
{
	auto_free char *sh = program_in_path("sh", "/nowhere:/bin:/usr/bin");
	auto_free char *full = program_in_path("/bin/sh", NULL);

	assert_string_equal(sh, "/bin/sh");
	assert_string_equal(full, "/bin/sh");
	assert_null(program_in_path("/bin/nothing", "/bin"));
	assert_null(program_in_path("nothing", "/bin:/usr/bin"));
	assert_null(program_in_path("bin", "/:/usr"));
	assert_null(program_in_path("passwd", "/etc"));
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_exit_code_is_told),
		cmocka_unit_test(its_signal_is_told),
		cmocka_unit_test(why_it_could_not_be_started_is_told),
		cmocka_unit_test(a_directory_that_is_not_there_is_told),
		cmocka_unit_test(arguments_arrive_as_they_are),
		cmocka_unit_test(it_reads_what_it_is_given),
		cmocka_unit_test(it_inherits_no_descriptor),
		cmocka_unit_test(what_is_passed_is_descriptor_three),
		cmocka_unit_test(it_gets_a_session_of_its_own),
		cmocka_unit_test(it_gets_the_limit_that_we_were_started_with),
		cmocka_unit_test(it_starts_in_its_directory),
		cmocka_unit_test(no_signal_is_blocked_or_ignored),
		cmocka_unit_test(its_whole_group_is_signalled),
		cmocka_unit_test(fini_ends_it_and_its_group_without_a_call),
		cmocka_unit_test(it_dies_with_its_parent),
		cmocka_unit_test(programs_are_found_as_a_shell_finds_them),
	};

	if (argc > 1)
		return be_a_parent();
	return cmocka_run_group_tests(tests, opens, closes);
}
