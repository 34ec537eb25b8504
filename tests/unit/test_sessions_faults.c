/*
 * What workers/cli/sessions promises of a file that is damaged, of another
 * version, or on a disk that is full.
 *
 * A limit to the size of files stands for the full disk: every write fails.
 */
#include "tests/unit/unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "workers/cli/sessions.h"

static char directory[64], path[96];
static struct sessions sessions;
static int log_fd, saved_stderr;

static void
empty_directory(void)
{
	DIR *d = opendir(directory);
	struct dirent *file;

	while (d && (file = readdir(d))) {
		auto_free char *name =
			copy_format("%s/%s", directory, file->d_name);

		unlink(name);
	}
	if (d)
		closedir(d);
	rmdir(directory);
}

static void
disk_is_full(bool full)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct rlimit limit;

	sigaction(SIGXFSZ, &ignore, NULL);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = full ? 0 : limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* The log is read by said(). */
static int
begin(void **state)
{
	int ends[2];

	snprintf(directory, sizeof directory, "/tmp/test-faults-%d",
		 (int)getpid());
	snprintf(path, sizeof path, "%s/s.sqlite", directory);
	empty_directory();
	if (mkdir(directory, 0700) != 0 || pipe2(ends, O_NONBLOCK) != 0)
		return -1;
	saved_stderr = dup(STDERR_FILENO);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	log_fd = ends[0];
	memset(&sessions, 0, sizeof sessions);
	return 0;
}

static int
end(void **state)
{
	sessions_close(&sessions);
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	close(log_fd);
	disk_is_full(false);
	empty_directory();
	return 0;
}

/* How often the log has said that since the last call. */
static unsigned
said(const char *words)
{
	static char text[1 << 16];
	ssize_t n = read(log_fd, text, sizeof text - 1);
	unsigned times = 0;

	text[n > 0 ? n : 0] = '\0';
	for (const char *at = text; (at = strstr(at, words)); at++)
		times++;
	return times;
}

static void
open_it(void)
{
	must(sessions_open(&sessions, path, &e));
}

static void
open_it_again(void)
{
	sessions_close(&sessions);
	open_it();
}

/* True if it was written to the file. */
static bool
answers(const char *id, uint64_t number, uint64_t answer)
{
	auto_free char *place = copy_format("at %d", (int)number);
	auto_free char *key = copy(str_of(id));
	const struct session s = {
		.id = key,
		.number = 1,
		.cli_id = (char[]){ "cli" },
		.newest = { number, 0, answer, place },
		.turns = number,
		.last_used_at = 100 + number,
	};
	bool unsaved;

	sessions_save(&sessions, &s, &s.newest, &unsaved);
	return !unsaved;
}

/* The turns of the session's only conversation; 0: there is none. */
static uint64_t
turns_of(const char *id, bool unsaved)
{
	struct session *list;
	uint64_t turns = 0;
	size_t n;

	must(sessions_find(&sessions, id, &list, &n, &e));
	assert_in_range(n, 0, 1);
	if (n) {
		turns = list[0].turns;
		assert_int_equal(list[0].unsaved, unsaved);
	}
	sessions_free(list, n);
	return turns;
}

static bool
knows(const char *id, uint64_t answer)
{
	struct checkpoint k;
	unsigned number;
	bool found =
		sessions_find_answer(&sessions, id, 0, answer, &number, &k);

	if (found)
		checkpoint_fini(&k);
	return found;
}

static unsigned
damaged_files(void)
{
	DIR *d = opendir(directory);
	struct dirent *file;
	unsigned n = 0;

	while ((file = readdir(d)))
		n += strstr(file->d_name, "s.sqlite.damaged-") != NULL;
	closedir(d);
	return n;
}

static void
run_sql(const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void
overwrite(off_t from, size_t len)
{
	auto_free char *noise = xcalloc(1, len);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	memset(noise, 0x5a, len);
	assert_int_equal(pwrite(fd, noise, len, from), len);
	close(fd);
}

/* It is moved aside, and all goes on with an empty file. */
static void
begins_anew(void)
{
	assert_int_equal(turns_of("a", false), 0);
	assert_true(answers("a", 1, 77));
	open_it_again();
	assert_int_equal(turns_of("a", false), 1);
	assert_true(knows("a", 77));
	assert_int_equal(damaged_files(), 1);
	assert_int_equal(said("moved to"), 1);
}

static void
a_file_that_is_no_database_is_moved_aside(void **state)
{
	overwrite(0, 20000);
	open_it();
	begins_anew();
}

static void
a_file_that_was_cut_is_moved_aside(void **state)
{
	open_it();
	for (unsigned i = 1; i < 200; i++)
		assert_true(answers("b", i, i));
	sessions_close(&sessions);
	assert_int_equal(truncate(path, 8192), 0);
	open_it();
	begins_anew();
}

static void
a_damaged_page_is_found_at_the_start(void **state)
{
	open_it();
	for (unsigned i = 1; i < 200; i++)
		assert_true(answers("b", i, i));
	sessions_close(&sessions);
	overwrite(2 * 4096, 4096);
	open_it();
	begins_anew();
}

static void
a_file_with_other_tables_is_moved_aside(void **state)
{
	run_sql("CREATE TABLE conversations(x); PRAGMA user_version = 3");
	open_it();
	begins_anew();
}

static void
a_file_of_a_newer_version_is_moved_aside_whole(void **state)
{
	run_sql("CREATE TABLE future(x); PRAGMA user_version = 4");
	open_it();
	assert_int_equal(said("a newer version of cli-bridge"), 1);
	assert_int_equal(damaged_files(), 1);
	assert_true(answers("a", 1, 77));
}

/* Behind our back, and with pages that are read anew. */
static void
damage(void)
{
	run_sql("PRAGMA user_version = 3; PRAGMA wal_checkpoint(TRUNCATE)");
	overwrite(4096, 8 * 4096);
}

static void
damage_that_a_save_meets_fails_nothing(void **state)
{
	open_it();
	assert_true(answers("a", 1, 77));
	damage();
	assert_true(answers("a", 2, 78));
	assert_int_equal(turns_of("a", false), 2);
	assert_true(knows("a", 78));
	assert_int_equal(said("moved to"), 1);
	open_it_again();
	assert_int_equal(turns_of("a", false), 2);
	assert_true(knows("a", 77));
}

static void
damage_that_a_search_meets_fails_nothing(void **state)
{
	struct rows rows = ROWS_INIT;
	struct str json;

	open_it();
	assert_true(answers("a", 1, 77));
	damage();
	assert_int_equal(turns_of("a", false), 1);
	damage();
	assert_true(knows("a", 77));
	damage();
	sessions_list(&sessions, &rows, 10, "echo");
	json = rows_end(&rows);
	assert_non_null(memmem(json.ptr, json.len, "\"id\":\"a\"", 8));
	rows_fini(&rows);
	damage();
	assert_int_equal(sessions_forget(&sessions, "a"), 1);
	assert_int_equal(turns_of("a", false), 0);
	assert_true(answers("a", 1, 77));
	assert_int_equal(said("moved to"), 4);
}

/* A worker forgets what has been forgotten, and no more than it must. */
static void
damage_costs_what_was_not_used_lately(void **state)
{
	open_it();
	assert_true(answers("old", 1, 71));
	open_it_again();
	for (unsigned i = 1; i <= MAX_RECENT_SESSIONS + 1; i++) {
		auto_free char *id = copy_format("s-%u", i);

		assert_true(answers(id, i, i));
	}
	assert_int_equal(sessions_forget(&sessions, "s-5"), 1);
	damage();
	assert_int_equal(turns_of("s-1", false), 0);
	assert_int_equal(turns_of("s-2", false), 2);
	assert_int_equal(turns_of("s-5", false), 0);
	assert_int_equal(turns_of("s-65", false), 65);
	assert_int_equal(turns_of("old", false), 0);
	assert_int_equal(said("moved to"), 1);
}

static void
damage_on_a_full_disk_loses_nothing_that_is_in_use(void **state)
{
	open_it();
	assert_true(answers("a", 1, 71));
	damage();
	disk_is_full(true);
	assert_false(answers("b", 1, 72));
	assert_int_equal(turns_of("a", true), 1);
	assert_int_equal(turns_of("b", true), 1);
	disk_is_full(false);
	assert_true(answers("b", 2, 73));
	open_it_again();
	assert_int_equal(turns_of("a", false), 1);
	assert_int_equal(turns_of("b", false), 2);
}

static void
a_file_of_version_1_is_taken_over(void **state)
{
	struct session *list;
	struct checkpoint k;
	unsigned number;
	size_t n;

	run_sql("CREATE TABLE sessions(id TEXT PRIMARY KEY, cli_id TEXT NOT "
		"NULL, position TEXT, cwd TEXT NOT NULL, model TEXT, turns "
		"INTEGER NOT NULL, created_at INTEGER NOT NULL, last_used_at "
		"INTEGER NOT NULL) WITHOUT ROWID;"
		"CREATE TABLE answers(session TEXT NOT NULL REFERENCES "
		"sessions(id) ON DELETE CASCADE, hash INTEGER NOT NULL, "
		"PRIMARY KEY(session, hash)) WITHOUT ROWID;"
		"INSERT INTO sessions VALUES('a', 'cli', 'there', '/w', 'm', "
		"2, 3, 4);"
		"INSERT INTO answers VALUES('a', 77), ('a', 78);"
		"PRAGMA user_version = 1;");
	open_it();
	must(sessions_find(&sessions, "a", &list, &n, &e));
	assert_int_equal(n, 1);
	assert_int_equal(list[0].number, 1);
	assert_string_equal(list[0].cli_id, "cli");
	assert_string_equal(list[0].terms.cwd, "/w");
	assert_string_equal(list[0].terms.model, "m");
	assert_int_equal(list[0].turns, 2);
	assert_int_equal(list[0].last_used_at, 4);
	assert_string_equal(list[0].newest.position, "there");

	/* either may be the newest: neither is known to be older */
	for (uint64_t answer = 77; answer <= 78; answer++) {
		assert_true(sessions_find_answer(&sessions, "a", 5, answer,
						 &number, &k));
		assert_int_equal(number, 1);
		assert_int_equal(k.number, list[0].newest.number);
		assert_null(k.position);
	}
	sessions_free(list, n);
	assert_true(answers("a", 2, 79));
	open_it_again();
	assert_true(knows("a", 77));
	assert_true(knows("a", 79));
	assert_int_equal(damaged_files(), 0);
}

/* Its rows have no options, and get some with the next turn. */
static void
a_file_of_version_2_is_taken_over(void **state)
{
	struct session *list;
	bool unsaved;
	size_t n;

	run_sql("CREATE TABLE conversations(session TEXT NOT NULL, number "
		"INTEGER NOT NULL, cli_id TEXT NOT NULL, system TEXT, cwd "
		"TEXT, model TEXT, permission_mode TEXT, loads TEXT, n INTEGER "
		"NOT NULL, asked INTEGER NOT NULL, answer INTEGER NOT NULL, "
		"position TEXT, turns INTEGER NOT NULL, created_at INTEGER NOT "
		"NULL, last_used_at INTEGER NOT NULL, PRIMARY KEY(session, "
		"number)) WITHOUT ROWID;"
		"INSERT INTO conversations VALUES('a', 1, 'cli', NULL, '/w', "
		"'m', NULL, NULL, 2, 5, 77, 'there', 2, 3, 4);"
		"PRAGMA user_version = 2;");
	open_it();
	must(sessions_find(&sessions, "a", &list, &n, &e));
	assert_int_equal(n, 1);
	assert_string_equal(list[0].newest.position, "there");
	assert_null(list[0].terms.options);
	assert_int_equal(list[0].prompt_tokens, 0);
	list[0].terms.options = copy(STR("{\"mode\":\"hosted-safe\"}"));
	list[0].prompt_tokens = MAX_TOKENS;
	list[0].has_caches = true;
	sessions_save(&sessions, &list[0], NULL, &unsaved);
	assert_false(unsaved);
	sessions_free(list, n);

	open_it_again();
	must(sessions_find(&sessions, "a", &list, &n, &e));
	assert_string_equal(list[0].terms.options,
			    "{\"mode\":\"hosted-safe\"}");
	assert_int_equal(list[0].last_used_at, 4);
	assert_int_equal(list[0].prompt_tokens, MAX_TOKENS);
	assert_true(list[0].has_caches);
	sessions_free(list, n);
	assert_int_equal(damaged_files(), 0);
}

static void
a_full_disk_forgets_nothing(void **state)
{
	struct rows rows = ROWS_INIT;

	open_it();
	assert_true(answers("a", 1, 71));
	assert_true(answers("a", 2, 72));
	assert_true(answers("b", 1, 73));
	disk_is_full(true);
	assert_false(answers("a", 2, 74));
	assert_false(answers("c", 1, 75));
	assert_false(answers("c", 2, 76));
	assert_int_equal(said("kept in memory"), 1);
	assert_int_equal(turns_of("a", true), 2);
	assert_int_equal(turns_of("b", false), 1);
	assert_int_equal(turns_of("c", true), 2);
	assert_true(knows("a", 71));
	assert_false(knows("a", 72));
	assert_true(knows("a", 74));
	assert_true(knows("c", 75));
	sessions_list(&sessions, &rows, 3, "echo");
	assert_false(rows.has_more);
	rows_fini(&rows);

	disk_is_full(false);
	assert_true(answers("d", 1, 77));
	assert_int_equal(said("can be written again"), 1);
	assert_int_equal(turns_of("c", false), 2);
	open_it_again();
	assert_int_equal(turns_of("a", false), 2);
	assert_int_equal(turns_of("b", false), 1);
	assert_int_equal(turns_of("c", false), 2);
	assert_true(knows("a", 71));
	assert_false(knows("a", 72));
	assert_true(knows("a", 74));
	assert_true(knows("c", 75));
	assert_true(knows("d", 77));
}

static void
a_worker_that_starts_on_a_full_disk_knows_its_sessions(void **state)
{
	open_it();
	assert_true(answers("a", 1, 71));
	sessions_close(&sessions);
	disk_is_full(true);
	open_it();
	assert_int_equal(turns_of("a", false), 1);
	assert_true(knows("a", 71));
	assert_false(answers("a", 2, 72));
	assert_false(answers("b", 1, 73));
	assert_true(knows("a", 71));
	assert_int_equal(turns_of("a", true), 2);
	assert_int_equal(said("kept in memory"), 1);
	disk_is_full(false);
	assert_true(answers("b", 2, 74));
	open_it_again();
	assert_int_equal(turns_of("a", false), 2);
	assert_int_equal(turns_of("b", false), 2);
	assert_int_equal(damaged_files(), 0);
}

static void
what_is_forgotten_on_a_full_disk_stays_forgotten(void **state)
{
	open_it();
	assert_true(answers("a", 1, 71));
	assert_true(answers("b", 1, 71));
	disk_is_full(true);
	assert_false(answers("c", 1, 71));
	assert_int_equal(sessions_forget(&sessions, "a"), 1);
	assert_int_equal(sessions_forget(&sessions, "c"), 1);
	assert_int_equal(turns_of("a", false), 0);
	assert_int_equal(turns_of("c", false), 0);
	assert_false(knows("a", 71));
	assert_false(answers("a", 1, 72));
	assert_false(knows("a", 71));
	assert_int_equal(sessions_forget(&sessions, "a"), 1);
	disk_is_full(false);
	assert_true(answers("b", 2, 73));
	open_it_again();
	assert_int_equal(turns_of("a", false), 0);
	assert_int_equal(turns_of("c", false), 0);
	assert_int_equal(turns_of("b", false), 2);
}

static void
memory_keeps_so_many_sessions_only(void **state)
{
	open_it();
	disk_is_full(true);
	for (unsigned i = 1; i <= MAX_UNSAVED_SESSIONS + 1; i++) {
		auto_free char *id = copy_format("s-%u", i);

		assert_false(answers(id, i, 71));
	}
	disk_is_full(false);
	assert_int_equal(turns_of("s-1", true), 0);
	assert_int_equal(turns_of("s-2", true), 2);
	assert_int_equal(said("kept in memory"), 1);
}

/* Two of these fit into MAX_UNSAVED_BYTES. */
static void
memory_keeps_so_many_bytes_only(void **state)
{
	const size_t len = MAX_UNSAVED_BYTES / 5 * 2;
	auto_free char *system = xcalloc(1, len);
	struct session s = { .number = 1,
			     .cli_id = (char[]){ "cli" },
			     .terms = { .system = system, .system_len = len } };
	bool unsaved;

	open_it();
	disk_is_full(true);
	for (unsigned i = 1; i <= 3; i++) {
		auto_free char *id = copy_format("s-%u", i);

		s.id = id;
		s.turns = s.last_used_at = i;
		sessions_save(&sessions, &s, NULL, &unsaved);
		assert_true(unsaved);
	}
	disk_is_full(false);
	assert_int_equal(turns_of("s-1", true), 0);
	assert_int_equal(turns_of("s-2", true), 2);
	assert_int_equal(turns_of("s-3", true), 3);
}

static void
a_file_that_cannot_be_made_is_made_later(void **state)
{
	assert_int_equal(rmdir(directory), 0);
	open_it();
	assert_false(answers("a", 1, 71));
	assert_false(answers("a", 2, 72));
	assert_int_equal(turns_of("a", true), 2);
	assert_int_equal(said("kept in memory"), 1);
	assert_int_equal(mkdir(directory, 0700), 0);
	assert_true(answers("b", 1, 73));
	assert_int_equal(said("can be written again"), 1);
	open_it_again();
	assert_int_equal(turns_of("a", false), 2);
	assert_true(knows("a", 71));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_that_is_no_database_is_moved_aside),
		TEST(a_file_that_was_cut_is_moved_aside),
		TEST(a_damaged_page_is_found_at_the_start),
		TEST(a_file_with_other_tables_is_moved_aside),
		TEST(a_file_of_a_newer_version_is_moved_aside_whole),
		TEST(damage_that_a_save_meets_fails_nothing),
		TEST(damage_that_a_search_meets_fails_nothing),
		TEST(damage_costs_what_was_not_used_lately),
		TEST(damage_on_a_full_disk_loses_nothing_that_is_in_use),
		TEST(a_file_of_version_1_is_taken_over),
		TEST(a_file_of_version_2_is_taken_over),
		TEST(a_full_disk_forgets_nothing),
		TEST(a_worker_that_starts_on_a_full_disk_knows_its_sessions),
		TEST(what_is_forgotten_on_a_full_disk_stays_forgotten),
		TEST(memory_keeps_so_many_sessions_only),
		TEST(memory_keeps_so_many_bytes_only),
		TEST(a_file_that_cannot_be_made_is_made_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
