/* What workers/sessions promises. */
#include "tests/unit/unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "workers/sessions.h"

static char path[64];
static struct sessions sessions;

static int
open_new(void **state)
{
	struct error e = { 0 };

	snprintf(path, sizeof path, "/tmp/test-sessions-%d.sqlite",
		 (int)getpid());
	unlink(path);
	return sessions_open(&sessions, path, &e) ? 0 : -1;
}

static int
close_all(void **state)
{
	sessions_close(&sessions);
	unlink(path);
	return 0;
}

static void
is_used(const char *id, uint64_t turns, uint64_t at, uint64_t answer)
{
	char key[16], uuid[] = "uuid", cwd[] = "/", place[] = "there";
	struct session s = { .id = key,
			     .cli_id = uuid,
			     .cwd = cwd,
			     .position = place,
			     .turns = turns,
			     .created_at = 1,
			     .last_used_at = at };

	snprintf(key, sizeof key, "%s", id);
	must(sessions_save(&sessions, &s, answer, &e));
}

static void
what_was_saved_is_found_even_by_the_next_process(void **state)
{
	struct session s;
	bool found;

	is_used("a", 1, 10, 0);
	is_used("a", 2, 20, 0);
	sessions_close(&sessions);
	must(sessions_open(&sessions, path, &e));
	must(sessions_find(&sessions, "a", &s, &found, &e));
	assert_true(found);
	assert_int_equal(s.turns, 2);
	assert_string_equal(s.position, "there");
	assert_null(s.model);
	session_fini(&s);
	must(sessions_find(&sessions, "b", &s, &found, &e));
	assert_false(found);
}

static void
an_answer_belongs_to_its_session_and_goes_with_it(void **state)
{
	is_used("a", 1, 10, 77);
	is_used("b", 1, 10, 0);
	assert_true(sessions_knows(&sessions, "a", 77));
	assert_false(sessions_knows(&sessions, "b", 77));
	assert_int_equal(sessions_forget(&sessions, "a"), 1);
	assert_int_equal(sessions_forget(&sessions, "a"), 0);
	assert_false(sessions_knows(&sessions, "a", 77));
}

static void
the_last_used_is_listed_first(void **state)
{
	struct buf rows = BUF_INIT(MAX_LIST);

	is_used("old", 1, 10, 0);
	is_used("new", 1, 20, 0);
	sessions_list(&sessions, &rows, 1, "echo");
	assert_non_null(memmem(rows.ptr, rows.len, "\"id\":\"new\"", 10));
	assert_null(memmem(rows.ptr, rows.len, "\"id\":\"old\"", 10));
	buf_fini(&rows);
}

static void
nobody_else_may_read_it(void **state)
{
	struct stat st;

	is_used("a", 1, 10, 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			what_was_saved_is_found_even_by_the_next_process,
			open_new, close_all),
		cmocka_unit_test_setup_teardown(
			an_answer_belongs_to_its_session_and_goes_with_it,
			open_new, close_all),
		cmocka_unit_test_setup_teardown(the_last_used_is_listed_first,
						open_new, close_all),
		cmocka_unit_test_setup_teardown(nobody_else_may_read_it,
						open_new, close_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
