/* What workers/cli/sessions promises, of a file that can be written. */
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

/* The conversation has answered `answer` at the time `at`, as its answer of
 * this number. */
static void
answers(const char *id, unsigned conversation, uint64_t at, uint64_t number,
	uint64_t asked, uint64_t answer)
{
	auto_free char *place = copy_format("%u:%d", conversation, (int)number);
	auto_free char *cli_id = copy_format("cli-%u", conversation);
	auto_free char *key = copy(str_of(id));
	const struct session s = {
		.id = key,
		.number = conversation,
		.cli_id = cli_id,
		.terms = { .cwd = (char[]){ "/" } },
		.newest = { number, asked, answer, place },
		.turns = number,
		.created_at = 1,
		.last_used_at = at,
	};
	bool unsaved = true;

	sessions_save(&sessions, &s, &s.newest, &unsaved);
	assert_false(unsaved);
}

static void
is_used(const char *id, uint64_t at)
{
	answers(id, 1, at, 1, 0, 1);
}

/* Where that answer ended, or "none". */
static void
ended_at(const char *want, const char *id, uint64_t asked, uint64_t answer)
{
	struct checkpoint k = { 0 };
	unsigned number;

	if (sessions_find_answer(&sessions, id, asked, answer, &number, &k))
		assert_string_equal(k.position, want);
	else
		assert_string_equal("none", want);
	checkpoint_fini(&k);
}

static void
what_was_saved_is_found_even_by_the_next_process(void **state)
{
	const struct session s = {
		.id = (char[]){ "a" },
		.number = 3,
		.cli_id = (char[]){ "uuid" },
		.terms = { .system = (char[]){ 'a', 0, 'b', 0 },
			   .system_len = 3,
			   .cwd = (char[]){ "/work" },
			   .permission_mode = (char[]){ "plan" },
			   .loads = (char[]){ "user" } },
		.newest = { 7, UINT64_MAX, 1ull << 63, (char[]){ "there" } },
		.turns = 9,
		.created_at = 1,
		.last_used_at = 2,
	};
	struct session *list;
	bool unsaved;
	size_t n;

	sessions_save(&sessions, &s, NULL, &unsaved);
	sessions_close(&sessions);
	must(sessions_open(&sessions, path, &e));
	must(sessions_find(&sessions, "a", &list, &n, &e));
	assert_int_equal(n, 1);
	assert_string_equal(list[0].id, "a");
	assert_int_equal(list[0].number, 3);
	assert_string_equal(list[0].cli_id, "uuid");
	assert_true(terms_hash(&list[0].terms) == terms_hash(&s.terms));
	assert_null(list[0].terms.model);
	assert_int_equal(list[0].newest.number, 7);
	assert_true(list[0].newest.asked == UINT64_MAX);
	assert_true(list[0].newest.answer == 1ull << 63);
	assert_string_equal(list[0].newest.position, "there");
	assert_int_equal(list[0].turns, 9);
	assert_int_equal(list[0].created_at, 1);
	assert_int_equal(list[0].last_used_at, 2);
	assert_false(list[0].unsaved);
	sessions_free(list, n);
	must(sessions_find(&sessions, "b", &list, &n, &e));
	assert_int_equal(n, 0);
	sessions_free(list, n);
}

static void
an_answer_belongs_to_its_session_and_goes_with_it(void **state)
{
	answers("a", 1, 10, 1, 5, 77);
	answers("b", 1, 10, 1, 5, 78);
	ended_at("1:1", "a", 0, 77);
	ended_at("1:1", "a", 5, 77);
	ended_at("none", "a", 6, 77);
	ended_at("none", "b", 0, 77);
	assert_int_equal(sessions_forget(&sessions, "a"), 1);
	assert_int_equal(sessions_forget(&sessions, "a"), 0);
	ended_at("none", "a", 0, 77);
	ended_at("1:1", "b", 0, 78);
}

static void
a_session_has_several_conversations(void **state)
{
	struct session *list;
	size_t n;

	answers("a", 1, 10, 1, 0, 77);
	answers("a", 2, 30, 1, 0, 77);
	answers("a", 2, 40, 2, 0, 77);
	answers("a", 3, 20, 1, 0, 78);
	must(sessions_find(&sessions, "a", &list, &n, &e));
	assert_int_equal(n, 3);
	assert_int_equal(list[0].number, 2);
	assert_int_equal(list[1].number, 3);
	assert_int_equal(list[2].number, 1);
	sessions_free(list, n);
	ended_at("2:2", "a", 0, 77);
	ended_at("3:1", "a", 0, 78);
	assert_int_equal(sessions_forget(&sessions, "a"), 1);
	must(sessions_find(&sessions, "a", &list, &n, &e));
	assert_int_equal(n, 0);
	sessions_free(list, n);
}

static void
going_back_forgets_what_came_after(void **state)
{
	for (uint64_t i = 1; i <= 4; i++)
		answers("a", 1, i, i, 0, 70 + i);
	answers("a", 2, 5, 3, 0, 80);
	answers("a", 1, 6, 3, 0, 90);
	ended_at("1:2", "a", 0, 72);
	ended_at("none", "a", 0, 73);
	ended_at("none", "a", 0, 74);
	ended_at("1:3", "a", 0, 90);
	ended_at("2:3", "a", 0, 80);
}

/* Such as one that only used tools. */
static void
an_empty_answer_is_the_newest_and_is_not_looked_for(void **state)
{
	struct session *list;
	size_t n;

	for (uint64_t i = 1; i <= 3; i++)
		answers("a", 1, i, i, 0, 70 + i);
	answers("a", 1, 4, 2, 0, 0);
	must(sessions_find(&sessions, "a", &list, &n, &e));
	assert_string_equal(list[0].newest.position, "1:2");
	sessions_free(list, n);
	ended_at("1:1", "a", 0, 71);
	ended_at("none", "a", 0, 72);
	ended_at("none", "a", 0, 0);
}

static void
the_oldest_go_where_there_are_too_many(void **state)
{
	struct session *list;
	size_t n;

	for (uint64_t i = 1; i <= MAX_CHECKPOINTS + 1; i++)
		answers("a", 1, i, i, 0, 100 + i);
	ended_at("none", "a", 0, 101);
	ended_at("1:2", "a", 0, 102);
	for (unsigned i = 1; i <= MAX_SESSION_CONVERSATIONS; i++)
		answers("a", 1 + i, 2000 + i, 1, 0, 1);
	must(sessions_find(&sessions, "a", &list, &n, &e));
	assert_int_equal(n, MAX_SESSION_CONVERSATIONS);
	assert_int_equal(list[n - 1].number, 2);
	sessions_free(list, n);
	ended_at("none", "a", 0, 102);
}

static void
the_last_used_is_listed_first(void **state)
{
	struct rows rows = ROWS_INIT;
	struct str json;

	is_used("old", 10);
	is_used("new", 20);
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
	is_used("a", 10);
	is_used("b", 20);
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
		const struct session s = { .id = id,
					   .number = 1,
					   .cli_id = id,
					   .terms = { .cwd = cwd },
					   .last_used_at = 1 };
		bool unsaved;

		sessions_save(&sessions, &s, NULL, &unsaved);
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
	static const char *const suffixes[] = { "", "-wal", "-shm" };
	struct stat st;

	is_used("a", 10);
	for (int i = 0; i < 3; i++) {
		auto_free char *file = copy_format("%s%s", path, suffixes[i]);

		assert_int_equal(stat(file, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_new, close_all)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_saved_is_found_even_by_the_next_process),
		TEST(an_answer_belongs_to_its_session_and_goes_with_it),
		TEST(a_session_has_several_conversations),
		TEST(going_back_forgets_what_came_after),
		TEST(an_empty_answer_is_the_newest_and_is_not_looked_for),
		TEST(the_oldest_go_where_there_are_too_many),
		TEST(the_last_used_is_listed_first),
		TEST(a_list_says_when_it_is_all),
		TEST(rows_stop_where_there_is_no_more_room),
		TEST(nobody_else_may_read_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
