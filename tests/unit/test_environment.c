/* What supervisor/environment promises, but for whose file it is: that is what
 * proto/ours promises. */
#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/variables.h"
#include "supervisor/environment.h"

static struct environment environment;
static char directory[64];

static int
setup(void **state)
{
	snprintf(directory, sizeof directory, "/tmp/environment.XXXXXX");
	clearenv();
	setenv("OURS", "from us", 1);
	environment = ENVIRONMENT_INIT;
	return !mkdtemp(directory) || chdir(directory) < 0;
}

static int
teardown(void **state)
{
	environment_fini(&environment);
	(void)unlink(".env");
	(void)unlink("other");
	return chdir("/") < 0 || rmdir(directory) < 0;
}

static void
file_says(const char *name, const char *text)
{
	FILE *f = fopen(name, "we");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void
is_set(const char *name, const char *value)
{
	assert_str(variable_value(name), value);
}

static void
a_file_adds_what_is_not_set(void **state)
{
	file_says(".env", "A=1\nOURS=from the file\nB=1\nA=2\nB=\n");
	environment_keep(&environment, NULL);
	must(environment_load(&environment, &e));
	is_set("A", "2");
	is_set("OURS", "from us");
	assert_true(variable_is_there("B"));
	assert_null(variable_value("B").ptr);
	assert_non_null(strstr(environment.read, "/.env"));
	assert_int_equal(environment.skipped.code, ERR_NONE);
}

static void
what_is_taken_out_of_it_is_gone(void **state)
{
	file_says(".env", "A=1\nB=1\n");
	environment_keep(&environment, NULL);
	must(environment_load(&environment, &e));
	file_says(".env", "A=2\n");
	must(environment_load(&environment, &e));
	is_set("A", "2");
	assert_false(variable_is_there("B"));
	assert_int_equal(unlink(".env"), 0);
	must(environment_load(&environment, &e));
	assert_false(variable_is_there("A"));
	assert_null(environment.read);
	is_set("OURS", "from us");
}

static void
a_load_can_be_undone(void **state)
{
	file_says(".env", "A=1\n");
	environment_keep(&environment, NULL);
	must(environment_load(&environment, &e));
	file_says(".env", "A=2\nnonsense\n");
	must_fail(ERR_INVALID, ".env, line 2: must be NAME=value",
		  environment_load(&environment, &e));
	environment_undo(&environment);
	is_set("A", "1");
	is_set("OURS", "from us");
	file_says(".env", "A=3\n");
	must(environment_load(&environment, &e));
	is_set("A", "3");
	environment_undo(&environment);
	is_set("A", "1");
}

static void
a_file_that_was_named_is_read_in_its_place(void **state)
{
	file_says(".env", "A=1\n");
	file_says("other", "A=2\n");
	environment_keep(&environment, "other");
	must(environment_load(&environment, &e));
	is_set("A", "2");
}

static void
whom_others_can_write_is_left_alone_or_refused(void **state)
{
	file_says(".env", "A=1\n");
	assert_int_equal(chmod(".env", 0602), 0);
	environment_keep(&environment, NULL);
	must(environment_load(&environment, &e));
	assert_false(variable_is_there("A"));
	assert_int_equal(environment.skipped.code, ERR_INVALID);
	environment.file = ".env";
	must_fail(ERR_INVALID,
		  ".env can be written by other users (mode 0602): run "
		  "\"chmod go-w .env\"",
		  environment_load(&environment, &e));
}

static void
a_pipe_keeps_nobody_waiting(void **state)
{
	assert_int_equal(mkfifo(".env", 0600), 0);
	environment_keep(&environment, NULL);
	must(environment_load(&environment, &e));
	assert_string_equal(environment.skipped.text,
			    ".env is not a regular file");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_adds_what_is_not_set),
		TEST(what_is_taken_out_of_it_is_gone),
		TEST(a_load_can_be_undone),
		TEST(a_file_that_was_named_is_read_in_its_place),
		TEST(whom_others_can_write_is_left_alone_or_refused),
		TEST(a_pipe_keeps_nobody_waiting),
	};

	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
