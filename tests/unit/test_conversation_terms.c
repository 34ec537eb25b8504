/* What workers/cli/terms promises. */
#include "workers/cli/terms.h"

#include "tests/unit/unit.h"

static void
a_copy_is_the_same_and_its_own(void **state)
{
	char cwd[] = "/work";
	const struct terms from = { .system = (char[]){ 'a', '\0', 'b', '\0' },
				    .system_len = 3,
				    .cwd = cwd,
				    .model = (char[]){ "m" } };
	struct terms to;

	terms_copy(&to, &from);
	cwd[1] = 'x';
	assert_string_equal(to.cwd, "/work");
	assert_int_equal(to.system_len, 3);
	assert_memory_equal(to.system, "a\0b", 4);
	assert_null(to.permission_mode);
	cwd[1] = 'w';
	assert_true(terms_hash(&to) == terms_hash(&from));
	terms_fini(&to);
	assert_null(to.cwd);
	terms_fini(&to);
}

/* All of these differ from each other. */
static void
every_field_counts_where_it_is(void **state)
{
	char a[] = "a", b[] = "b", ab[] = "ab", none[] = "";
	const struct terms all[] = {
		{ .system = NULL },
		{ .system = none },
		{ .system = ab, .system_len = 1 },
		{ .system = ab, .system_len = 2 },
		{ .cwd = a },
		{ .cwd = none },
		{ .model = a },
		{ .permission_mode = a },
		{ .loads = a },
		{ .cwd = a, .model = b },
		{ .cwd = ab, .model = none },
		{ .cwd = ab },
	};
	const size_t n = sizeof all / sizeof *all;

	for (size_t i = 0; i < n; i++) {
		assert_true(terms_hash(&all[i]) != 0);
		for (size_t j = 0; j < i; j++)
			assert_true(terms_hash(&all[i]) != terms_hash(&all[j]));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_copy_is_the_same_and_its_own),
		cmocka_unit_test(every_field_counts_where_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
