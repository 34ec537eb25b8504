/* What workers/executor/jail promises: the arguments, and real programs in
 * it, where bubblewrap can make a jail. */
#include "waits.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/settings.h"
#include "proto/sweep.h"
#include "workers/executor/jail.h"
#include "workers/executor/jail_view.h"

static char root[] = "/var/tmp/test-jail-XXXXXX";
static struct loop loop;
static struct executor *x;
static struct process process;
static bool ended;
static struct words view;

/* Below the root of the test; good for the next few calls. */
static char *
at(const char *path)
{
	static char paths[8][128];
	static unsigned n;
	char *next = paths[n++ % 8];

	snprintf(next, sizeof *paths, "%s%s%s", root, *path ? "/" : "", path);
	return next;
}

static void
make(const char *directory)
{
	assert_int_equal(mkdir(at(directory), 0700), 0);
}

static void
write_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(at(path), O_WRONLY | O_CREAT | O_TRUNC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void
leads(const char *link, const char *target)
{
	assert_int_equal(symlink(target, at(link)), 0);
}

static int
begin(void **state)
{
	static const char *const directories[] = {
		"home",
		"home/project",
		"home/.claude",
		"home/tool",
		"home/tool/node_modules",
		"home/tool/node_modules/cli",
		"home/tool/node_modules/dependency",
		"home/bin",
		"runtime",
		"runtime/bin",
		"data",
		"data/scratch",
		"data/workspace",
		"data/workspace/cli",
	};

	if (!mkdtemp(root))
		return -1;
	for (size_t i = 0; i < sizeof directories / sizeof *directories; i++)
		make(directories[i]);
	write_file("home/tool/node_modules/cli/main.js",
		   "#!/usr/bin/env node\nx\n", 0755);
	write_file("runtime/bin/node", "x", 0755);
	leads("home/bin/cli", "../tool/node_modules/cli/main.js");
	leads("way", at("home/project"));
	return 0;
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	return remove(path);
}

static int
clean(void **state)
{
	words_fini(&view);
	return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- the arguments ---- */

static struct jail_terms
terms(enum jail_mode mode)
{
	struct jail_terms t = {
		.mode = mode,
		.variable = copy(STR("CLI_JAIL")),
		.home = copy(str_of(at("home"))),
		.data_dir = copy(str_of(at("data"))),
		.scratch = copy(str_of(at("data/scratch"))),
	};

	words_add(&t.writes, at("home/.claude"));
	words_add(&t.writes, at("home/missing"));
	return t;
}

static void
look(enum jail_mode mode, const char *cwd)
{
	struct jail_terms t = terms(mode);

	words_fini(&view);
	jail_view(&t, at("home/bin/cli"), at("runtime/bin"),
		  cwd ? at(cwd) : NULL, &view);
	jail_terms_fini(&t);
}

/* Where the words are in the arguments; -1: nowhere. */
static int
place_of(const char *a, const char *b, const char *c)
{
	for (size_t i = 0; i + 1 < view.len; i++)
		if (!strcmp(view.ptr[i], a) && !strcmp(view.ptr[i + 1], b) &&
		    (!c || (i + 2 < view.len && !strcmp(view.ptr[i + 2], c))))
			return (int)i;
	return -1;
}

static bool
has(const char *how, const char *path)
{
	return place_of(how, path, !strcmp(how, "--tmpfs") ? NULL : path) >= 0;
}

static void
for_writing_everything_is_shown_and_little_is_open(void **state)
{
	look(JAIL_WRITE, "home/project");
	assert_true(has("--ro-bind", "/"));
	assert_true(has("--bind", at("home/project")));
	assert_true(has("--bind", at("home/.claude")));
	assert_true(has("--bind", at("data/scratch")));
	assert_false(has("--bind", at("home")));
	assert_false(has("--bind", at("home/missing")));
	assert_false(has("--ro-bind", at("home/tool/node_modules")));
}

static void
for_reading_the_system_is_shown_and_the_program(void **state)
{
	look(JAIL_READ, "home/project");
	assert_false(has("--ro-bind", "/"));
	assert_true(has("--ro-bind", "/usr"));
	assert_true(has("--tmpfs", at("home")));
	assert_true(has("--ro-bind", at("home/tool/node_modules")));
	assert_true(has("--ro-bind", at("runtime/bin")));
	assert_true(place_of("--symlink", "../tool/node_modules/cli/main.js",
			     at("home/bin/cli")) >= 0);
	assert_false(has("--ro-bind", at("home/bin")));
	assert_true(has("--bind", at("home/project")));
	assert_true(place_of("--remount-ro", "/", NULL) >= 0);
}

static void
to_be_safe_only_its_own_folders_are_open(void **state)
{
	look(JAIL_SAFE, "home/project");
	assert_true(has("--ro-bind", at("home/project")));
	assert_false(has("--bind", at("home/project")));
	assert_true(has("--bind", at("home/.claude")));
	assert_true(has("--tmpfs", at("home")));
	assert_true(place_of("--remount-ro", "/", NULL) >= 0);
	look(JAIL_SAFE, "data/workspace/cli"); /* is hidden, and shown again */
	assert_true(place_of("--tmpfs", at("data"), NULL) <
		    place_of("--ro-bind", at("data/workspace/cli"), NULL));
}

static void
to_be_safe_a_directory_in_an_open_folder_is_closed(void **state)
{
	look(JAIL_SAFE, "home/.claude");
	for (size_t i = view.len; i-- > 0;)
		if (strstr(view.ptr[i], "-bind") &&
		    !strcmp(view.ptr[i + 1], at("home/.claude"))) {
			assert_string_equal(view.ptr[i], "--ro-bind");
			return;
		}
	fail_msg("it is not there");
}

static void
what_is_hidden_is_hidden_before_what_is_shown_in_it(void **state)
{
	look(JAIL_READ, "home/project");
	assert_true(place_of("--tmpfs", at("home"), NULL) <
		    place_of("--bind", at("home/.claude"), NULL));
	look(JAIL_WRITE, "data/workspace/cli");
	assert_true(place_of("--tmpfs", at("data"), NULL) <
		    place_of("--bind", at("data/scratch"), NULL));
	assert_true(place_of("--tmpfs", at("data"), NULL) <
		    place_of("--bind", at("data/workspace/cli"), NULL));
}

static void
a_link_to_the_directory_is_followed(void **state)
{
	look(JAIL_READ, "way");
	assert_true(has("--bind", at("home/project")));
	assert_true(place_of("--symlink", at("home/project"), at("way")) >= 0);
	assert_true(place_of("--chdir", at("home/project"), "--") >= 0);
}

static void
without_a_directory_it_works_nowhere(void **state)
{
	look(JAIL_WRITE, NULL);
	assert_true(place_of("--chdir", "/", "--") >= 0);
}

static void
a_directory_with_what_is_hidden_in_it_is_refused(void **state)
{
	static const char *const wrong[] = { "", "home", "data", "data/scratch",
					     "home/bin/.." };
	struct jail_terms t = terms(JAIL_WRITE);
	struct error why = { 0 };

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		assert_false(jail_check_cwd(&t, at(wrong[i]), &why));
		assert_int_equal(why.code, ERR_BAD_CWD);
	}
	assert_false(jail_check_cwd(&t, "/", &why));
	assert_false(jail_check_cwd(&t, "/proc", &why));
	must(jail_check_cwd(&t, at("home/project"), &e));
	must(jail_check_cwd(&t, at("way"), &e));
	must(jail_check_cwd(&t, at("data/workspace/cli"), &e));
	jail_terms_fini(&t);
}

/* ---- real programs ---- */

static void
on_ended(struct process *p)
{
	ended = true;
}

static bool
it_has_ended(void)
{
	return ended;
}

static bool
is_there(const char *path)
{
	return access(at(path), F_OK) == 0;
}

static bool
it_has_begun(void)
{
	return is_there("home/project/begun");
}

static void
run(const char *script)
{
	static char path[] = "PATH=/usr/bin:/bin";
	static char mark[] = OWNER_VARIABLE "=test-jail/1/";
	static char *const env[] = { mark, path, NULL };
	const struct spawn s = {
		.argv = (const char *[]){ "/bin/sh", "-c", script, NULL },
		.env = env,
		.cwd = at("home/project"),
		.in = -1,
		.out = -1,
		.err = STDERR_FILENO,
		.pass = -1,
		.death_signal = SIGKILL,
	};

	ended = false;
	(void)unlink(at("home/project/begun"));
	must(x->start(x, &process, &loop, &s, on_ended, &e));
}

static void
ends_with(const char *script, int code)
{
	run(script);
	wait_until(&loop, it_has_ended);
	assert_true(WIFEXITED(process.status));
	assert_int_equal(WEXITSTATUS(process.status), code);
}

static struct harness_settings
settings(const char *jail)
{
	return (struct harness_settings){
		.jail = (char *)(uintptr_t)jail,
		.safe_jail = (char *)(uintptr_t) "auto",
	};
}

static int
opens(void **state)
{
	struct harness_settings s = settings("write");

	setenv("HOME", at("home"), 1);
	must(loop_init(&loop, &e));
	x = jail_new("claude", at("data"), at("data/scratch"));
	assert_true(x->configure(x, &s));
	assert_true(x->one_directory);
	process = PROCESS_INIT;
	return 0;
}

static int
closes(void **state)
{
	process_fini(&process);
	x->free(x);
	loop_fini(&loop);
	return 0;
}

/* Not where it would be refused: a container's engine may forbid it. */
static bool
can_jail(void)
{
	const struct spawn s = { .argv = x->trial,
				 .in = -1,
				 .out = -1,
				 .err = -1,
				 .pass = -1,
				 .death_signal = SIGKILL };

	ended = false;
	if (!x->start(x, &process, &loop, &s, on_ended, &(struct error){ 0 }))
		return false;
	wait_until(&loop, it_has_ended);
	return process.status == 0;
}

#define ONLY_IN_A_JAIL     \
	if (!can_jail()) { \
		skip();    \
	}

static void
its_exit_code_is_the_programs(void **state)
{
	ONLY_IN_A_JAIL
	ends_with("exit 7", 7);
}

static void
it_writes_where_it_may(void **state)
{
	ONLY_IN_A_JAIL
	ends_with("echo x >made && echo x >../.claude/made", 0);
	assert_true(is_there("home/project/made"));
	ends_with("echo x >../escaped", 2);
	assert_false(is_there("home/escaped"));
}

static void
it_hears_a_signal_and_ends_in_good_order(void **state)
{
	ONLY_IN_A_JAIL
	run("trap 'echo x >heard; exit 3' TERM; echo x >begun;"
	    "while :; do sleep 0.01; done");
	wait_until(&loop, it_has_begun);
	x->signal(x, &process, SIGTERM);
	wait_until(&loop, it_has_ended);
	assert_true(is_there("home/project/heard"));
	assert_int_equal(WEXITSTATUS(process.status), 3);
}

/* Looks, and kills nobody. */
static bool
is_seen(void *arg, uint64_t number)
{
	*(bool *)arg = true;
	return false;
}

static bool
nothing_is_left(void)
{
	bool seen = false;

	sweep_numbers("test-jail/", is_seen, &seen);
	return !seen;
}

static void
it_is_found_by_its_mark(void **state)
{
	ONLY_IN_A_JAIL
	run("setsid -f sleep 1000; echo x >begun; sleep 1000");
	wait_until(&loop, it_has_begun);
	assert_true(sweep("test-jail/1/") > 0); /* some die with another */
	wait_until(&loop, it_has_ended);
	wait_until(&loop, nothing_is_left); /* what was killed may take long */
}

static void
nothing_outlives_the_program(void **state)
{
	ONLY_IN_A_JAIL
	ends_with("setsid -f sleep 1000", 0);
	(void)run_loop(&loop, nothing_is_left, LIMIT);
	assert_true(nothing_is_left());
}

static void
its_reader_has_a_jail_unless_that_is_off(void **state)
{
	struct harness_settings s = settings("off");

	x->configure(x, &s);
	assert_false(x->one_directory);
	assert_ptr_equal(executor_reader(x), x->reader);
	assert_true(x->reader->one_directory);
	x->reader->is_unfit = true;
	assert_ptr_equal(executor_reader(x), x);
	x->reader->is_unfit = false;
	s.safe_jail = (char *)(uintptr_t) "off";
	assert_true(x->configure(x, &s));
	assert_ptr_equal(executor_reader(x), x);
	s.safe_jail = (char *)(uintptr_t) "strict";
	x->configure(x, &s);
	must_fail(ERR_NOT_SET_UP,
		  "CLAUDE_SAFE_JAIL is \"strict\", but must be auto, off or "
		  "required",
		  x->is_set_up(x, &e));
}

static void
its_reader_writes_in_its_own_folders_alone(void **state)
{
	struct executor *whole = x;

	ONLY_IN_A_JAIL
	x = whole->reader;
	ends_with("echo x >read", 2);
	ends_with("echo x >../.claude/read && ls .", 0);
	assert_false(is_there("home/project/read"));
	x = whole;
}

static void
the_same_settings_change_nothing(void **state)
{
	struct harness_settings s = settings("write");

	assert_false(x->configure(x, &s));
	s.jail_reads = (char *)(uintptr_t) "/srv, /var/my data";
	assert_true(x->configure(x, &s));
	assert_false(x->configure(x, &s));
	s.jail = (char *)(uintptr_t) "off";
	assert_true(x->configure(x, &s));
	assert_false(x->one_directory);
}

static void
a_wrong_setting_is_told_and_runs_nothing(void **state)
{
	struct harness_settings s = settings("strict");

	x->configure(x, &s);
	must_fail(ERR_NOT_SET_UP,
		  "CLAUDE_JAIL is \"strict\", but must be off, write or read",
		  x->is_set_up(x, &e));
	s = settings("read");
	s.jail_writes = (char *)(uintptr_t) "srv";
	x->configure(x, &s);
	must_fail(ERR_NOT_SET_UP,
		  "CLAUDE_JAIL_WRITES is \"srv\", but must be paths below /, "
		  "with commas",
		  x->start(x, &process, &loop, NULL, on_ended, &e));
}

int
main(void)
{
#define REAL(test) cmocka_unit_test_setup_teardown(test, opens, closes)
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			for_writing_everything_is_shown_and_little_is_open),
		cmocka_unit_test(
			for_reading_the_system_is_shown_and_the_program),
		cmocka_unit_test(to_be_safe_only_its_own_folders_are_open),
		cmocka_unit_test(
			to_be_safe_a_directory_in_an_open_folder_is_closed),
		cmocka_unit_test(
			what_is_hidden_is_hidden_before_what_is_shown_in_it),
		cmocka_unit_test(a_link_to_the_directory_is_followed),
		cmocka_unit_test(without_a_directory_it_works_nowhere),
		cmocka_unit_test(
			a_directory_with_what_is_hidden_in_it_is_refused),
		REAL(its_exit_code_is_the_programs),
		REAL(it_writes_where_it_may),
		REAL(its_reader_writes_in_its_own_folders_alone),
		REAL(its_reader_has_a_jail_unless_that_is_off),
		REAL(it_hears_a_signal_and_ends_in_good_order),
		REAL(it_is_found_by_its_mark),
		REAL(nothing_outlives_the_program),
		REAL(the_same_settings_change_nothing),
		REAL(a_wrong_setting_is_told_and_runs_nothing),
	};

	return cmocka_run_group_tests(tests, begin, clean);
}
