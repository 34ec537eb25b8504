/* What workers/options/profiles promises: a profile for each file, and a
 * reason for each file that is none. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/buf.h"
#include "workers/options/profiles.h"

static char directory[64];

static void
write_file(const char *name, const char *text)
{
	auto_free char *path = copy_format("%s/%s", directory, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void
remove_file(const char *name)
{
	auto_free char *path = copy_format("%s/%s", directory, name);

	assert_int_equal(unlink(path), 0);
}

static int
begin(void **state)
{
	snprintf(directory, sizeof directory, "/tmp/catalogue-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	return setenv("BRIDGE_PROFILES_DIR", directory, 1);
}

static int
end(void **state)
{
	unsetenv("BRIDGE_PROFILES_DIR");
	unsetenv("SANDBOX_PROFILES_DIR");
	return rmdir(directory);
}

static void
a_profile_is_found_by_its_id(void **state)
{
	struct error none = { 0 };
	json_t *profile;

	write_file("coder.json", "{\"name\":\"n\",\"skills\":[\"a\"]}");
	profile = profiles_find("agent_profile", "coder", NULL, &none);
	assert_non_null(profile);
	assert_string_equal(json_string_value(json_object_get(profile, "name")),
			    "n");
	json_decref(profile);
	write_file("coder.json", "{\"name\":\"m\"}");
	profile = profiles_find("agent_profile", "coder", NULL, &none);
	assert_string_equal(json_string_value(json_object_get(profile, "name")),
			    "m");
	json_decref(profile);
	remove_file("coder.json");
	must_fail(ERR_INVALID,
		  "agent_profile: there is no profile with the id \"coder\"",
		  profiles_find("agent_profile", "coder", NULL, &e));
	must_fail(ERR_NOT_FOUND, "there is no profile with the id \"coder\"",
		  profiles_show("coder", &e));
}

static void
an_id_is_no_path(void **state)
{
	static const char *const ids[] = { "../x", "a/b", "", ".", ".hidden" };

	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
		struct error e = { 0 };

		assert_null(profiles_show(ids[i], &e));
		assert_int_equal(e.code, ERR_NOT_FOUND);
	}
}

static void
a_malformed_file_is_named(void **state)
{
	json_t *faults = json_array(), *rows;
	auto_free char *text = NULL;

	write_file("b.json", "{\"description\":\"d\",\"tags\":[\"t\"]}");
	write_file("a.json", "{\n\"name\":");
	write_file("c.json", "{\"skills\":1}");
	write_file("d e.json", "{}");
	write_file("f.json", "{\"colour\":1}");
	write_file("notes.txt", "no profile, and nobody says so");
	rows = profiles_list(faults);
	assert_int_equal(json_array_size(rows), 2);
	text = json_dumps(faults, JSON_COMPACT);
	assert_non_null(strstr(text, "a.json: line 2: "));
	assert_non_null(strstr(text, "profile.skills: must be an array"));
	assert_non_null(strstr(text, "d e.json"));
	assert_non_null(strstr(text, "profile.colour: is not known"));
	assert_int_equal(json_array_size(faults), 4);
	json_decref(rows);
	json_decref(faults);
	remove_file("a.json");
	remove_file("b.json");
	remove_file("c.json");
	remove_file("d e.json");
	remove_file("f.json");
	remove_file("notes.txt");
}

static void
the_seeds_variable_is_an_alias(void **state)
{
	struct error e = { 0 };
	json_t *profile;

	write_file("x.json", "{}");
	unsetenv("BRIDGE_PROFILES_DIR");
	setenv("SANDBOX_PROFILES_DIR", directory, 1);
	profile = profiles_show("x", &e);
	assert_non_null(profile);
	json_decref(profile);
	remove_file("x.json");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_profile_is_found_by_its_id,
						begin, end),
		cmocka_unit_test_setup_teardown(an_id_is_no_path, begin, end),
		cmocka_unit_test_setup_teardown(a_malformed_file_is_named,
						begin, end),
		cmocka_unit_test_setup_teardown(the_seeds_variable_is_an_alias,
						begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
