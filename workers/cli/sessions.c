#include "workers/cli/sessions.h"

#include <assert.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>
#include <sqlite3.h>

#include "proto/log.h"
#include "proto/loop.h"

enum { BUSY_MS = 100 /* nobody else should use the database */ };

static const char schema[] =
	"PRAGMA journal_mode = WAL;"
	"PRAGMA synchronous = NORMAL;"
	"PRAGMA foreign_keys = ON;"
	"CREATE TABLE IF NOT EXISTS sessions("
	"  id TEXT PRIMARY KEY,"
	"  cli_id TEXT NOT NULL,"
	"  position TEXT,"
	"  cwd TEXT NOT NULL,"
	"  model TEXT,"
	"  turns INTEGER NOT NULL,"
	"  created_at INTEGER NOT NULL,"
	"  last_used_at INTEGER NOT NULL"
	") WITHOUT ROWID;"
	"CREATE INDEX IF NOT EXISTS by_last_use ON sessions(last_used_at);"
	"CREATE TABLE IF NOT EXISTS answers("
	"  session TEXT NOT NULL"
	"    REFERENCES sessions(id) ON DELETE CASCADE,"
	"  hash INTEGER NOT NULL,"
	"  PRIMARY KEY(session, hash)"
	") WITHOUT ROWID;"
	"PRAGMA user_version = 1;";

static bool
fail_sql(struct error *e, struct sessions *s, const char *what)
{
	return fail_with(e, ERR_SYSTEM, "sessions: %s: %s", what,
			 s->db ? sqlite3_errmsg(s->db) : "out of memory");
}

static bool
prepare(struct sessions *s, struct sqlite3_stmt **to, const char *sql,
	struct error *e)
{
	return sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, to,
				  NULL) == SQLITE_OK ||
	       fail_sql(e, s, sql);
}

static bool
prepare_all(struct sessions *s, struct error *e)
{
	return prepare(s, &s->find,
		       "SELECT cli_id, cwd, model, turns, created_at,"
		       " last_used_at, position FROM sessions WHERE id = ?1",
		       e) &&
	       prepare(s, &s->save,
		       "INSERT INTO sessions VALUES(?1, ?2, ?8, ?3, ?4, ?5, "
		       "?6, ?7)"
		       " ON CONFLICT(id) DO UPDATE SET cli_id = ?2, cwd = ?3,"
		       " model = ?4, turns = ?5, last_used_at = ?7,"
		       " position = ?8",
		       e) &&
	       prepare(s, &s->list,
		       "SELECT id, cli_id, cwd, model, turns, created_at,"
		       " last_used_at FROM sessions"
		       " ORDER BY last_used_at DESC LIMIT ?1",
		       e) &&
	       prepare(s, &s->forget, "DELETE FROM sessions WHERE id = ?1",
		       e) &&
	       prepare(s, &s->remember,
		       "INSERT OR IGNORE INTO answers VALUES(?1, ?2)", e) &&
	       prepare(s, &s->knows,
		       "SELECT 1 FROM answers WHERE session = ?1"
		       " AND hash = ?2",
		       e);
}

/* SQLite gives the files beside a database the database's own mode. */
bool
sessions_open(struct sessions *s, const char *path, struct error *e)
{
	mode_t old = umask(077);
	int r;

	memset(s, 0, sizeof *s);
	r = sqlite3_open_v2(path, &s->db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
				    SQLITE_OPEN_NOFOLLOW,
			    NULL);
	if (r == SQLITE_OK) {
		sqlite3_busy_timeout(s->db, BUSY_MS);
		r = sqlite3_exec(s->db, schema, NULL, NULL, NULL);
	}
	umask(old);
	if (r != SQLITE_OK)
		return fail_sql(e, s, path);
	return prepare_all(s, e);
}

void
sessions_close(struct sessions *s)
{
	sqlite3_finalize(s->find);
	sqlite3_finalize(s->save);
	sqlite3_finalize(s->list);
	sqlite3_finalize(s->forget);
	sqlite3_finalize(s->remember);
	sqlite3_finalize(s->knows);
	sqlite3_close(s->db);
	memset(s, 0, sizeof *s);
}

static void
bind_text(struct sqlite3_stmt *q, int at, const char *text)
{
	sqlite3_bind_text(q, at, text, -1, SQLITE_STATIC);
}

static const char *
column(struct sqlite3_stmt *q, int at)
{
	return (const char *)sqlite3_column_text(q, at);
}

static uint64_t
number(struct sqlite3_stmt *q, int at)
{
	return (uint64_t)sqlite3_column_int64(q, at);
}

bool
sessions_find(struct sessions *s, const char *id, struct session *to,
	      bool *found, struct error *e)
{
	int r;

	bind_text(s->find, 1, id);
	r = sqlite3_step(s->find);
	if (r == SQLITE_ROW)
		*to = (struct session){
			.id = copy(str_of(id)),
			.cli_id = copy(str_of(column(s->find, 0))),
			.cwd = copy(str_of(column(s->find, 1))),
			.model = copy(str_of(column(s->find, 2))),
			.turns = number(s->find, 3),
			.created_at = number(s->find, 4),
			.last_used_at = number(s->find, 5),
			.position = copy(str_of(column(s->find, 6))),
		};
	if (r != SQLITE_ROW && r != SQLITE_DONE)
		fail_sql(e, s, "read");
	sqlite3_reset(s->find);
	*found = r == SQLITE_ROW;
	return r == SQLITE_ROW || r == SQLITE_DONE;
}

void
session_fini(struct session *s)
{
	free(s->id);
	free(s->cli_id);
	free(s->position);
	free(s->cwd);
	free(s->model);
	memset(s, 0, sizeof *s);
}

/* Runs a statement that gives no rows. */
static bool
execute(struct sessions *s, struct sqlite3_stmt *q, struct error *e)
{
	bool ok = sqlite3_step(q) == SQLITE_DONE;

	if (!ok)
		fail_sql(e, s, "write");
	sqlite3_reset(q);
	return ok;
}

static bool
save_answer(struct sessions *s, const char *id, uint64_t answer,
	    struct error *e)
{
	if (!answer)
		return true;
	bind_text(s->remember, 1, id);
	sqlite3_bind_int64(s->remember, 2, (sqlite3_int64)answer);
	return execute(s, s->remember, e);
}

bool
sessions_save(struct sessions *s, const struct session *session,
	      uint64_t answer, struct error *e)
{
	bind_text(s->save, 1, session->id);
	bind_text(s->save, 2, session->cli_id);
	bind_text(s->save, 3, session->cwd);
	bind_text(s->save, 4, session->model);
	sqlite3_bind_int64(s->save, 5, (sqlite3_int64)session->turns);
	sqlite3_bind_int64(s->save, 6, (sqlite3_int64)session->created_at);
	sqlite3_bind_int64(s->save, 7, (sqlite3_int64)session->last_used_at);
	bind_text(s->save, 8, session->position);
	return execute(s, s->save, e) && save_answer(s, session->id, answer, e);
}

bool
sessions_knows(struct sessions *s, const char *id, uint64_t answer)
{
	bool found;

	bind_text(s->knows, 1, id);
	sqlite3_bind_int64(s->knows, 2, (sqlite3_int64)answer);
	found = sqlite3_step(s->knows) == SQLITE_ROW;
	sqlite3_reset(s->knows);
	return found;
}

unsigned
sessions_forget(struct sessions *s, const char *id)
{
	struct error e = { 0 };

	bind_text(s->forget, 1, id);
	if (execute(s, s->forget, &e))
		return (unsigned)sqlite3_changes(s->db);
	log_error("%s", e.text);
	return 0;
}

static json_t *
row(struct sqlite3_stmt *q, const char *backend)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s?, s:s, s:I, s:I, s:I}", "id",
			 column(q, 0), "object", "session", "backend", backend,
			 "harness_session_id", column(q, 1), "model",
			 column(q, 3), "cwd", column(q, 2), "turns",
			 sqlite3_column_int64(q, 4), "created_at",
			 sqlite3_column_int64(q, 5), "last_used_at",
			 sqlite3_column_int64(q, 6));
}

static bool
add_row(struct rows *to, json_t *row)
{
	char *text = json_dumps(row, JSON_COMPACT);
	bool fits = !text || rows_add(to, str_of(text));

	free(text);
	json_decref(row);
	return fits;
}

/* One more than that is looked for, to know whether there are more. */
void
sessions_list(struct sessions *s, struct rows *to, unsigned limit,
	      const char *backend)
{
	bool fits = true;

	sqlite3_bind_int64(s->list, 1, (sqlite3_int64)limit + 1);
	while (fits && sqlite3_step(s->list) == SQLITE_ROW) {
		if (limit-- == 0) {
			to->has_more = true;
			break;
		}
		fits = add_row(to, row(s->list, backend));
	}
	sqlite3_reset(s->list);
}
