#include "workers/cli/database.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include <sqlite3.h>

#include "proto/buf.h"
#include "proto/log.h"
#include "proto/loop.h"

enum {
	SCHEMA = 3,    /* the version of the tables below */
	BUSY_MS = 100, /* nobody else should use the file */
	PAGE_BYTES = 4096,
	CHECKED_BYTES = 4 << 20, /* a larger file takes too long to check */
};

/*
 * The row of a conversation has its newest checkpoint (n to position), also if
 * that has no answer.  `checkpoints` has those that have one.  Several answers
 * with the same n come from version 1, which did not know their order.
 */
#define TABLES(db)                                                        \
	"CREATE TABLE IF NOT EXISTS " db ".conversations("                \
	"  session TEXT NOT NULL,"                                        \
	"  number INTEGER NOT NULL,"                                      \
	"  cli_id TEXT NOT NULL,"                                         \
	"  system TEXT,"                                                  \
	"  cwd TEXT,"                                                     \
	"  model TEXT,"                                                   \
	"  permission_mode TEXT,"                                         \
	"  loads TEXT,"                                                   \
	"  n INTEGER NOT NULL,"                                           \
	"  asked INTEGER NOT NULL,"                                       \
	"  answer INTEGER NOT NULL,"                                      \
	"  position TEXT,"                                                \
	"  turns INTEGER NOT NULL,"                                       \
	"  created_at INTEGER NOT NULL,"                                  \
	"  last_used_at INTEGER NOT NULL,"                                \
	"  options TEXT,"                                                 \
	"  prompt_tokens INTEGER,"                                        \
	"  has_caches INTEGER,"                                           \
	"  PRIMARY KEY(session, number)"                                  \
	") WITHOUT ROWID;"                                                \
	"CREATE INDEX IF NOT EXISTS " db ".conversations_by_last_use"     \
	"  ON conversations(last_used_at);"                               \
	"CREATE TABLE IF NOT EXISTS " db ".checkpoints("                  \
	"  session TEXT NOT NULL,"                                        \
	"  number INTEGER NOT NULL,"                                      \
	"  n INTEGER NOT NULL,"                                           \
	"  asked INTEGER NOT NULL,"                                       \
	"  answer INTEGER NOT NULL,"                                      \
	"  position TEXT,"                                                \
	"  PRIMARY KEY(session, number, n, answer),"                      \
	"  FOREIGN KEY(session, number)"                                  \
	"    REFERENCES conversations(session, number) ON DELETE CASCADE" \
	") WITHOUT ROWID;"                                                \
	"CREATE INDEX IF NOT EXISTS " db ".checkpoints_by_answer"         \
	"  ON checkpoints(session, answer);"

/*
 * Version 1 had one conversation a session, and its answers without order.  A
 * program of version 1 that is given a file of version 2 adds its own tables to
 * it, and calls it version 1 again: what it has written is newer.  Version 2
 * had neither options nor what stands behind them.
 */
static const char from_version_1[] =
	"INSERT OR REPLACE INTO disk.conversations"
	" SELECT id, 1, cli_id, NULL, cwd, model, NULL, NULL, 1, 0, 0,"
	" position, turns, created_at, last_used_at, NULL, NULL, NULL FROM "
	"disk.sessions;"
	"INSERT OR IGNORE INTO disk.checkpoints"
	" SELECT session, 1, 1, 0, hash, NULL FROM disk.answers;"
	"DROP TABLE disk.answers;"
	"DROP TABLE disk.sessions;";

static int
note_failure(struct database *d, int result)
{
	int system = sqlite3_system_errno(d->db);

	d->failure = result & 0xff;
	d->is_broken =
		d->failure == SQLITE_CORRUPT || d->failure == SQLITE_NOTADB;
	snprintf(d->why, sizeof d->why, "%s%s%s", sqlite3_errmsg(d->db),
		 d->failure == SQLITE_IOERR && system ? ": " : "",
		 d->failure == SQLITE_IOERR && system ? strerror(system) : "");
	return d->failure;
}

/* The file is whole, and yet none that can be used. */
static int
refuse_file(struct database *d, const char *why)
{
	d->failure = SQLITE_NOTADB;
	d->is_broken = true;
	snprintf(d->why, sizeof d->why, "%s", why);
	return d->failure;
}

int
database_exec(struct database *d, const char *sql)
{
	int result = sqlite3_exec(d->db, sql, NULL, NULL, NULL);

	return result == SQLITE_OK ? result : note_failure(d, result);
}

void
database_roll_back(struct database *d)
{
	if (!sqlite3_get_autocommit(d->db))
		sqlite3_exec(d->db, "ROLLBACK", NULL, NULL, NULL);
}

struct sqlite3_stmt *
database_query(struct database *d, unsigned query)
{
	struct sqlite3_stmt **q = &d->statements[query];
	int result;

	assert(query < d->query_count);
	if (*q)
		return *q;
	result = sqlite3_prepare_v3(d->db, d->queries[query], -1,
				    SQLITE_PREPARE_PERSISTENT, q, NULL);
	if (result != SQLITE_OK)
		note_failure(d, result);
	return *q;
}

int
database_step(struct database *d, unsigned query)
{
	int result;

	if (!database_query(d, query))
		return d->failure;
	result = sqlite3_step(d->statements[query]);
	if (result == SQLITE_ROW || result == SQLITE_DONE)
		return result;
	return note_failure(d, result);
}

void
database_reset(struct database *d, unsigned query)
{
	sqlite3_reset(d->statements[query]);
}

int
database_run(struct database *d, unsigned query)
{
	int result = database_step(d, query);

	database_reset(d, query);
	return result == SQLITE_DONE ? SQLITE_OK : result;
}

/* Connecting */

/* The first number that a statement gives. */
static int
ask_number(struct database *d, const char *sql, int64_t *number)
{
	struct sqlite3_stmt *q = NULL;
	int result = sqlite3_prepare_v2(d->db, sql, -1, &q, NULL);

	if (result == SQLITE_OK)
		result = sqlite3_step(q);
	if (result == SQLITE_ROW)
		*number = sqlite3_column_int64(q, 0);
	else
		note_failure(d, result);
	sqlite3_finalize(q);
	return result == SQLITE_ROW ? SQLITE_OK : d->failure;
}

/* Reads a small file whole: damage is better found before a turn needs it. */
static int
check_file(struct database *d)
{
	struct sqlite3_stmt *q = NULL;
	struct stat st;
	int result;

	if (stat(d->path, &st) != 0 || st.st_size > CHECKED_BYTES)
		return SQLITE_OK;
	result = sqlite3_prepare_v2(d->db, "PRAGMA disk.quick_check(1)", -1, &q,
				    NULL);
	if (result == SQLITE_OK)
		result = sqlite3_step(q);
	if (result != SQLITE_ROW)
		result = note_failure(d, result);
	else if (!str_is(str_of((const char *)sqlite3_column_text(q, 0)), "ok"))
		result =
			refuse_file(d, (const char *)sqlite3_column_text(q, 0));
	else
		result = SQLITE_OK;
	sqlite3_finalize(q);
	return result;
}

/* What version 2 does not have. */
static int
add_columns(struct database *d)
{
	int64_t there = 0;
	int result = ask_number(d,
				"SELECT count(*) FROM"
				" pragma_table_info('conversations', 'disk')"
				" WHERE name = 'options'",
				&there);

	if (result == SQLITE_OK && !there)
		result = database_exec(d, "ALTER TABLE disk.conversations"
					  " ADD COLUMN options TEXT;"
					  "ALTER TABLE disk.conversations"
					  " ADD COLUMN prompt_tokens INTEGER;"
					  "ALTER TABLE disk.conversations"
					  " ADD COLUMN has_caches INTEGER");
	return result;
}

static int
upgrade(struct database *d)
{
	int64_t version = 0;
	char set_version[64];
	int result = ask_number(d, "PRAGMA disk.user_version", &version);

	if (result != SQLITE_OK || version == SCHEMA)
		return result;
	if (version > SCHEMA)
		return refuse_file(d, "a newer version of cli-bridge has made "
				      "it");
	snprintf(set_version, sizeof set_version,
		 "PRAGMA disk.user_version = %d", SCHEMA);
	result = database_exec(d, "BEGIN IMMEDIATE");
	if (result == SQLITE_OK)
		result = database_exec(d, TABLES("disk"));
	if (result == SQLITE_OK)
		result = add_columns(d);
	if (result == SQLITE_OK && version == 1)
		result = database_exec(d, from_version_1);
	if (result == SQLITE_OK)
		result = database_exec(d, set_version);
	if (result == SQLITE_OK)
		result = database_exec(d, "COMMIT");
	database_roll_back(d);
	return result;
}

/* A file with other tables than ours is none of ours. */
static int
prepare_all(struct database *d)
{
	for (unsigned i = 0; i < d->query_count; i++)
		if (!database_query(d, i))
			return d->failure == SQLITE_ERROR
				       ? refuse_file(d, "its tables are not "
							"those of sessions")
				       : d->failure;
	return SQLITE_OK;
}

static int
attach(struct database *d, const char *path)
{
	struct sqlite3_stmt *q = NULL;
	int result =
		sqlite3_prepare_v2(d->db, "ATTACH ?1 AS disk", -1, &q, NULL);

	if (result == SQLITE_OK) {
		sqlite3_bind_text(q, 1, path, -1, SQLITE_STATIC);
		result = sqlite3_step(q);
	}
	if (result != SQLITE_DONE)
		note_failure(d, result);
	sqlite3_finalize(q);
	return result == SQLITE_DONE ? SQLITE_OK : d->failure;
}

static void
detach(struct database *d)
{
	database_roll_back(d);
	for (unsigned i = 0; i < d->query_count; i++) {
		sqlite3_finalize(d->statements[i]);
		d->statements[i] = NULL;
	}
	if (sqlite3_db_filename(d->db, "disk"))
		sqlite3_exec(d->db, "DETACH disk", NULL, NULL, NULL);
	d->disk = DISK_NONE;
}

/*
 * A full disk has no room for the index that processes share when they use the
 * file.  With DISK_ALONE there is none, and the file can still be read.
 */
static bool
attach_file(struct database *d, enum disk how)
{
	mode_t old = umask(077); /* the files are readable by us alone */
	int result = database_exec(
		d, how == DISK_ALONE ? "PRAGMA locking_mode = EXCLUSIVE"
				     : "PRAGMA locking_mode = NORMAL");

	if (result == SQLITE_OK)
		result = attach(d, d->path);
	if (result == SQLITE_OK)
		result = database_exec(d, "PRAGMA disk.journal_mode = WAL;"
					  "PRAGMA disk.secure_delete = ON;"
					  "PRAGMA disk.synchronous = NORMAL");
	if (result == SQLITE_OK)
		result = check_file(d);
	if (result == SQLITE_OK)
		result = upgrade(d);
	if (result == SQLITE_OK)
		result = prepare_all(d);
	umask(old);
	if (result == SQLITE_OK)
		d->disk = how;
	else
		detach(d);
	return result == SQLITE_OK;
}

static bool
rename_file(const char *from, const char *to, const char *suffix)
{
	auto_free char *old = copy_format("%s%s", from, suffix);
	auto_free char *new = copy_format("%s%s", to, suffix);

	return rename(old, new) == 0 || errno == ENOENT;
}

/* False if it cannot be moved. */
static bool
move_aside(struct database *d)
{
	uint64_t now = unix_ms();
	time_t seconds = (time_t)(now / 1000);
	auto_free char *aside = NULL;
	char at[32];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(at, sizeof at, "%Y%m%dT%H%M%S", &tm);
	aside = copy_format("%s.damaged-%s.%03uZ", d->path, at,
			    (unsigned)(now % 1000));
	detach(d);
	if (!rename_file(d->path, aside, "") ||
	    !rename_file(d->path, aside, "-wal") ||
	    !rename_file(d->path, aside, "-shm")) {
		snprintf(d->why + strlen(d->why),
			 sizeof d->why - strlen(d->why),
			 "; it cannot be moved aside: %s", strerror(errno));
		return false;
	}
	log_error(
		"sessions: %s cannot be used any more (%s).  It was moved to "
		"%s, and an empty one begun: sessions that were in it only "
		"begin anew, with the history that their clients send.  To "
		"get them back, stop the bridge, repair the file (sqlite3 FILE "
		".recover) and put it in its place.",
		d->path, d->why, aside);
	return true;
}

static void
complain(struct database *d)
{
	if (!d->has_complained)
		log_error("sessions: %s cannot be used: %s.  Sessions are kept "
			  "in memory, until it can be, or this worker ends.  "
			  "Make room on the disk, or make the file writable.",
			  d->path, d->why);
	d->has_complained = true;
}

void
database_was_written(struct database *d, bool ok)
{
	if (!ok) {
		complain(d);
	} else if (d->has_complained) {
		log_info("sessions: %s can be written again, and has all that "
			 "was kept in memory",
			 d->path);
		d->has_complained = false;
	}
}

static void
connect_disk(struct database *d)
{
	if (attach_file(d, DISK_FILE))
		return;
	if (d->is_broken && move_aside(d) && attach_file(d, DISK_FILE))
		return;
	complain(d);
	if (!d->is_broken && attach_file(d, DISK_ALONE))
		return;
	if (attach(d, ":memory:") != SQLITE_OK ||
	    database_exec(d, TABLES("disk")) != SQLITE_OK)
		log_error("sessions: %s", d->why);
}

/* A later write does the same, if this one cannot. */
void
database_scrub(struct database *d)
{
	if (d->disk != DISK_NONE)
		sqlite3_exec(d->db, "PRAGMA disk.wal_checkpoint(TRUNCATE)",
			     NULL, NULL, NULL);
}

bool
database_recover(struct database *d)
{
	bool is_broken = d->is_broken;

	database_roll_back(d);
	if (!is_broken || d->disk == DISK_NONE)
		return false;
	d->is_broken = false;
	if (!move_aside(d))
		complain(d);
	connect_disk(d);
	return true;
}

void
database_reconnect(struct database *d)
{
	if (d->disk == DISK_FILE)
		return;
	detach(d);
	connect_disk(d);
}

bool
database_open(struct database *d, const char *path, const char *const *queries,
	      size_t query_count, struct error *e)
{
	char limit[64];

	assert(query_count <= MAX_QUERIES);
	*d = (struct database){ .path = copy(str_of(path)),
				.queries = queries,
				.query_count = query_count };
	snprintf(limit, sizeof limit, "PRAGMA main.max_page_count = %u",
		 MAX_UNSAVED_BYTES / PAGE_BYTES);
	if (sqlite3_open_v2(":memory:", &d->db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
				    SQLITE_OPEN_NOFOLLOW,
			    NULL) != SQLITE_OK ||
	    database_exec(d, "PRAGMA foreign_keys = ON;"
			     "PRAGMA temp_store = MEMORY;"
			     "PRAGMA main.page_size = 4096;" TABLES(
				     "main") "CREATE TABLE main.forgotten("
					     "session TEXT PRIMARY KEY)") !=
		    SQLITE_OK ||
	    database_exec(d, limit) != SQLITE_OK)
		return fail_with(e, ERR_SYSTEM, "sessions: SQLite: %s",
				 d->db ? sqlite3_errmsg(d->db)
				       : "out of memory");
	sqlite3_busy_timeout(d->db, BUSY_MS);
	connect_disk(d);
	return true;
}

void
database_close(struct database *d)
{
	if (d->db)
		detach(d);
	sqlite3_close(d->db);
	free(d->path);
	memset(d, 0, sizeof *d);
}
