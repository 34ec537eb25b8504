/* What workers/sessions promises. */
#include "tests/unit/unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "workers/cli/sessions.h"

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
	struct rows rows = ROWS_INIT;
	struct str json;

	is_used("old", 1, 10, 0);
	is_used("new", 1, 20, 0);
	sessions_list(&sessions, &rows, 1, "echo");
	json = rows_end(&rows);
	assert_true(rows.has_more);
	assert_non_null(memmem(json.ptr, json.len, "\"id\":\"new\"", 10));
	assert_null(memmem(json.ptr, json.len, "\"id\":\"old\"", 10));
	rows_fini(&rows);
}

static void
a_list_says_when_it_is_all(void **state)
{
	struct rows rows = ROWS_INIT;

	sessions_list(&sessions, &rows, 2, "echo");
	assert_str(rows_end(&rows), "[]");
	assert_false(rows.has_more);
	rows_fini(&rows);

	rows = ROWS_INIT;
	is_used("a", 1, 10, 0);
	is_used("b", 1, 20, 0);
	sessions_list(&sessions, &rows, 2, "echo");
	assert_int_equal(*rows_end(&rows).ptr, '[');
	assert_false(rows.has_more);
	rows_fini(&rows);
}

/* Each byte of it takes six in JSON: 400 such rows are more than MAX_LIST. */
static void
rows_stop_where_there_is_no_more_room(void **state)
{
	char cwd[MAX_PATH];
	struct rows rows = ROWS_INIT;
	struct str json;

	memset(cwd, 1, sizeof cwd);
	cwd[sizeof cwd - 1] = '\0';
	for (int i = 0; i < 400; i++) {
		auto_free char *id = copy_format("session-%d", i);
		const struct session s = {
			.id = id, .cli_id = id, .cwd = cwd, .last_used_at = 1
		};

		must(sessions_save(&sessions, &s, 0, &e));
	}
	sessions_list(&sessions, &rows, 500, "echo");
	json = rows_end(&rows);
	assert_true(rows.has_more);
	assert_in_range(json.len, MAX_LIST / 2, MAX_LIST);
	assert_str(str_from(json, json.len - 2), "}]");
	rows_fini(&rows);
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
		cmocka_unit_test_setup_teardown(a_list_says_when_it_is_all,
						open_new, close_all),
		cmocka_unit_test_setup_teardown(
			rows_stop_where_there_is_no_more_room, open_new,
			close_all),
		cmocka_unit_test_setup_teardown(nobody_else_may_read_it,
						open_new, close_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
