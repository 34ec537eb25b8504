/* What workers/needs promises. */
#include "tests/unit/unit.h"

#include <stdlib.h>

#include "workers/needs.h"

#define WITH(...) (environment((const char *const[]){ __VA_ARGS__, NULL }), &e)

static void
environment(const char *const *entries)
{
	clearenv();
	for (; *entries; entries++)
		assert_int_equal(putenv((char *)(uintptr_t)*entries), 0);
}

static void
a_cli_is_looked_up_in_the_path_of_its_worker(void **state)
{
	must_fail(ERR_NOT_SET_UP,
		  "the program codex is not installed: npm install -g "
		  "@openai/codex, or "
		  "set CODEX_BIN",
		  needs_are_met("codex", WITH("PATH=/nonexistent")));
	must_fail(ERR_NOT_SET_UP,
		  "the program droid is not installed: npm install -g "
		  "@factory/cli, or "
		  "set FACTORY_BIN",
		  needs_are_met("factory", WITH("HOME=/")));
}

static void
a_program_that_is_named_comes_first(void **state)
{
	auto_free char *program = NULL;

	must(needs_are_met("codex", WITH("PATH=/x", "CODEX_BIN= /bin/sh ")));
	environment(
		(const char *const[]){ "CODEX_BIN=sh", "PATH=/x:/bin", NULL });
	program = needs_program("codex");
	assert_string_equal(program, "/bin/sh");
	must_fail(ERR_NOT_SET_UP, "CODEX_BIN is \"/none\", which can't be run",
		  needs_are_met("codex", WITH("CODEX_BIN=/none", "PATH=/bin")));
	must_fail(ERR_NOT_SET_UP, "CODEX_BIN is \"/tmp\", which can't be run",
		  needs_are_met("codex", WITH("CODEX_BIN=/tmp")));
}

static void
set_to_nothing_is_not_set(void **state)
{
	must_fail(ERR_NOT_SET_UP,
		  "the program codex is not installed: npm install -g "
		  "@openai/codex, or "
		  "set CODEX_BIN",
		  needs_are_met("codex", WITH("CODEX_BIN= ", "PATH=/x")));
}

/* Without it there is nothing to install that would help. */
static void
an_address_that_is_needed_is_asked_for_first(void **state)
{
	must_fail(ERR_NOT_SET_UP,
		  "CLAUDISH_URL is not set: run claudish serve with its "
		  "vendor's key, and set CLAUDISH_URL to where it listens",
		  needs_are_met("claudish", WITH("PATH=/x")));
	must_fail(ERR_NOT_SET_UP,
		  "the program claude is not installed: npm "
		  "install -g @anthropic-ai/claude-code, or set CLAUDISH_BIN",
		  needs_are_met("claudish",
				WITH("PATH=/x", "CLAUDISH_URL=http://x")));
	must(needs_are_met("claudish", WITH("CLAUDISH_BIN=/bin/sh",
					    "CLAUDISH_URL=http://x")));
	assert_string_equal(needs_url("claudish"), "CLAUDISH_URL");
	assert_null(needs_url("claude"));
}

static void
providers_need_a_key_or_an_address(void **state)
{
	const char *missing =
		"no provider has a key: set OPENAI_API_KEY, "
		"ANTHROPIC_API_KEY, MOONSHOT_API_KEY, ZAI_API_KEY or "
		"BRIDGE_PROVIDER_<NAME>_BASE_URL";

	must_fail(ERR_NOT_SET_UP, missing,
		  needs_are_met("passthrough", WITH("PATH=/bin")));
	must_fail(ERR_NOT_SET_UP, missing,
		  needs_are_met("passthrough", WITH("OPENAI_API_KEY= ")));
	must_fail(ERR_NOT_SET_UP, missing,
		  needs_are_met("passthrough",
				WITH("BRIDGE_PROVIDER__BASE_URL=x")));
	must(needs_are_met("passthrough", WITH("ZAI_API_KEY=k")));
	must(needs_are_met("passthrough",
			   WITH("BRIDGE_PROVIDER_NEAR_BASE_URL=http://x")));
	must(needs_are_met("passthrough",
			   WITH("BRIDGE_PROVIDER_OPENAI_API_KEY=k")));
	must_fail(ERR_NOT_SET_UP, missing,
		  needs_are_met("passthrough",
				WITH("BRIDGE_PROVIDER_NEAR_API_KEY=k")));
}

static void
an_agent_of_the_operators_own_is_the_first_word(void **state)
{
	must(needs_are_met("mine", WITH("BRIDGE_ACP_MINE=/bin/sh -c x")));
	must_fail(ERR_NOT_SET_UP,
		  "the program of mine is not installed: install it, or "
		  "change "
		  "BRIDGE_ACP_MINE",
		  needs_are_met("mine", WITH("BRIDGE_ACP_MINE=none --acp")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cli_is_looked_up_in_the_path_of_its_worker),
		cmocka_unit_test(a_program_that_is_named_comes_first),
		cmocka_unit_test(set_to_nothing_is_not_set),
		cmocka_unit_test(an_address_that_is_needed_is_asked_for_first),
		cmocka_unit_test(providers_need_a_key_or_an_address),
		cmocka_unit_test(
			an_agent_of_the_operators_own_is_the_first_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
