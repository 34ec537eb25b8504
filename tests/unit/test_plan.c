/* What supervisor/plan promises, from the environment to the children. */
#include "unit.h"

#include <stdlib.h>
#include <unistd.h>

#include "proto/buf.h"
#include "supervisor/listener.h"
#include "proto/address.h"
#include "supervisor/plan.h"

static struct plan *plan;

static int
setup(void **state)
{
	clearenv();
	setenv("HOME", "/home/ada", 1);
	return 0;
}

static int
teardown(void **state)
{
	plan_free(plan);
	plan = NULL;
	return 0;
}

static void
is_planned(void)
{
	static const struct place place = { "0123", "/run/x", "/var/x" };

	teardown(NULL);
	must((plan = plan_new(&e)) != NULL);
	plan_furnish(plan, &place);
}

static void
is_refused(const char *variable, const char *value, const char *why)
{
	setup(NULL);
	setenv(variable, value, 1);
	must_fail(ERR_INVALID, why, plan_new(&e) != NULL);
}

static bool
knows(const char *child, const char *variable)
{
	const struct planned *c = plan_find(plan, child);
	struct str value;

	assert_non_null(c);
	for (char **v = c->env; *v; v++)
		if (str_is(str_cut(str_of(*v), '=', &value), variable))
			return true;
	return false;
}

static const char all_workers[] = ""
#define HARNESS(name, program, aliases, serves, meaning) " " name
#include "workers/harnesses.def"
	;

static const char choices[] = ""
#define HARNESS(name, program, aliases, serves, meaning) ", " name
#include "workers/harnesses.def"
	;

static void
everything_there_is_runs_unless_told(void **state)
{
	is_planned();
	assert_string_equal(plan->children[0].name, "gateway");
	assert_string_equal(plan->workers, all_workers + 1);
	assert_non_null(plan_find(plan, "echo"));
	assert_null(plan_find(plan, "nobody"));
}

static void
workers_of_the_operators_own_are_planned(void **state)
{
	setenv("BRIDGE_BACKENDS", "echo,my_agent", 1);
	setenv("BRIDGE_ACP_MY_AGENT", "my-agent --acp", 1);
	setenv("BRIDGE_ACP_MY_AGENT_MODELS", "a,b", 1);
	setenv("BRIDGE_ACP_OTHER", "other", 1);
	setenv("MY_AGENT_ENV_KEY", "1", 1);
	is_planned();
	assert_string_equal(plan->workers, "echo my_agent");
	assert_string_equal(plan->routes, "echo=echo my_agent=my_agent "
					  "my-agent=my_agent");
	assert_string_equal(plan_find(plan, "my_agent")->program,
			    "cli-bridge-acp");
	assert_true(knows("my_agent", "BRIDGE_ACP_MY_AGENT"));
	assert_true(knows("my_agent", "BRIDGE_ACP_MY_AGENT_MODELS"));
	assert_true(knows("my_agent", "MY_AGENT_ENV_KEY"));
	assert_false(knows("my_agent", "BRIDGE_ACP_OTHER"));
	assert_false(knows("echo", "BRIDGE_ACP_MY_AGENT"));
	assert_false(knows("gateway", "BRIDGE_ACP_MY_AGENT"));
}

static void
a_worker_of_the_operators_own_needs_a_name_of_its_own(void **state)
{
	is_refused("BRIDGE_ACP_CLAUDE", "x",
		   "BRIDGE_ACP_CLAUDE: \"claude\" already is the name of "
		   "another, choose another");
	is_refused("BRIDGE_ACP_OPENAI", "x",
		   "BRIDGE_ACP_OPENAI: \"openai\" already is the name of "
		   "another, choose another");
	is_refused("BRIDGE_ACP_GATEWAY", "x",
		   "BRIDGE_ACP_GATEWAY: \"gateway\" already is the name of "
		   "another, choose another");
	is_refused("BRIDGE_ACP_BRIDGE", "x",
		   "BRIDGE_ACP_BRIDGE: \"bridge\" already is the name of "
		   "another, choose another");
}

static void
a_variable_in_small_letters_is_no_worker(void **state)
{
	setenv("BRIDGE_ACP_mine", "mine", 1);
	is_planned();
	assert_null(plan_find(plan, "mine"));
	unsetenv("BRIDGE_ACP_mine");
}

static void
backends_may_be_chosen_also_by_alias(void **state)
{
	setenv("BRIDGE_BACKENDS", "echo, CC", 1);
	is_planned();
	assert_string_equal(plan->workers, "claude echo");
	assert_string_equal(plan->routes,
			    "claude=claude claude-code=claude cc=claude "
			    "echo=echo");
}

static void
providers_have_their_routes(void **state)
{
	setenv("BRIDGE_BACKENDS", "passthrough", 1);
	setenv("BRIDGE_PROVIDER_MY_CORP_BASE_URL", "https://corp.example/v1",
	       1);
	setenv("BRIDGE_PROVIDER_OPENAI_BASE_URL", "http://127.0.0.1:1", 1);
	is_planned();
	assert_string_equal(plan->routes,
			    "openai=passthrough anthropic=passthrough "
			    "moonshot=passthrough zai=passthrough "
			    "my_corp=passthrough my-corp=passthrough");
}

static void
the_mark_comes_first(void **state)
{
	is_planned();
	assert_string_equal(plan_find(plan, "echo")->env[0],
			    "CLI_BRIDGE_OWNER=0123/echo/");
	assert_true(knows("echo", "CLI_BRIDGE_RUN_DIR"));
	assert_false(knows("echo", "CLI_BRIDGE_ROUTES"));
	assert_true(knows("gateway", "CLI_BRIDGE_ROUTES"));
}

static void
secrets_are_known_to_one_only(void **state)
{
	setenv("BRIDGE_BEARER", "open-sesame", 1);
	setenv("OPENAI_API_KEY", "sk-1", 1);
	setenv("ANTHROPIC_API_KEY", "sk-2", 1);
	setenv("BRIDGE_PROVIDER_ACME_API_KEY", "sk-3", 1);
	setenv("UNRELATED", "1", 1);
	setenv("CLAUDE_CWD", "/tmp", 1);
	is_planned();
	assert_true(knows("gateway", "BRIDGE_BEARER"));
	assert_false(knows("claude", "BRIDGE_BEARER"));
	assert_false(knows("passthrough", "BRIDGE_BEARER"));
	assert_true(knows("passthrough", "OPENAI_API_KEY"));
	assert_true(knows("passthrough", "BRIDGE_PROVIDER_ACME_API_KEY"));
	assert_false(knows("claude", "ANTHROPIC_API_KEY"));
	assert_false(knows("gateway", "OPENAI_API_KEY"));
	assert_false(knows("gateway", "BRIDGE_PROVIDER_ACME_API_KEY"));
	assert_true(knows("claude", "CLAUDE_CWD"));
	assert_false(knows("echo", "CLAUDE_CWD"));
	for (size_t i = 0; i < plan->count; i++)
		assert_false(knows(plan->children[i].name, "UNRELATED"));
}

static bool
changes(const char *child, const char *variable, const char *value)
{
	static const struct place place = { "0123", "/run/x", "/var/x" };
	struct plan *next = NULL;
	bool same;

	setup(NULL);
	is_planned();
	setenv(variable, value, 1);
	must((next = plan_new(&e)) != NULL);
	plan_furnish(next, &place);
	same = planned_has_same_env(plan_find(plan, child),
				    plan_find(next, child));
	plan_free(next);
	return !same;
}

static void
a_change_concerns_those_whose_environment_it_is(void **state)
{
	assert_true(changes("claude", "CLAUDE_CWD", "/"));
	assert_false(changes("echo", "CLAUDE_CWD", "/"));
	assert_false(changes("gateway", "CLAUDE_CWD", "/"));
	assert_true(changes("gateway", "BRIDGE_BEARER", "open-sesame"));
	assert_false(changes("claude", "BRIDGE_BEARER", "open-sesame"));
	assert_true(changes("passthrough", "ZAI_API_KEY", "k"));
	assert_false(changes("echo", "ZAI_API_KEY", "k"));
	assert_false(changes("echo", "BRIDGE_BACKENDS", "echo"));
	assert_true(changes("gateway", "BRIDGE_MAX_TURNS", "7"));
	assert_false(changes("echo", "BRIDGE_MAX_TURNS", "7"));
	assert_false(changes("passthrough", "BRIDGE_MAX_TURNS", "7"));
	assert_true(changes("echo", "BRIDGE_IDLE_MS", "7"));
	assert_false(changes("passthrough", "BRIDGE_IDLE_MS", "7"));
	assert_false(changes("gateway", "BRIDGE_IDLE_MS", "7"));
	assert_false(changes("gateway", "BRIDGE_HELLO_MS", "700"));
	assert_true(changes("gateway", "BRIDGE_BACKENDS", "echo"));
}

static bool
becomes_another(const char *child, const char *variable, const char *value)
{
	static const struct place place = { "0123", "/run/x", "/var/x" };
	struct plan *next = NULL;
	bool another;

	setup(NULL);
	setenv("BRIDGE_ACP_MY_AGENT", "my-agent --acp", 1);
	is_planned();
	setenv(variable, value, 1);
	must((next = plan_new(&e)) != NULL);
	plan_furnish(next, &place);
	another = planned_is_another(plan_find(plan, child),
				     plan_find(next, child));
	plan_free(next);
	return another;
}

static void
only_another_agent_needs_another_process(void **state)
{
	assert_true(becomes_another("my_agent", "BRIDGE_ACP_MY_AGENT", "x"));
	assert_true(becomes_another("my_agent", "BRIDGE_ACP_MY_AGENT_MODELS",
				    "small,large"));
	assert_false(becomes_another("my_agent", "MY_AGENT_ENV_KEY", "1"));
	assert_false(becomes_another("claude", "BRIDGE_ACP_MY_AGENT", "x"));
	assert_false(becomes_another("claude", "CLAUDE_BIN", "/x"));
	unsetenv("BRIDGE_ACP_MY_AGENT");
	unsetenv("BRIDGE_ACP_MY_AGENT_MODELS");
}

static void
what_is_wrong_is_named(void **state)
{
	auto_free char *unknown =
		copy_format("BRIDGE_BACKENDS names \"foo\", but must be some "
			    "of: %s",
			    choices + 2);

	is_refused("BRIDGE_BACKENDS", "claude,foo", unknown);
	is_refused("BRIDGE_BACKENDS", " , ",
		   "BRIDGE_BACKENDS is \",\", but must name a harness");
	is_refused("CLAUDE_CWD", "tmp",
		   "CLAUDE_CWD is \"tmp\", but must be the absolute path of a "
		   "directory that exists");
	is_refused("CLAUDE_CWD", "/dev/null",
		   "CLAUDE_CWD is \"/dev/null\", but must be the absolute "
		   "path of a directory that exists");
	is_refused("CLAUDE_MAX_RUNNING", "0",
		   "CLAUDE_MAX_RUNNING is \"0\", but must be a whole number "
		   "from 1 to 4096");
	is_refused("BRIDGE_LOG_LEVEL", "loud",
		   "BRIDGE_LOG_LEVEL is \"loud\", but must be error, warn, "
		   "info or debug");
}

static void
a_provider_needs_a_url_and_a_name_of_its_own(void **state)
{
	is_refused("BRIDGE_PROVIDER_ACME_BASE_URL", "ftp://x",
		   "BRIDGE_PROVIDER_ACME_BASE_URL is \"ftp://x\", but a base "
		   "URL must begin with http:// or https://");
	is_refused("BRIDGE_PROVIDER_ACME_BASE_URL", "https://x/v1?k=1",
		   "BRIDGE_PROVIDER_ACME_BASE_URL is \"https://x/v1?k=1\", but "
		   "a base URL must have no query: leave out what begins with "
		   "\"?\"");
	is_refused("BRIDGE_PROVIDER_CLAUDE_BASE_URL", "https://x",
		   "BRIDGE_PROVIDER_CLAUDE_BASE_URL: \"claude\" already is the "
		   "name of a harness, choose another");
	is_refused("BRIDGE_PROVIDER_CC_BASE_URL", "https://x",
		   "BRIDGE_PROVIDER_CC_BASE_URL: \"cc\" already is the name "
		   "of a harness, choose another");
}

static void
a_key_is_checked_before_anything_starts(void **state)
{
	is_refused("OPENAI_API_KEY", "sk-1 sk-2",
		   "OPENAI_API_KEY has white space or another character in it "
		   "that a key can't have: copy the key again");
	is_refused("BRIDGE_PROVIDER_ACME_API_KEY", "sk-1\nsk-2",
		   "BRIDGE_PROVIDER_ACME_API_KEY has white space or another "
		   "character in it that a key can't have: copy the key "
		   "again");
	setup(state);
	setenv("OPENAI_API_KEY", " sk-1\n", 1);
	setenv("ZAI_API_KEY", " ", 1);
	setenv("BRIDGE_PROVIDER_ACME_BASE_URL", " ", 1);
	is_planned();
	assert_null(strstr(plan->routes, "acme"));
}

static void
blank_variables_make_no_worker(void **state)
{
	setenv("BRIDGE_ACP_GHOST", " \t", 1);
	is_planned();
	assert_null(plan_find(plan, "ghost"));
	unsetenv("BRIDGE_ACP_GHOST");
}

static void
strangers_need_a_bearer(void **state)
{
	is_refused("BRIDGE_HOST", "0.0.0.0",
		   "BRIDGE_HOST is \"0.0.0.0\", which is not loopback and "
		   "needs BRIDGE_BEARER");
	is_refused("BRIDGE_ALLOWED_ORIGINS", "https://a, *",
		   "BRIDGE_ALLOWED_ORIGINS is \"*\", which needs "
		   "BRIDGE_BEARER");
	is_refused("BRIDGE_BEARER", "1234567",
		   "BRIDGE_BEARER is too short: it must have 8 characters or "
		   "more");
	is_refused("BRIDGE_BEARER", "sesame open",
		   "BRIDGE_BEARER has a character that no header can carry: "
		   "letters, digits and punctuation only");
	setup(state);
	setenv("BRIDGE_HOST", "0.0.0.0", 1);
	setenv("BRIDGE_BEARER", " \t", 1);
	must_fail(ERR_INVALID,
		  "BRIDGE_HOST is \"0.0.0.0\", which is not loopback and "
		  "needs BRIDGE_BEARER",
		  plan_new(&e) != NULL);
	setenv("BRIDGE_BEARER", "12345678", 1);
	is_planned();
}

static void
loopback_has_many_names(void **state)
{
	static const char *const ours[] = {
		"127.0.0.1", "127.9.9.9", "localhost", "::1", "[::1]",
	};
	static const char *const others[] = {
		"0.0.0.0",  "::", "192.168.0.1",       "localhost.example",
		"10.0.0.1", "1",  "127.0.0.1.example",
	};

	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
		assert_true(host_is_loopback(str_of(ours[i])));
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		assert_false(host_is_loopback(str_of(others[i])));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(everything_there_is_runs_unless_told),
		TEST(backends_may_be_chosen_also_by_alias),
		TEST(workers_of_the_operators_own_are_planned),
		TEST(a_worker_of_the_operators_own_needs_a_name_of_its_own),
		TEST(a_variable_in_small_letters_is_no_worker),
		TEST(providers_have_their_routes),
		TEST(the_mark_comes_first),
		TEST(secrets_are_known_to_one_only),
		TEST(a_change_concerns_those_whose_environment_it_is),
		TEST(only_another_agent_needs_another_process),
		TEST(what_is_wrong_is_named),
		TEST(a_provider_needs_a_url_and_a_name_of_its_own),
		TEST(a_key_is_checked_before_anything_starts),
		TEST(blank_variables_make_no_worker),
		TEST(strangers_need_a_bearer),
		TEST(loopback_has_many_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
