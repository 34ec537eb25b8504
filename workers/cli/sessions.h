#pragma once
/*
 * sessions - which conversation of a caller is which of the harness's
 *
 * A session is known to callers by an id of their choice, and to the CLI by
 * one of its own.  Kept in SQLite, one file per worker, readable by us alone;
 * the only file that knows SQL.  No word of a conversation is stored, only
 * hashes of its answers, by which a caller's history is told from another.
 */
#include "proto/buf.h"
#include "proto/error.h"
#include "workers/worker/rows.h"

struct sqlite3;
struct sqlite3_stmt;

struct sessions {
	struct sqlite3 *db;
	struct sqlite3_stmt *find, *save, *list, *forget, *remember, *knows;
};

struct session {
	char *id;	/* the caller's */
	char *cli_id;	/* the CLI's own */
	char *position; /* where its last good turn ended; NULL: unknown */
	char *cwd;
	char *model; /* NULL: the default */
	uint64_t turns;
	uint64_t created_at, last_used_at; /* Unix ms */
};

must_check bool sessions_open(struct sessions *, const char *path,
			      struct error *);
void sessions_close(struct sessions *);

/* If there is one the caller session_fini()s it. */
must_check bool sessions_find(struct sessions *, const char *id,
			      struct session *, bool *found, struct error *);
void session_fini(struct session *);

/*
 * Writes it, new or not; `answer` is the hash of what the turn has answered,
 * 0 if nothing.
 */
must_check bool sessions_save(struct sessions *, const struct session *,
			      uint64_t answer, struct error *);

/* Whether one of the session's turns has answered this. */
bool sessions_knows(struct sessions *, const char *id, uint64_t answer);

/* How many there were: 0 or 1. */
unsigned sessions_forget(struct sessions *, const char *id);

/* Adds up to `limit`, the last used first.  `backend` goes into each row. */
void sessions_list(struct sessions *, struct rows *, unsigned limit,
		   const char *backend);
