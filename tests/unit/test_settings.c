/* What proto/settings promises. */
#include "unit.h"

#include <stdlib.h>
#include <unistd.h>

#include "proto/settings.h"

static char path[] = "/tmp/settings.XXXXXX";

static int
setup(void **state)
{
	clearenv();
	return 0;
}

static void
file_says(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void
is_refused(const char *variable, const char *value, const char *why)
{
	struct settings s;

	clearenv();
	setenv(variable, value, 1);
	must_fail(ERR_INVALID, why, settings_read(&s, &e));
	settings_fini(&s);
}

static void
defaults_hold_without_an_environment(void **state)
{
	struct settings s;

	must(settings_read(&s, &e));
	assert_string_equal(s.host, "127.0.0.1");
	assert_int_equal(s.port, 3344);
	assert_null(s.bearer);
	assert_false(s.stream_default);
	settings_fini(&s);
}

static void
set_to_nothing_is_not_set(void **state)
{
	struct settings s;

	setenv("BRIDGE_PORT", "", 1);
	setenv("BRIDGE_BEARER", "", 1);
	must(settings_read(&s, &e));
	assert_int_equal(s.port, 3344);
	assert_null(s.bearer);
	settings_fini(&s);
}

static void
a_wrong_value_is_named_with_what_is_allowed(void **state)
{
	static const char *const wrong[] = { "x",   "70000", "-1",  "1.5",
					     " 80", "80 ",   "0x50" };

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		char why[128];

		snprintf(why, sizeof why,
			 "BRIDGE_PORT is \"%s\", but must be a whole number "
			 "from 0 to 65535",
			 wrong[i]);
		is_refused("BRIDGE_PORT", wrong[i], why);
	}
	is_refused("BRIDGE_STREAM_DEFAULT", "maybe",
		   "BRIDGE_STREAM_DEFAULT is \"maybe\", but must be true or "
		   "false");
	is_refused("BRIDGE_HUNG_MS", "99999999999999999999999",
		   "BRIDGE_HUNG_MS is \"99999999999999999999999\", but must "
		   "be a whole number from 500 to 600000");
}

static void
a_harness_has_its_own_before_the_global(void **state)
{
	struct harness_settings s;

	setenv("BRIDGE_MAX_RUNNING", "3", 1);
	must(harness_settings_read(&s, "claude", &e));
	assert_int_equal(s.max_running, 3);
	harness_settings_fini(&s);
	setenv("CLAUDE_MAX_RUNNING", "5", 1);
	must(harness_settings_read(&s, "claude", &e));
	assert_int_equal(s.max_running, 5);
	harness_settings_fini(&s);
	must(harness_settings_read(&s, "echo", &e));
	assert_int_equal(s.max_running, 3);
	harness_settings_fini(&s);
}

static void
the_variable_that_is_wrong_is_the_one_that_was_set(void **state)
{
	struct harness_settings s;

	setenv("BRIDGE_MAX_RUNNING", "0", 1);
	must_fail(ERR_INVALID,
		  "BRIDGE_MAX_RUNNING is \"0\", but must be a whole number "
		  "from 1 to 4096",
		  harness_settings_read(&s, "claude", &e));
	harness_settings_fini(&s);
}

static void
a_file_adds_what_is_not_set(void **state)
{
	file_says("# a comment\n"
		  "\n"
		  "PLAIN=one\n"
		  "export EXPORTED = two \n"
		  "QUOTED=\"three # and = more\"\r\n"
		  "SINGLE='four'\n"
		  "BEHIND=five # a comment\n"
		  "HASH=a#b\n"
		  "EMPTY=\n"
		  "TAKEN=six\n"
		  "LAST=seven");
	setenv("TAKEN", "mine", 1);
	must(settings_load_file(path, &e));
	assert_string_equal(getenv("PLAIN"), "one");
	assert_string_equal(getenv("EXPORTED"), "two");
	assert_string_equal(getenv("QUOTED"), "three # and = more");
	assert_string_equal(getenv("SINGLE"), "four");
	assert_string_equal(getenv("BEHIND"), "five");
	assert_string_equal(getenv("HASH"), "a#b");
	assert_string_equal(getenv("EMPTY"), "");
	assert_string_equal(getenv("TAKEN"), "mine");
	assert_string_equal(getenv("LAST"), "seven");
}

static void
a_wrong_line_is_named_by_its_number(void **state)
{
	char why[128];

	snprintf(why, sizeof why, "%s, line 2: must be NAME=value", path);
	file_says("A=1\nnonsense\n");
	must_fail(ERR_INVALID, why, settings_load_file(path, &e));
	file_says("A=1\n1B=1\n");
	must_fail(ERR_INVALID, why, settings_load_file(path, &e));
	file_says("A=1\n=1\n");
	must_fail(ERR_INVALID, why, settings_load_file(path, &e));
}

static void
of_equal_names_the_last_counts(void **state)
{
	clearenv();
	file_says("A=1\nB=1\nA=2\nB=\n");
	must(settings_load_file(path, &e));
	assert_string_equal(getenv("A"), "2");
	assert_string_equal(getenv("B"), "");
}

static char heard[256];

static void
note(const char *name, const char *nearest)
{
	size_t n = strlen(heard);

	snprintf(heard + n, sizeof heard - n, "%s (%s)\n", name, nearest);
}

static void
unknown_names_are_found_with_the_nearest(void **state)
{
	heard[0] = '\0';
	setenv("BRIDGE_PROT", "1", 1);
	setenv("BRIDGE_PORT", "1", 1);
	setenv("BRIDGE_PROVIDER_X_BASE_URL", "1", 1);
	setenv("UNRELATED", "1", 1);
	settings_find_unknown(note);
	assert_string_equal(heard, "BRIDGE_PROT (BRIDGE_PORT)\n");
}

static void
what_is_almost_a_setting_of_a_harness_is_found(void **state)
{
	clearenv();
	setenv("CLAUDE_MAX_RUNING", "1", 1);
	setenv("CLAUDE_CWDD", "/", 1);
	setenv("CLAUDE_MAX_RUNNING", "1", 1);
	setenv("CLAUDE_CONFIG_DIR", "/", 1);
	setenv("CLAUDE_CODE_MAX_OUTPUT_TOKENS", "1", 1);
	setenv("CLAUDE_DIR", "/", 1);
	setenv("CLAUDE_", "", 1);
	setenv("ECHO_BINN", "1", 1);
	*heard = '\0';
	settings_find_mistyped("claude", note);
	assert_string_equal(heard, "CLAUDE_MAX_RUNING (CLAUDE_MAX_RUNNING)\n"
				   "CLAUDE_CWDD (CLAUDE_CWD)\n");
}

static void
a_name_makes_a_variable(void **state)
{
	char *name =
		settings_variable("BRIDGE_PROVIDER_", "my-corp", "BASE_URL");

	assert_string_equal(name, "BRIDGE_PROVIDER_MY_CORP_BASE_URL");
	free(name);
}

static void
secrets_concern_nobody_by_default(void **state)
{
	assert_true(settings_concern("HOME=/", "claude"));
	assert_true(settings_concern("BRIDGE_PORT=1", "claude"));
	assert_true(settings_concern("CLAUDE_CWD=/", "claude"));
	assert_false(settings_concern("CLAUDE_CWD=/", "echo"));
	assert_false(settings_concern("BRIDGE_BEARER=x", "claude"));
	assert_false(settings_concern("BRIDGE_PROVIDER_X_API_KEY=x", "claude"));
	assert_false(settings_concern("ANTHROPIC_API_KEY=x", "claude"));
	assert_false(settings_concern("LD_PRELOAD=x", "claude"));
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(defaults_hold_without_an_environment),
		TEST(set_to_nothing_is_not_set),
		TEST(a_wrong_value_is_named_with_what_is_allowed),
		TEST(a_harness_has_its_own_before_the_global),
		TEST(the_variable_that_is_wrong_is_the_one_that_was_set),
		TEST(a_file_adds_what_is_not_set),
		TEST(a_wrong_line_is_named_by_its_number),
		TEST(of_equal_names_the_last_counts),
		TEST(unknown_names_are_found_with_the_nearest),
		TEST(what_is_almost_a_setting_of_a_harness_is_found),
		TEST(a_name_makes_a_variable),
		TEST(secrets_concern_nobody_by_default),
	};
	int fd = mkstemp(path), failed;

	if (fd < 0)
		return 1;
	close(fd);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
