/* What workers/executor/docker/settings promises of whom and where. */
#include "tests/unit/unit.h"

#include <unistd.h>

#include "workers/executor/docker/settings.h"

enum { NOBODY = 65534 };

/* What was refused: "" if nothing was. */
static char said[MAX_ERROR_TEXT];

static void
read_settings(const char *user, const char *root)
{
	struct harness_settings from = {
		.docker_image = (char *)"image",
		.docker_memory = (char *)"4g",
		.docker_cpus = (char *)"2",
		.docker_oauth_mount = (char *)"share",
		.docker_user = (char *)user,
		.docker_workspace_root = (char *)root,
	};
	struct docker_settings settings;
	struct error e = { 0 };

	if (docker_settings_read(&settings, &from, "mine", &e))
		assert_int_equal(e.code, ERR_NONE);
	str_keep(said, sizeof said, str_of(e.text));
	docker_settings_fini(&settings);
}

static void
only_root_chooses_another_user(void **state)
{
	uid_t was = geteuid();

	if (was == 0) {
		read_settings("4000:4000", NULL);
		assert_string_equal(said, "");
		assert_int_equal(seteuid(NOBODY), 0);
	}
	read_settings("4000:4000", NULL);
	assert_non_null(strstr(said, "MINE_DOCKER_USER is \"4000:4000\""));
	assert_non_null(strstr(said, "which is who cli-bridge runs as"));
	read_settings("0:0", NULL); /* as a rootless engine has it */
	assert_string_equal(said, "");
	read_settings(NULL, NULL);
	assert_string_equal(said, "");
	assert_int_equal(seteuid(was), 0);
}

static void
the_workspace_root_must_be_there(void **state)
{
	read_settings(NULL, "/nowhere/at/all");
	assert_non_null(strstr(said, "MINE_DOCKER_WORKSPACE_ROOT is "
				     "\"/nowhere/at/all\""));
	assert_non_null(strstr(said, "make it"));
	read_settings(NULL, "/dev/null");
	assert_non_null(strstr(said, "a directory that is there"));
	read_settings(NULL, "/usr");
	assert_string_equal(said, "");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_root_chooses_another_user),
		cmocka_unit_test(the_workspace_root_must_be_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
