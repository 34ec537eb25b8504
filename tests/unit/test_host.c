/* What workers/executor/host promises of files. */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "workers/executor/host.h"

/* What glob(7) would take for a pattern. */
static char directory[] = "/tmp/test-host-[a]*-XXXXXX";
static struct executor *x;

static char *
in_directory(const char *name)
{
	return copy_format("%s/%s", directory, name);
}

static void
writes(const char *name, const char *text)
{
	auto_free char *path = in_directory(name);

	must(x->write(x, path, str_of(text), &e));
}

static void
holds(const char *name, const char *text)
{
	auto_free char *path = in_directory(name);
	char got[64] = "";
	int fd = x->open(x, path);

	assert_true(fd >= 0);
	assert_true(read(fd, got, sizeof got - 1) >= 0);
	close(fd);
	assert_string_equal(got, text);
}

static bool
is_there(const char *name)
{
	auto_free char *path = in_directory(name);

	return x->look(x, path, NULL);
}

static void
removes(const char *name)
{
	auto_free char *path = in_directory(name);

	x->remove(x, path);
}

static int
setup(void **state)
{
	if (!mkdtemp(directory))
		return -1;
	x = host_new(directory);
	return 0;
}

static int
teardown(void **state)
{
	x->free(x);
	return rmdir(directory);
}

static void
a_file_is_the_users_alone_and_is_replaced(void **state)
{
	auto_free char *path = in_directory("file");
	struct file_facts facts;
	struct stat st;
	int fd;

	writes("file", "old");
	fd = x->open(x, path);
	writes("file", "new text");
	holds("file", "new text");
	assert_int_equal(lseek(fd, 0, SEEK_END), 3); /* the old one */
	close(fd);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_true(x->look(x, path, &facts));
	assert_int_equal(facts.bytes, 8);
	assert_false(facts.is_directory);
	removes("file");
	removes("file");
	assert_false(is_there("file"));
}

static void
what_cannot_be_written_leaves_nothing(void **state)
{
	auto_free char *path = in_directory("no/such/file");
	struct error e = { 0 };
	struct words found = { 0 };

	assert_false(x->write(x, path, STR("text"), &e));
	assert_int_equal(e.code, ERR_SYSTEM);
	x->match(x, directory, "*%s", "", &found);
	assert_int_equal(found.len, 0);
}

/* Neither a directory nor a name is a pattern. */
static void
only_a_pattern_is_one(void **state)
{
	auto_free char *path = in_directory("one.[1]*.json");
	struct words found = { 0 };

	writes("one.[1]*.json", "");
	writes("one.1.json", "");
	x->match(x, directory, "*.%s.json", "[1]*", &found);
	assert_int_equal(found.len, 1);
	assert_string_equal(found.ptr[0], path);
	words_fini(&found);
	removes("one.[1]*.json");
	removes("one.1.json");
}

/* A directory with a file in one below it, and a link that leads out. */
static void
makes_tree(const char *name)
{
	auto_free char *top = in_directory(name);
	auto_free char *below = copy_format("%s/skills", top);
	auto_free char *file = copy_format("%s/one.md", below);
	auto_free char *link = copy_format("%s/out", top);
	auto_free char *outside = in_directory("settings.json");

	must(x->make_directory(x, top, &e));
	must(x->make_directory(x, below, &e));
	must(x->write(x, file, STR("text"), &e));
	must(x->link(x, outside, link, &e));
}

static void
a_tree_is_removed_and_nothing_outside_of_it(void **state)
{
	auto_free char *tree = in_directory("tree");

	writes("settings.json", "kept");
	makes_tree("tree");
	x->remove_tree(x, tree);
	assert_false(is_there("tree"));
	holds("settings.json", "kept");
	x->remove_tree(x, tree);
	removes("settings.json");
}

static void
what_an_earlier_process_left_is_removed(void **state)
{
	writes("talk.jsonl", "");
	writes("half.json.abc.new", "");
	writes("settings.json", "kept");
	makes_tree("left.profile");
	x->free(x);
	x = host_new(directory);
	assert_false(is_there("talk.jsonl"));
	assert_false(is_there("half.json.abc.new"));
	assert_false(is_there("left.profile"));
	holds("settings.json", "kept");
	removes("settings.json");
}

static void
what_is_there_already_is_enough(void **state)
{
	auto_free char *made = in_directory("made");
	auto_free char *linked = in_directory("linked");
	struct file_facts facts;

	must(x->make_directory(x, made, &e));
	must(x->make_directory(x, made, &e));
	must(x->link(x, made, linked, &e));
	must(x->link(x, made, linked, &e));
	assert_true(x->look(x, linked, &facts));
	assert_true(facts.is_directory);
	removes("linked");
	assert_int_equal(rmdir(made), 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_the_users_alone_and_is_replaced),
		cmocka_unit_test(what_cannot_be_written_leaves_nothing),
		cmocka_unit_test(only_a_pattern_is_one),
		cmocka_unit_test(a_tree_is_removed_and_nothing_outside_of_it),
		cmocka_unit_test(what_an_earlier_process_left_is_removed),
		cmocka_unit_test(what_is_there_already_is_enough),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
