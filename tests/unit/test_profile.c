/*
 * What workers/options/profile and preamble promise: a profile is what its
 * members say, and its preamble has the same bytes for ever.
 *
 * data/profiles/<name>.json is a profile, and <name>.<harness> its preamble
 * with that harness.  A test that fails here because the bytes have changed has
 * found a fault: callers' caches rely on them.
 */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/buf.h"
#include "proto/limits.h"
#include "workers/io/json.h"
#include "workers/options/preamble.h"

#define DIRECTORY "/scratch/of/the/conversation"

static char *
read_file(const char *name, const char *ending)
{
	auto_free char *path =
		copy_format(DATA "/profiles/%s.%s", name, ending);
	FILE *f = fopen(path, "r");
	char *text = xcalloc(1, 64 << 10);

	if (!f)
		fail_msg("%s is not there", path);
	assert_true(fread(text, 1, (64 << 10) - 1, f) < (64 << 10) - 1);
	fclose(f);
	return text;
}

/* The test that has RECORD=1 in its environment, of a change that is meant. */
static void
record(const char *name, const char *ending, const char *text)
{
	auto_free char *path =
		copy_format(DATA "/profiles/%s.%s", name, ending);
	FILE *f = getenv("RECORD") ? fopen(path, "w") : NULL;

	if (!f)
		return;
	fputs(text, f);
	fclose(f);
}

static json_t *
recorded(const char *name)
{
	auto_free char *text = read_file(name, "json");
	json_t *profile = json_loads(text, 0, NULL);

	assert_non_null(profile);
	return profile;
}

static void
preamble_is(const char *name, enum profile_taker taker)
{
	static const char *const endings[PROFILE_TAKERS] = {
		[CLAUDE_TAKES] = "claude",
		[CODEX_TAKES] = "codex",
		[OTHERS_TAKES] = "others",
	};
	json_t *profile = recorded(name), *unknown = json_object();
	auto_free char *text =
		preamble_of(profile, &profile_takes[taker], DIRECTORY);
	auto_free char *expected = NULL;

	must(profile_check("agent_profile", profile, unknown, &e));
	assert_int_equal(json_object_size(unknown), 0);
	record(name, endings[taker], text ? text : "");
	expected = read_file(name, endings[taker]);
	assert_string_equal(text ? text : "", expected);
	json_decref(profile);
	json_decref(unknown);
}

static void
a_preamble_is_the_same_for_ever(void **state)
{
	preamble_is("seed", OTHERS_TAKES);
	preamble_is("seed", CLAUDE_TAKES);
	preamble_is("names", OTHERS_TAKES);
	preamble_is("names", CLAUDE_TAKES);
	preamble_is("whole", OTHERS_TAKES);
	preamble_is("whole", CLAUDE_TAKES);
	preamble_is("whole", CODEX_TAKES);
}

static void
who_takes_all_of_it_is_told_nothing(void **state)
{
	json_t *profile = recorded("whole"), *receipt;

	assert_true(profile_takes_all(&profile_takes[SANDBOX_TAKES]));
	assert_false(profile_takes_all(&profile_takes[CLAUDE_TAKES]));
	assert_false(profile_takes_all(NULL));
	receipt = profile_receipt(profile, &profile_takes[SANDBOX_TAKES]);
	assert_true(json_array_size(json_object_get(receipt, "native")) > 8);
	assert_int_equal(json_array_size(json_object_get(receipt, "preamble")),
			 0);
	assert_int_equal(json_array_size(json_object_get(receipt, "ignored")),
			 0);
	json_decref(receipt);
	json_decref(profile);
}

static json_t *
parsed(const char *text)
{
	json_t *json = json_loads(text, 0, NULL);

	assert_non_null(json);
	return json;
}

/* Of nothing there is nothing to tell. */
static void
an_empty_profile_says_nothing(void **state)
{
	json_t *profile = parsed("{\"name\":\"n\",\"skills\":[\" \"],"
				 "\"prompt\":{\"systemPrompt\":\" \"},"
				 "\"permissions\":{}}");

	assert_null(preamble_of(profile, &profile_takes[OTHERS_TAKES], NULL));
	json_decref(profile);
}

static void
is_refused(const char *text, enum error_code code, const char *why)
{
	json_t *value = parsed(text), *unknown = json_object();

	must_fail(code, why, profile_read("agent_profile", value, unknown, &e));
	json_decref(value);
	json_decref(unknown);
}

static void
an_error_names_the_path(void **state)
{
	is_refused("{\"name\":1}", ERR_INVALID,
		   "agent_profile.name: must be a text");
	is_refused("{\"prompt\":{\"systemPrompt\":[]}}", ERR_INVALID,
		   "agent_profile.prompt.systemPrompt: must be a text");
	is_refused("{\"skills\":[\"a\",{\"name\":\"b\"}]}", ERR_INVALID,
		   "agent_profile.skills[1].content: must be there");
	is_refused("{\"skills\":[{\"name\":\"../b\",\"content\":\"\"}]}",
		   ERR_INVALID,
		   "agent_profile.skills[0].name: must be a name of up to 128 "
		   "of the characters A-Z, a-z, 0-9, -, _ and .");
	is_refused("{\"permissions\":{\"bash\":\"never\"}}", ERR_INVALID,
		   "agent_profile.permissions.bash: must be allow, ask or "
		   "deny");
	is_refused("{\"permissions\":{\"bash\":{\"git *\":1}}}", ERR_INVALID,
		   "agent_profile.permissions.bash.git *: must be allow, ask "
		   "or deny");
	is_refused("{\"tools\":{\"bash\":\"off\"}}", ERR_INVALID,
		   "agent_profile.tools.bash: must be true or false");
	is_refused("{\"model\":{\"reasoningEffort\":\"huge\"}}", ERR_INVALID,
		   "agent_profile.model.reasoningEffort: must be none, "
		   "minimal, low, medium, high, xhigh or max");
	is_refused("{\"model\":\"m\"}", ERR_INVALID,
		   "agent_profile.model: must be an object");
	is_refused("{\"mcp\":{\"a\":{\"command\":1}}}", ERR_INVALID,
		   "agent_profile.mcp.a.command: must be the name of a "
		   "program");
	is_refused("{\"resources\":{\"files\":[{\"path\":\"/etc/x\","
		   "\"content\":\"\"}]}}",
		   ERR_INVALID,
		   "agent_profile.resources.files[0].path: must be a relative "
		   "path of up to 512 bytes, without . and .. in it");
	is_refused("{\"resources\":{\"files\":[{\"path\":\"a/../b\","
		   "\"content\":\"\"}]}}",
		   ERR_INVALID,
		   "agent_profile.resources.files[0].path: must be a relative "
		   "path of up to 512 bytes, without . and .. in it");
	is_refused("{\"resources\":{\"skills\":[{\"kind\":\"github\","
		   "\"name\":\"x\"}]}}",
		   ERR_UNSUPPORTED,
		   "agent_profile.resources.skills[0].kind: must be inline, "
		   "with the content beside it: nothing is fetched");
	is_refused("{\"resources\":{\"files\":[{\"path\":\"a\",\"content\":"
		   "\"\"},{\"path\":\"a/b\",\"content\":\"\"}]}}",
		   ERR_INVALID,
		   "agent_profile: has two files at the place files/a");
	is_refused("{\"subagents\":{\"a b\":{\"prompt\":\"x\"}}}", ERR_INVALID,
		   "agent_profile.subagents: must be an object whose names "
		   "have A-Z, a-z, 0-9, -, _ and . only");
}

static void
a_profile_has_its_limits(void **state)
{
	json_t *profile = json_object(), *files = json_array();
	json_t *unknown = json_object();
	auto_free char *text = xcalloc(1, MAX_PROFILE + 1);

	memset(text, 'x', MAX_PROFILE);
	json_object_set_new(profile, "systemPrompt", json_string(text));
	must_fail(ERR_INVALID,
		  "p: must be an object of at most 1048576 bytes, and has "
		  "1048595",
		  profile_check("p", profile, unknown, &e));
	json_object_clear(profile);
	for (int i = 0; i <= MAX_PROFILE_FILES; i++) {
		auto_free char *name = copy_format("%d", i);

		json_array_append_new(files, json_pack("{s:s,s:s}", "path",
						       name, "content", ""));
	}
	json_object_set_new(profile, "resources",
			    json_pack("{s:o}", "files", files));
	must_fail(ERR_INVALID,
		  "p: must have at most 256 skills, subagents, commands and "
		  "files, and has 257",
		  profile_check("p", profile, unknown, &e));
	json_object_clear(profile);
	json_object_set_new(profile, "name", json_stringn("a\0b", 3));
	must_fail(ERR_INVALID, "p: must be texts without zero bytes",
		  profile_check("p", profile, unknown, &e));
	json_decref(profile);
	json_decref(unknown);
}

static void
what_nobody_knows_is_named(void **state)
{
	json_t *profile = parsed("{\"color\":1,\"model\":{\"top_p\":1},"
				 "\"nothing\":null,\"skills\":[{\"name\":\"s\","
				 "\"content\":\"c\",\"license\":\"x\"}]}");
	json_t *unknown = json_object();
	auto_free char *names = NULL;

	must(profile_check("agent_profile", profile, unknown, &e));
	names = json_dumps(unknown, JSON_COMPACT);
	assert_string_equal(names, "{\"agent_profile.color\":true,"
				   "\"agent_profile.model.top_p\":true,"
				   "\"agent_profile.skills[0].license\":true}");
	json_decref(profile);
	json_decref(unknown);
}

static void
receipt_is(const char *name, enum profile_taker taker, const char *expected)
{
	json_t *profile = recorded(name);
	json_t *receipt = profile_receipt(profile, &profile_takes[taker]);
	auto_free char *text = NULL;

	json_object_del(receipt, "digest");
	text = json_dumps(receipt, JSON_COMPACT);
	assert_string_equal(text, expected);
	json_decref(receipt);
	json_decref(profile);
}

static void
a_receipt_says_what_has_become_of_each_part(void **state)
{
	receipt_is("seed", OTHERS_TAKES,
		   "{\"native\":[],\"preamble\":[\"prompt.systemPrompt\","
		   "\"skills\",\"permissions\"],\"ignored\":[]}");
	receipt_is("seed", CLAUDE_TAKES,
		   "{\"native\":[\"prompt.systemPrompt\",\"permissions\"],"
		   "\"preamble\":[\"skills\"],\"ignored\":[]}");
	receipt_is("whole", CODEX_TAKES,
		   "{\"native\":[\"model.default\",\"model.reasoningEffort\","
		   "\"mcp\",\"prompt.systemPrompt\",\"permissions\",\"tools\"],"
		   "\"preamble\":[\"mcp\",\"prompt.appendSystemPrompt\","
		   "\"prompt.instructions\",\"skills\",\"subagents\","
		   "\"resources.commands\",\"resources.files\","
		   "\"permissions\",\"tools\"],\"ignored\":[\"model.small\","
		   "\"model.maxTotalOutputTokens\",\"modes\","
		   "\"extensions\"]}");
}

static void
the_order_of_members_makes_no_other_profile(void **state)
{
	json_t *a = parsed("{\"name\":\"n\",\"tags\":[]}");
	json_t *b = parsed("{\"tags\":[],\"name\":\"n\"}");
	json_t *c = parsed("{\"tags\":[],\"name\":\"m\"}");
	char of_a[PROFILE_DIGEST_SIZE], of_b[PROFILE_DIGEST_SIZE];
	char of_c[PROFILE_DIGEST_SIZE];

	profile_digest(a, of_a);
	profile_digest(b, of_b);
	profile_digest(c, of_c);
	assert_string_equal(of_a, of_b);
	assert_string_not_equal(of_a, of_c);
	json_decref(a);
	json_decref(b);
	json_decref(c);
}

static void
text_is(const json_t *files, size_t i, const char *path, const char *text)
{
	const json_t *file = json_array_get(files, i);

	assert_string_equal(json_text(file, "path"), path);
	assert_string_equal(json_text(file, "text"), text);
}

static void
what_has_contents_becomes_files(void **state)
{
	json_t *profile = recorded("whole");
	json_t *files = profile_files(profile);

	text_is(files, 0, "skills/audit/SKILL.md",
		"---\nname: \"audit\"\ndescription: \"audits critically\"\n"
		"---\n\nRead all of it.\n");
	text_is(files, 1, "skills/second/SKILL.md",
		"---\nname: second\ndescription: has a head\n---\nDo it.\n");
	text_is(files, 2, "agents/tester.md",
		"---\nname: \"tester\"\ndescription: \"tests \\\"all\\\"\"\n"
		"tools: \"Read, Bash\"\nmodel: \"small\"\n---\n\nTest it.");
	text_is(files, 3, "agents/helper.md",
		"---\nname: \"helper\"\ndescription: \"helper\"\n---\n\n"
		"Help.\n");
	text_is(files, 4, "commands/ship.md", "Ship $ARGUMENTS.\n");
	text_is(files, 5, "files/notes/a b.md", "A note.\n");
	text_is(files, 6, "files/data.csv", "1,2\n");
	assert_int_equal(json_array_size(files), 7);
	json_decref(files);
	json_decref(profile);
}

static void
nobody_can_be_asked(void **state)
{
	json_t *profile = parsed("{\"tools\":{\"web\":true},\"permissions\":"
				 "{\"edit\":\"ask\",\"bash\":{\"git *\":"
				 "\"allow\",\"*\":\"deny\"}}}");
	json_t *rules = profile_rules(profile);
	auto_free char *text = json_dumps(rules, JSON_COMPACT);

	assert_string_equal(
		text,
		"[{\"tool\":\"web\",\"pattern\":\"*\",\"allow\":true},"
		"{\"tool\":\"edit\",\"pattern\":\"*\",\"allow\":false},"
		"{\"tool\":\"bash\",\"pattern\":\"git *\",\"allow\":true},"
		"{\"tool\":\"bash\",\"pattern\":\"*\",\"allow\":false}]");
	json_decref(rules);
	json_decref(profile);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_takes_all_of_it_is_told_nothing),
		cmocka_unit_test(a_preamble_is_the_same_for_ever),
		cmocka_unit_test(an_empty_profile_says_nothing),
		cmocka_unit_test(an_error_names_the_path),
		cmocka_unit_test(a_profile_has_its_limits),
		cmocka_unit_test(what_nobody_knows_is_named),
		cmocka_unit_test(a_receipt_says_what_has_become_of_each_part),
		cmocka_unit_test(the_order_of_members_makes_no_other_profile),
		cmocka_unit_test(what_has_contents_becomes_files),
		cmocka_unit_test(nobody_can_be_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
