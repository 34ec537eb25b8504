/* What proto/settings promises. */
#include "unit.h"

#include <stdlib.h>

#include "proto/settings.h"

static int
setup(void **state)
{
	clearenv();
	return 0;
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
a_value_of_white_space_is_none_whatever_its_kind(void **state)
{
	static const char *const blanks[] = { " ", "\t", " \r\n", "\v\f" };

	for (size_t i = 0; i < sizeof blanks / sizeof *blanks; i++) {
		struct settings s;
		struct harness_settings h;

		setenv("BRIDGE_BEARER", blanks[i], 1);
		setenv("BRIDGE_DATA_DIR", blanks[i], 1);
		setenv("BRIDGE_PORT", blanks[i], 1);
		setenv("BRIDGE_STREAM_DEFAULT", blanks[i], 1);
		setenv("CLAUDE_BIN", blanks[i], 1);
		setenv("CLAUDE_MAX_RUNNING", blanks[i], 1);
		setenv("BRIDGE_MAX_RUNNING", "3", 1);
		must(settings_read(&s, &e));
		assert_null(s.bearer);
		assert_null(s.data_dir);
		assert_int_equal(s.port, 3344);
		assert_false(s.stream_default);
		settings_fini(&s);
		must(harness_settings_read(&h, "claude", &e));
		assert_null(h.bin);
		assert_int_equal(h.max_running, 3);
		harness_settings_fini(&h);
	}
}

static void
white_space_around_a_value_is_not_part_of_it(void **state)
{
	struct settings s;

	setenv("BRIDGE_BEARER", " sesame-open\r\n", 1);
	setenv("BRIDGE_PORT", "\t80 ", 1);
	setenv("BRIDGE_STREAM_DEFAULT", " true ", 1);
	must(settings_read(&s, &e));
	assert_string_equal(s.bearer, "sesame-open");
	assert_int_equal(s.port, 80);
	assert_true(s.stream_default);
	settings_fini(&s);
}

static void
a_tilde_is_the_home_directory_in_paths_only(void **state)
{
	struct settings s;
	struct harness_settings h;

	setenv("HOME", "/home/ada", 1);
	setenv("BRIDGE_DATA_DIR", "~/data", 1);
	setenv("BRIDGE_ALLOWED_HOSTS", "~/x", 1);
	setenv("CLAUDE_CWD", "~", 1);
	setenv("CLAUDE_BIN", "/opt/~/claude", 1);
	must(settings_read(&s, &e));
	assert_string_equal(s.data_dir, "/home/ada/data");
	assert_string_equal(s.allowed_hosts, "~/x");
	settings_fini(&s);
	must(harness_settings_read(&h, "claude", &e));
	assert_string_equal(h.cwd, "/home/ada");
	assert_string_equal(h.bin, "/opt/~/claude");
	harness_settings_fini(&h);
}

static void
a_tilde_that_stands_for_nothing_is_refused(void **state)
{
	is_refused("BRIDGE_DATA_DIR", "~/data",
		   "BRIDGE_DATA_DIR is \"~/data\", but HOME is not set: write "
		   "the whole path");
	is_refused("BRIDGE_DATA_DIR", "~eve/data",
		   "BRIDGE_DATA_DIR is \"~eve/data\", but only ~/ stands for "
		   "a home directory: write the whole path");
}

static void
a_wrong_value_is_named_with_what_is_allowed(void **state)
{
	static const char *const wrong[] = { "x",   "70000", "-1", "1.5",
					     "8 0", "0x50",  "80;" };

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

static char heard[256];

static void
note(const char *name, const char *nearest)
{
	size_t n = strlen(heard);

	snprintf(heard + n, sizeof heard - n, "%s (%s)\n", name,
		 nearest ? nearest : "");
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
what_is_unlike_any_setting_is_not_named_after_one(void **state)
{
	static const char *const unlike[] = {
		"BRIDGE_LIST",	 "BRIDGE_X",	  "BRIDGE_",
		"BRIDGE_SECRET", "BRIDGE_PREFIX", "BRIDGE_CLAUDE_CWD",
	};

	for (size_t i = 0; i < sizeof unlike / sizeof *unlike; i++) {
		char want[64];

		clearenv();
		heard[0] = '\0';
		setenv(unlike[i], "1", 1);
		settings_find_unknown(note);
		snprintf(want, sizeof want, "%s ()\n", unlike[i]);
		assert_string_equal(heard, want);
	}
}

static void
a_slip_in_a_name_is_found(void **state)
{
	heard[0] = '\0';
	setenv("BRIDGE_BARER", "1", 1);
	settings_find_unknown(note);
	clearenv();
	setenv("BRIDGE_MAX_RUNING", "1", 1);
	settings_find_unknown(note);
	clearenv();
	setenv("BRIDGE_PROVIDER_X_BASE_ULR", "1", 1);
	settings_find_unknown(note);
	assert_string_equal(heard, "BRIDGE_BARER (BRIDGE_BEARER)\n"
				   "BRIDGE_MAX_RUNING (BRIDGE_MAX_RUNNING)\n"
				   "BRIDGE_PROVIDER_X_BASE_ULR ()\n");
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

static bool
concerns(const char *variable, const char *name, enum concern who)
{
	return settings_concern(str_of(variable), name, who);
}

static void
a_setting_concerns_who_reads_it(void **state)
{
	assert_true(concerns("BRIDGE_MAX_TURNS", "gateway", FOR_GATEWAY));
	assert_false(concerns("BRIDGE_MAX_TURNS", "claude", FOR_CLIS));
	assert_true(concerns("BRIDGE_PROBE_MS", "claude", FOR_CLIS));
	assert_true(concerns("BRIDGE_PROBE_MS", "p", FOR_PROVIDERS));
	assert_false(concerns("BRIDGE_PROBE_MS", "gateway", FOR_GATEWAY));
	assert_true(concerns("BRIDGE_IDLE_MS", "claude", FOR_CLIS));
	assert_false(concerns("BRIDGE_IDLE_MS", "p", FOR_PROVIDERS));
	assert_true(concerns("CLI_TIMEOUT_MS", "p", FOR_PROVIDERS));
	assert_false(concerns("BRIDGE_HELLO_MS", "gateway", FOR_GATEWAY));
	assert_true(concerns("BRIDGE_LOG_LEVEL", "gateway", FOR_GATEWAY));
	assert_true(concerns("CLAUDE_CWD", "claude", FOR_CLIS));
	assert_false(concerns("CLAUDE_CWD", "echo", FOR_CLIS));
	assert_true(concerns("HOME", "claude", FOR_CLIS));
}

static void
secrets_concern_nobody_by_default(void **state)
{
	assert_true(concerns("BRIDGE_BEARER", "gateway", FOR_GATEWAY));
	assert_false(concerns("BRIDGE_BEARER", "claude", FOR_WORKERS));
	assert_false(concerns("BRIDGE_UNKNOWN", "claude", FOR_WORKERS));
	assert_false(concerns("BRIDGE_PROVIDER_X_API_KEY", "claude", FOR_CLIS));
	assert_false(concerns("ANTHROPIC_API_KEY", "claude", FOR_CLIS));
	assert_false(concerns("LD_PRELOAD", "claude", FOR_CLIS));
}

static void
note_fixed(const char *variable)
{
	note(variable, NULL);
}

static void
what_counts_at_the_start_only_is_found_when_it_changes(void **state)
{
	struct settings old, new;

	heard[0] = '\0';
	setenv("BRIDGE_DATA_DIR", "/a", 1);
	must(settings_read(&old, &e));
	setenv("BRIDGE_PORT", "1", 1);
	setenv("BRIDGE_DATA_DIR", " /a ", 1);
	setenv("BRIDGE_MAX_TURNS", "7", 1);
	must(settings_read(&new, &e));
	settings_find_fixed(&old, &new, note_fixed);
	assert_string_equal(heard, "BRIDGE_PORT ()\n");
	settings_fini(&old);
	settings_fini(&new);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(defaults_hold_without_an_environment),
		TEST(set_to_nothing_is_not_set),
		TEST(a_value_of_white_space_is_none_whatever_its_kind),
		TEST(white_space_around_a_value_is_not_part_of_it),
		TEST(a_tilde_is_the_home_directory_in_paths_only),
		TEST(a_tilde_that_stands_for_nothing_is_refused),
		TEST(a_wrong_value_is_named_with_what_is_allowed),
		TEST(a_harness_has_its_own_before_the_global),
		TEST(the_variable_that_is_wrong_is_the_one_that_was_set),
		TEST(unknown_names_are_found_with_the_nearest),
		TEST(what_is_unlike_any_setting_is_not_named_after_one),
		TEST(a_slip_in_a_name_is_found),
		TEST(what_is_almost_a_setting_of_a_harness_is_found),
		TEST(a_name_makes_a_variable),
		TEST(a_setting_concerns_who_reads_it),
		TEST(what_counts_at_the_start_only_is_found_when_it_changes),
		TEST(secrets_concern_nobody_by_default),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
