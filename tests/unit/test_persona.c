/* What workers/cli/persona promises: a profile and a system prompt become what
 * the CLI is told, and agree with the request. */
#include "tests/unit/unit.h"

#include <stdlib.h>

#include "workers/cli/persona.h"
#include "workers/cli/pool.h"
#include "workers/cli/session.h"

static struct executor place = { .scratch = (char *)"/scratch" };
static struct persona p;
static struct options o;

static int
forget(void **state)
{
	persona_fini(&p);
	options_fini(&o);
	return 0;
}

static void
reads(const char *body)
{
	json_t *json = json_loads(body, 0, NULL);

	options_fini(&o);
	must(options_read(&o, json, NULL, &e));
	json_decref(json);
}

static void
is_found(enum profile_taker taker, const char *session, const char *system)
{
	const struct harness h = { .takes = &profile_takes[taker] };
	const struct session s = {
		.id = (char *)session,
		.number = 1,
		.cli_id = (char *)"cli",
		.terms = { .system = (char *)system,
			   .system_len = system ? strlen(system) : 0 },
	};

	persona_fini(&p);
	persona_find(&p, &h, &o, &s, &place);
}

static void
without_a_profile_there_is_the_system_prompt_alone(void **state)
{
	reads("{}");
	is_found(CLAUDE_TAKES, "s", "words");
	assert_string_equal(p.system, "words");
	assert_null(p.instead);
	assert_null(p.directory);
	is_found(CLAUDE_TAKES, "s", NULL);
	assert_null(p.system);
}

static void
the_profile_comes_before_the_system_prompt(void **state)
{
	reads("{\"agent_profile\":{\"systemPrompt\":\"instead\","
	      "\"prompt\":{\"appendSystemPrompt\":\"more\"}}}");
	is_found(OTHERS_TAKES, "s", "words");
	assert_string_equal(p.system, "instead\n\nmore\n\nwords");
	assert_null(p.instead);
	is_found(CLAUDE_TAKES, "s", "words");
	assert_string_equal(p.system, "more\n\nwords");
	assert_string_equal(p.instead, "instead");
	assert_int_equal(p.system_len, strlen(p.system));
}

#define SKILL "{\"name\":\"a\",\"content\":\"c\"}"

static void
the_directory_is_the_sessions_and_the_profiles(void **state)
{
	auto_free char *first = NULL, *other = NULL;

	reads("{\"agent_profile\":{\"skills\":[" SKILL "]}}");
	is_found(OTHERS_TAKES, "s", NULL);
	first = copy(str_of(p.directory));
	assert_true(str_starts(str_of(first), STR("/scratch/")));
	assert_non_null(strstr(p.system, first));
	is_found(OTHERS_TAKES, "s", "words");
	assert_string_equal(p.directory, first);
	is_found(OTHERS_TAKES, "t", NULL);
	other = copy(str_of(p.directory));
	assert_string_not_equal(other, first);
	reads("{\"agent_profile\":{\"name\":\"n\",\"skills\":[" SKILL "]}}");
	is_found(OTHERS_TAKES, "s", NULL);
	assert_string_not_equal(p.directory, first);
}

/* A skill names programs, which its CLI runs. */
static void
in_the_mode_hosted_safe_a_skill_is_only_told(void **state)
{
	const struct harness h = { .takes = &profile_takes[CLAUDE_TAKES] };
	json_t *receipt;

	reads("{\"agent_profile\":{\"skills\":[" SKILL "]}}");
	is_found(CLAUDE_TAKES, "s", NULL);
	assert_null(p.system);
	reads("{\"mode\":\"hosted-safe\",\"agent_profile\":{\"skills\":[" SKILL
	      "]}}");
	is_found(CLAUDE_TAKES, "s", NULL);
	assert_non_null(strstr(p.system, "skills/a/SKILL.md"));
	receipt = persona_receipt(&o, &h);
	assert_int_equal(json_array_size(json_object_get(receipt, "native")),
			 0);
	json_decref(receipt);
}

static unsigned removals;

static void
remove_tree(struct executor *x, const char *path)
{
	removals++;
}

/* A session that goes on in another mode has the same directory, and its old
 * process may end after the new one has begun. */
static void
files_stay_as_long_as_a_conversation_has_them(void **state)
{
	static struct executor reader, apart;
	static struct pool pool;
	struct conversation old = { .directory = "/scratch/d.profile",
				    .executor = &place,
				    .pool = &pool };
	struct conversation new = old;

	place.remove_tree = apart.remove_tree = remove_tree;
	place.reader = &reader;
	new.executor = &reader;
	list_init(&pool.conversations);
	list_append(&pool.conversations, &new.node);
	persona_remove_files(&old);
	assert_int_equal(removals, 0);
	new.executor = &apart;
	persona_remove_files(&old);
	assert_int_equal(removals, 1);
	place.reader = NULL;
}

static void
a_model_is_the_profiles_in_the_harnesss_words(void **state)
{
	json_t *models = json_pack("[s, {s:s}]", "m", "id", "p/m");
	auto_free char *plain = NULL, *whole = NULL;

	reads("{\"agent_profile\":{\"model\":{\"default\":\"claude-code/m\","
	      "\"provider\":\"p\"}}}");
	plain = persona_model(o.profile, "claude", NULL);
	assert_string_equal(plain, "m");
	whole = persona_model(o.profile, "claude", models);
	assert_string_equal(whole, "p/m");
	must(persona_agrees(&o, "claude", NULL, &e));
	must(persona_agrees(&o, "claude", "default", &e));
	must(persona_agrees(&o, "claude", "m", &e));
	must(persona_agrees(&o, "claude", "p/m", &e));
	must_fail(ERR_INVALID,
		  "agent_profile.model.default: is m, and the request asks "
		  "for n: name one, or the same",
		  persona_agrees(&o, "claude", "n", &e));
	json_decref(models);
}

static void
an_effort_is_the_profiles_unless_the_request_says_one(void **state)
{
	reads("{\"agent_profile\":{\"model\":{\"reasoningEffort\":\"high\"}}}");
	assert_int_equal(o.effort, EFFORT_HIGH);
	reads("{\"reasoning_effort\":\"low\",\"agent_profile\":{\"model\":"
	      "{\"reasoningEffort\":\"high\"}}}");
	must_fail(ERR_INVALID,
		  "agent_profile.model.reasoningEffort: is high, and the "
		  "request asks for low",
		  persona_agrees(&o, "claude", NULL, &e));
}

static void
servers_are_the_profiles_and_the_requests(void **state)
{
	reads("{\"mcp\":{\"mcpServers\":{\"a\":{\"command\":\"request\"}}},"
	      "\"agent_profile\":{\"mcp\":{\"a\":{\"command\":\"profile\"},"
	      "\"b\":{\"command\":\"profile\"}}}}");
	assert_string_equal(
		json_text(json_object_get(o.servers, "a"), "command"),
		"request");
	assert_string_equal(
		json_text(json_object_get(o.servers, "b"), "command"),
		"profile");
}

static void
a_harness_has_several_names(void **state)
{
	reads("{\"agent_profile\":{\"harness\":\"claude-code\"}}");
	must(persona_agrees(&o, "claude", NULL, &e));
	must_fail(ERR_INVALID,
		  "agent_profile.harness: is claude-code, and the request "
		  "goes to codex",
		  persona_agrees(&o, "codex", NULL, &e));
}

#define TEST(name) cmocka_unit_test_teardown(name, forget)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_a_profile_there_is_the_system_prompt_alone),
		TEST(the_profile_comes_before_the_system_prompt),
		TEST(the_directory_is_the_sessions_and_the_profiles),
		TEST(in_the_mode_hosted_safe_a_skill_is_only_told),
		TEST(files_stay_as_long_as_a_conversation_has_them),
		TEST(a_model_is_the_profiles_in_the_harnesss_words),
		TEST(an_effort_is_the_profiles_unless_the_request_says_one),
		TEST(servers_are_the_profiles_and_the_requests),
		TEST(a_harness_has_several_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
