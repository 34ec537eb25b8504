/* What workers/executor/folders promises. */
#include "tests/unit/unit.h"

#include <stdlib.h>

#include "proto/buf.h"
#include "workers/executor/folders.h"

/* The environment of the worker is this, and nothing else. */
static void
with(const char *const *entries)
{
	clearenv();
	for (; *entries; entries++)
		assert_int_equal(putenv((char *)(uintptr_t)*entries), 0);
}

#define WITH(...) with((const char *const[]){ __VA_ARGS__, NULL })

static void
is_at(const char *harness, size_t n, const char *path)
{
	size_t count;
	const struct folder *f = folders_of(harness, &count);
	auto_free char *found = NULL;

	assert_true(n < count);
	found = folder_path(&f[n]);
	if (path)
		assert_string_equal(found, path);
	else
		assert_null(found);
}

static void
a_folder_is_in_the_home_directory(void **state)
{
	WITH("HOME=/home/me");
	is_at("claude", 0, "/home/me/.claude");
	is_at("claude", 1, "/home/me/.claude.json");
	is_at("opencode", 1, "/home/me/.local/share/opencode");
	is_at("factory", 0, "/home/me/.factory");
}

static void
a_variable_of_the_cli_moves_it(void **state)
{
	WITH("HOME=/home/me", "CODEX_HOME=/srv/codex", "XDG_DATA_HOME=/data",
	     "CLAUDE_CONFIG_DIR=/conf");
	is_at("codex", 0, "/srv/codex");
	is_at("opencode", 1, "/data/opencode");
	is_at("claude", 1, "/conf/.claude.json");
}

static void
what_the_operator_sets_for_the_harness_counts_first(void **state)
{
	WITH("HOME=/home/me", "CODEX_HOME=/srv/codex",
	     "CODEX_ENV_CODEX_HOME=/mine", "GEMINI_ENV_HOME=/home/gemini");
	is_at("codex", 0, "/mine");
	is_at("gemini", 0, "/home/gemini/.gemini");
	is_at("qwen", 0, "/home/me/.qwen");
}

static void
one_that_is_nowhere_has_no_path(void **state)
{
	WITH("HOME=/home/me");
	is_at("codex", 1, NULL);
	WITH("CODEX_SQLITE_HOME=/db");
	is_at("codex", 0, NULL);
	is_at("codex", 1, "/db");
}

static void
an_agent_of_the_operators_own_has_none(void **state)
{
	size_t count;

	assert_null(folders_of("goose", &count));
	assert_int_equal(count, 0);
}

static void
the_rows_of_a_harness_follow_each_other(void **state)
{
	static const char *const names[] = {
#define FOLDER(harness, path, instead, why) harness,
#define FOLDER_IF_THERE(harness, path, instead, why) harness,
#define STATE_FILE(harness, path, instead, begins, why) harness,
#include "workers/executor/folders.def"
	};
	size_t count;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const struct folder *f = folders_of(names[i], &count);

		for (size_t n = 0; n < count; n++) {
			assert_string_equal(f[n].harness, names[i]);
			assert_true(f[n].path ? !strncmp(f[n].path, "~/", 2)
					      : *f[n].instead == '$');
		}
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_folder_is_in_the_home_directory),
		cmocka_unit_test(a_variable_of_the_cli_moves_it),
		cmocka_unit_test(
			what_the_operator_sets_for_the_harness_counts_first),
		cmocka_unit_test(one_that_is_nowhere_has_no_path),
		cmocka_unit_test(an_agent_of_the_operators_own_has_none),
		cmocka_unit_test(the_rows_of_a_harness_follow_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
