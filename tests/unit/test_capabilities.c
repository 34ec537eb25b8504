/* What workers/capabilities promises. */
#include "tests/unit/unit.h"

#include "workers/capabilities.h"

static const char *const harnesses[] = {
#define HARNESS_CLI(name) name,
#define HARNESS_NOTHING(name) name,
#define HARNESS_PROVIDERS(name) name,
#define HARNESS(name, program, aliases, serves, meaning) HARNESS_##serves(name)
#include "workers/harnesses.def"
};

static const struct harness_can *
find(const char *name)
{
	for (const struct harness_can *h = harnesses_can; h->name; h++)
		if (!strcmp(h->name, name))
			return h;
	return NULL;
}

static void
every_harness_says_what_it_can(void **state)
{
	for (size_t i = 0; i < sizeof harnesses / sizeof *harnesses; i++)
		if (!find(harnesses[i]))
			fail_msg("%s has no row", harnesses[i]);
}

static void
a_set_has_the_names_of_what_is_in_it(void **state)
{
	json_t *some = capabilities_in(CAN_CWD | CAN_IMAGES);
	json_t *all = capabilities_in(capabilities_all());

	assert_int_equal(json_array_size(some), 2);
	assert_string_equal(json_string_value(json_array_get(some, 0)),
			    "images");
	assert_string_equal(json_string_value(json_array_get(some, 1)), "cwd");
	assert_int_equal(json_array_size(all), CAPABILITIES);
	json_decref(some);
	json_decref(all);
}

static void
a_harness_that_can_do_more_can_do_the_less(void **state)
{
	for (const struct harness_can *h = harnesses_can; h->name; h++) {
		if (h->can & CAN_IMAGE_URLS)
			assert_true(h->can & CAN_IMAGES);
		if (h->can & CAN_RECALL)
			assert_true(h->can & CAN_WARMTH);
	}
	assert_int_equal(CODEX_EXEC_CAN & ~CODEX_CAN, 0);
}

static void
what_is_refused_is_said_in_words(void **state)
{
	assert_string_equal(capability_refusal(CAN_IMAGES), "takes no images");
	assert_string_equal(capability_refusal(CAN_PDFS),
			    "takes no PDF documents");
	assert_string_equal(capability_refusal(CAN_DELTAS), "");
}

/* What is refused is not told to the model in words. */
static void
what_is_refused_has_no_other_way(void **state)
{
	json_t *ways = capabilities_ways(0, "native");
	const char *name;
	json_t *way;
	int i = 0;

	json_object_foreach (ways, name, way) {
		enum capability capability = (enum capability)(1ull << i++);

		assert_string_equal(capability_name(capability), name);
		if (*capability_refusal(capability))
			assert_string_equal(json_string_value(way), "none");
	}
	assert_int_equal(i, CAPABILITIES);
	json_decref(ways);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_harness_says_what_it_can),
		cmocka_unit_test(a_set_has_the_names_of_what_is_in_it),
		cmocka_unit_test(a_harness_that_can_do_more_can_do_the_less),
		cmocka_unit_test(what_is_refused_is_said_in_words),
		cmocka_unit_test(what_is_refused_has_no_other_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
