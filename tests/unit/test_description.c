/* What workers/description promises: every option, capability and part, and how
 * each is taken. */
#include "tests/unit/unit.h"

#include "workers/capabilities.h"
#include "workers/description.h"
#include "workers/options/effort.h"

static json_t *
described(const char *name)
{
	struct ability a = { 0 };

	assert_true(ability_listed(&a, name));
	return description_of(&a);
}

/* row.part.name, of an object. */
static const char *
way(const json_t *row, const char *part, const char *name)
{
	return json_string_value(
		json_object_get(json_object_get(row, part), name));
}

static json_t *
option(const json_t *row, const char *name)
{
	json_t *found;
	size_t i;

	json_array_foreach (json_object_get(row, "options"), i, found)
		if (!strcmp(name,
			    json_string_value(json_object_get(found, "name"))))
			return found;
	fail_msg("there is no option %s", name);
	return NULL;
}

static const char *
how(const json_t *row, const char *name)
{
	return json_string_value(json_object_get(option(row, name), "how"));
}

static void
all_of_every_harness_is_described(void **state)
{
	for (const struct harness_can *h = harnesses_can; h->name; h++) {
		json_t *row = described(h->name);

		assert_int_equal(
			json_object_size(json_object_get(row, "capabilities")),
			CAPABILITIES);
		assert_int_equal(
			json_array_size(json_object_get(row, "options")),
			OPTIONS);
		assert_int_equal(
			json_object_size(json_object_get(row, "profile")),
			PROFILE_PARTS);
		json_decref(row);
	}
}

static void
a_harness_takes_things_in_its_own_way_or_in_words_or_not(void **state)
{
	json_t *row = described("codex");

	assert_string_equal(way(row, "capabilities", "images"), "native");
	assert_string_equal(way(row, "capabilities", "new_system"), "in_words");
	assert_string_equal(way(row, "capabilities", "audio"), "none");
	assert_string_equal(way(row, "modes", "byob"), "native");
	assert_string_equal(way(row, "profile", "prompt.systemPrompt"),
			    "native");
	assert_string_equal(way(row, "profile", "skills"), "preamble");
	assert_string_equal(way(row, "profile", "hooks"), "none");
	assert_string_equal(how(row, "response_format"), "native");
	json_decref(row);

	row = described("amp");
	assert_string_equal(way(row, "modes", "hosted-safe"), "none");
	assert_string_equal(how(row, "response_format"), "in_words");
	assert_string_equal(how(row, "agent_profile"), "native");
	assert_string_equal(way(row, "profile", "prompt.systemPrompt"),
			    "preamble");
	json_decref(row);
}

/* What is refused as an option is none as a part of a profile, too. */
static void
a_profile_brings_nothing_that_the_request_could_not(void **state)
{
	json_t *row = described("amp");

	assert_string_equal(how(row, "mcp"), "none");
	assert_string_equal(how(row, "reasoning_effort"), "none");
	assert_string_equal(way(row, "profile", "mcp"), "none");
	assert_string_equal(way(row, "profile", "model.reasoningEffort"),
			    "none");
	json_decref(row);
}

static void
an_option_has_its_places_and_limits(void **state)
{
	json_t *row = described("claude");
	json_t *effort = option(row, "reasoning_effort"), *word;
	enum effort unused;
	size_t i;

	assert_string_equal(json_string_value(json_object_get(effort, "alias")),
			    "effort");
	assert_string_equal(
		json_string_value(json_object_get(effort, "header")),
		"X-Reasoning-Effort");
	assert_string_equal(json_string_value(json_object_get(effort, "scope")),
			    "turn");
	assert_string_equal(json_string_value(json_object_get(effort, "type")),
			    "string");
	json_array_foreach (json_object_get(effort, "values"), i, word)
		assert_true(effort_read(json_string_value(word), &unused));
	assert_int_equal(i, EFFORTS - 1);
	assert_int_equal(json_integer_value(json_object_get(
				 json_object_get(option(row, "mcp"), "limits"),
				 "servers")),
			 MAX_SERVERS);
	json_decref(row);
}

static void
what_is_known_of_a_sandbox_is_said(void **state)
{
	struct ability a = { .can = AMP_CAN,
			     .takes = &profile_takes[OTHERS_TAKES],
			     .modes = MODE_BIT(MODE_BYOB) };
	json_t *row = description_of(&a);

	assert_null(way(row, "modes", "hosted-sandboxed"));
	json_decref(row);
	a.is_set_up = true;
	row = description_of(&a);
	assert_string_equal(way(row, "modes", "hosted-sandboxed"), "none");
	json_decref(row);
	a.modes |= MODE_BIT(MODE_SANDBOXED);
	row = description_of(&a);
	assert_string_equal(way(row, "modes", "hosted-sandboxed"), "native");
	json_decref(row);
}

static void
a_provider_gets_what_is_passed_on(void **state)
{
	json_t *row = described("passthrough"), *part;
	const char *path;

	assert_string_equal(way(row, "capabilities", "images"), "passed_on");
	assert_string_equal(way(row, "capabilities", "cwd"), "none");
	assert_string_equal(how(row, "response_format"), "passed_on");
	assert_string_equal(how(row, "mcp"), "none");
	assert_string_equal(how(row, "X-Bridge-Strict"), "native");
	json_object_foreach (json_object_get(row, "profile"), path, part)
		assert_string_equal(json_string_value(part), "none");
	json_decref(row);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_every_harness_is_described),
		cmocka_unit_test(
			a_harness_takes_things_in_its_own_way_or_in_words_or_not),
		cmocka_unit_test(
			a_profile_brings_nothing_that_the_request_could_not),
		cmocka_unit_test(an_option_has_its_places_and_limits),
		cmocka_unit_test(what_is_known_of_a_sandbox_is_said),
		cmocka_unit_test(a_provider_gets_what_is_passed_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
