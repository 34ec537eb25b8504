/* What proto/ours promises.  What belongs to others can be made by root only.
 */
#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/buf.h"
#include "proto/ours.h"

static char top[64];

static int
setup(void **state)
{
	snprintf(top, sizeof top, "/tmp/ours.XXXXXX");
	return !mkdtemp(top);
}

static int
teardown(void **state)
{
	static const char *const names[] = { "lock", "link", "other", "dir" };
	int dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (unlinkat(dir, names[i], 0) < 0)
			(void)unlinkat(dir, names[i], AT_REMOVEDIR);
	close(dir);
	return rmdir(top);
}

static char *
in(const char *name)
{
	return copy_format("%s/%s", top, name);
}

static int
opens(const char *name, int flags)
{
	auto_free char *path = in(name);
	int fd = -1;

	must((fd = ours_open_file(AT_FDCWD, path, flags, name, &e)) >= 0);
	return fd;
}

static void
file_is_refused(const char *name, const char *why)
{
	auto_free char *path = in(name);

	must_fail(ERR_INVALID, why,
		  ours_open_file(AT_FDCWD, path, O_RDWR | O_CREAT, name, &e) >=
			  0);
}

static void
directory_is_refused(const char *name, const char *why)
{
	auto_free char *path = in(name);

	must_fail(ERR_INVALID, why,
		  ours_open_directory(AT_FDCWD, path, name, &e) >= 0);
}

static void
a_file_of_ours_is_made_and_opened(void **state)
{
	struct stat st;
	int fd = opens("lock", O_RDWR | O_CREAT);

	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	close(fd);
	close(opens("lock", O_RDWR | O_CREAT));
}

static void
a_link_is_not_followed(void **state)
{
	auto_free char *link = in("link"), *dir = in("dir"),
		       *other = in("other");

	close(opens("other", O_RDWR | O_CREAT));
	assert_int_equal(symlink(other, link), 0);
	file_is_refused("link", "link is a symbolic link, which is not "
				"followed: replace it by a regular file");
	assert_int_equal(unlink(link), 0);
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(symlink(dir, link), 0);
	directory_is_refused("link", "link is a symbolic link, which is not "
				     "followed: replace it by a directory");
}

static void
a_file_with_a_second_name_is_refused(void **state)
{
	auto_free char *other = in("other"), *second = in("link");

	close(opens("other", O_RDWR | O_CREAT));
	assert_int_equal(link(other, second), 0);
	file_is_refused("link", "link is a file that has other names as well: "
				"remove it");
}

static void
what_is_no_file_is_refused(void **state)
{
	auto_free char *path = in("lock");

	assert_int_equal(mkfifo(path, 0600), 0);
	file_is_refused("lock", "lock must be a regular file");
	directory_is_refused("lock", "lock must be a directory");
}

static void
what_others_can_write_is_refused(void **state)
{
	auto_free char *dir = in("dir"), *file = in("lock");

	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(chmod(dir, 0757), 0);
	directory_is_refused("dir", "dir can be written by other users (mode "
				    "0757): run \"chmod go-w dir\"");
	close(opens("lock", O_RDWR | O_CREAT));
	assert_int_equal(chmod(file, 0602), 0);
	file_is_refused("lock", "lock can be written by other users (mode "
				"0602): run \"chmod go-w lock\"");
}

static void
a_directory_of_ours_is_taken_back_from_others(void **state)
{
	auto_free char *dir = in("dir");
	struct stat st;
	int fd = -1;

	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(chmod(dir, 0777), 0);
	must((fd = ours_make_directory(AT_FDCWD, dir, dir, &e)) >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	close(fd);
}

static void
what_belongs_to_somebody_else_is_refused(void **state)
{
	auto_free char *dir = in("dir"), *file = in("lock");

	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(chown(dir, 12345, 0), 0);
	directory_is_refused("dir",
			     "dir belongs to user 12345, and cli-bridge runs "
			     "as user 0: choose another, or run \"chown 0 "
			     "dir\"");
	close(opens("lock", O_RDWR | O_CREAT));
	assert_int_equal(chown(file, 12345, 0), 0);
	file_is_refused("lock",
			"lock belongs to user 12345, and cli-bridge runs as "
			"user 0: choose another, or run \"chown 0 lock\"");
}

static void
directories_are_made_in_the_data_directory(void **state)
{
	auto_free char *dir = in("dir"), *why = NULL;
	char *path = NULL;
	struct stat st;

	must((path = ours_make_path(top, "dir", NULL, &e)) != NULL);
	assert_string_equal(path, dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	free(path);
	must((path = ours_make_path(top, "dir", "echo", &e)) != NULL);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(symlink("/tmp", path), 0);
	why = copy_format("%s is a symbolic link, which is not followed: "
			  "replace it by a directory",
			  path);
	must_fail(ERR_INVALID, why,
		  ours_make_path(top, "dir", "echo", &e) != NULL);
	assert_int_equal(unlink(path), 0);
	free(path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_of_ours_is_made_and_opened),
		TEST(a_link_is_not_followed),
		TEST(a_file_with_a_second_name_is_refused),
		TEST(what_is_no_file_is_refused),
		TEST(what_others_can_write_is_refused),
		TEST(a_directory_of_ours_is_taken_back_from_others),
		TEST(what_belongs_to_somebody_else_is_refused),
		TEST(directories_are_made_in_the_data_directory),
	};

	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
