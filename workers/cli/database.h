#pragma once
/*
 * database - the SQLite file in which a worker keeps its sessions
 *
 * One connection has two databases of the same tables: `disk`, the file, and
 * `main`, in memory, for what could not be written to the file.
 *
 * It promises that a worker can always go on.  A file that is damaged, or was
 * made by a newer version, is moved aside, and an empty one is begun.  While
 * there can be no file, `disk` is an empty database in memory, which nothing
 * is written to.  All of that is logged.  A file of an older version is
 * brought to this one.
 *
 * Results are SQLite's primary result codes.
 */
#include <stdbool.h>
#include <stddef.h>

#include "proto/error.h"
#include "proto/limits.h"

struct sqlite3;
struct sqlite3_stmt;

enum { MAX_QUERIES = 32 };

enum disk {
	DISK_NONE,  /* there is no file */
	DISK_ALONE, /* the file can be read, but not be shared or written */
	DISK_FILE,
};

struct database {
	struct sqlite3 *db;
	char *path;
	enum disk disk;
	const char *const *queries; /* in SQL */
	size_t query_count;
	struct sqlite3_stmt *statements[MAX_QUERIES]; /* NULL: not needed yet */
	int failure;		  /* of the last call that failed */
	char why[MAX_ERROR_TEXT]; /* what it was */
	bool is_broken;		  /* the failure is the file's own */
	bool has_complained;	  /* that there can be no file */
};

/* False only if SQLite itself cannot be used.  `queries` is not copied. */
must_check bool database_open(struct database *, const char *path,
			      const char *const *queries, size_t query_count,
			      struct error *);
void database_close(struct database *); /* also after a failed open */

/* The statement of that query, for parameters; NULL if it failed. */
struct sqlite3_stmt *database_query(struct database *, unsigned query);

/* One step of the statement: SQLITE_ROW, SQLITE_DONE, or a failure. */
int database_step(struct database *, unsigned query);

/* Ends the statement, so that its rows are not locked any more. */
void database_reset(struct database *, unsigned query);

/* Runs a statement that gives no rows, or several in SQL. */
int database_run(struct database *, unsigned query);
int database_exec(struct database *, const char *sql);

/* Nothing of what was deleted is left on the disk. */
void database_scrub(struct database *);

/* Undoes what the transaction under way has done, if there is one. */
void database_roll_back(struct database *);

/*
 * To be called after a failure.  If the file itself is what failed, it is moved
 * aside, and true is returned: what failed is worth another try, once.
 */
bool database_recover(struct database *);

/* How an attempt to write to the file has ended: a change of that is logged. */
void database_was_written(struct database *, bool ok);

/* Tries to get the file back, if there was none or it could not be written. */
void database_reconnect(struct database *);
