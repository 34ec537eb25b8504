#include "workers/cli/sessions.h"

#include <assert.h>
#include <stdio.h>

#include <jansson.h>
#include <sqlite3.h>

#include "proto/log.h"
#include "workers/cli/queries.h"
#include "workers/cli/recent.h"

/* Writes all that is in memory into the file: part of a transaction. */
static const char write_unsaved[] =
	"DELETE FROM disk.conversations WHERE session IN"
	" (SELECT session FROM main.forgotten);"
	"DELETE FROM disk.conversations WHERE (session, number) IN"
	" (SELECT session, number FROM main.conversations);"
	"INSERT INTO disk.conversations SELECT * FROM main.conversations;"
	"INSERT INTO disk.checkpoints SELECT * FROM main.checkpoints;"
	"DELETE FROM main.conversations;"
	"DELETE FROM main.forgotten;";

bool
sessions_open(struct sessions *s, const char *path, struct error *e)
{
	memset(s, 0, sizeof *s);
	return database_open(&s->database, path, queries, QUERIES, e);
}

void
sessions_close(struct sessions *s)
{
	recent_fini(&s->recent);
	database_close(&s->database);
}

static bool recover(struct sessions *);

/* Parameters and columns */

static void
bind_text(struct sqlite3_stmt *q, int at, struct str text)
{
	sqlite3_bind_text(q, at, text.ptr, (int)text.len, SQLITE_STATIC);
}

static void
bind_number(struct sqlite3_stmt *q, int at, uint64_t number)
{
	sqlite3_bind_int64(q, at, (sqlite3_int64)number);
}

/* The statement, with the session as its first parameter. */
static struct sqlite3_stmt *
of_session(struct sessions *s, unsigned query, const char *id)
{
	struct sqlite3_stmt *q = database_query(&s->database, query);

	if (q)
		bind_text(q, 1, str_of(id));
	return q;
}

static struct str
text_at(struct sqlite3_stmt *q, int at)
{
	const char *text = (const char *)sqlite3_column_text(q, at);

	return (struct str){ text, (size_t)sqlite3_column_bytes(q, at) };
}

static uint64_t
number_at(struct sqlite3_stmt *q, int at)
{
	return (uint64_t)sqlite3_column_int64(q, at);
}

/* From column `at` on, as they are in both tables. */
static void
read_checkpoint(struct sqlite3_stmt *q, int at, struct checkpoint *to)
{
	*to = (struct checkpoint){
		.number = number_at(q, at),
		.asked = number_at(q, at + 1),
		.answer = number_at(q, at + 2),
		.position = copy(text_at(q, at + 3)),
	};
}

static void
bind_checkpoint(struct sqlite3_stmt *q, int at, const struct checkpoint *k)
{
	bind_number(q, at, k->number);
	bind_number(q, at + 1, k->asked);
	bind_number(q, at + 2, k->answer);
	bind_text(q, at + 3, str_of(k->position));
}

/* Finding */

static void
read_row(struct sqlite3_stmt *q, struct session *to)
{
	*to = (struct session){
		.id = copy(text_at(q, 0)),
		.number = (unsigned)number_at(q, 1),
		.cli_id = copy(text_at(q, 2)),
		.terms = {
			.system = copy(text_at(q, 3)),
			.system_len = text_at(q, 3).len,
			.cwd = copy(text_at(q, 4)),
			.model = copy(text_at(q, 5)),
			.permission_mode = copy(text_at(q, 6)),
			.loads = copy(text_at(q, 7)),
			.options = copy(text_at(q, 15)),
		},
		.turns = number_at(q, 12),
		.created_at = number_at(q, 13),
		.last_used_at = number_at(q, 14),
		.prompt_tokens = number_at(q, 16),
		.has_caches = number_at(q, 17) != 0,
		.unsaved = number_at(q, 18) != 0,
	};
	read_checkpoint(q, 8, &to->newest);
}

static int
read_rows(struct sessions *s, const char *id, struct session **list, size_t *n)
{
	struct sqlite3_stmt *q = of_session(s, FIND, id);
	int result;

	*list = NULL;
	*n = 0;
	while ((result = database_step(&s->database, FIND)) == SQLITE_ROW) {
		*list = xrealloc(*list, (*n + 1) * sizeof **list);
		read_row(q, &(*list)[(*n)++]);
	}
	database_reset(&s->database, FIND);
	if (result == SQLITE_DONE)
		return SQLITE_OK;
	sessions_free(*list, *n);
	return result;
}

bool
sessions_find(struct sessions *s, const char *id, struct session **to,
	      size_t *count, struct error *e)
{
	struct session *list;
	size_t n;
	int result = read_rows(s, id, &list, &n);

	if (result != SQLITE_OK && recover(s))
		result = read_rows(s, id, &list, &n);
	if (result != SQLITE_OK)
		return fail_with(e, ERR_SYSTEM,
				 "sessions: %s cannot be read: %s",
				 s->database.path, s->database.why);
	*to = list;
	*count = n;
	return true;
}

bool
sessions_find_answer(struct sessions *s, const char *id, uint64_t asked,
		     uint64_t answer, unsigned *number, struct checkpoint *to)
{
	struct sqlite3_stmt *q;
	bool again = false;
	int result;

	do {
		q = of_session(s, FIND_ANSWER, id);
		if (q) {
			bind_number(q, 2, answer);
			bind_number(q, 3, asked);
		}
		result = database_step(&s->database, FIND_ANSWER);
		if (result == SQLITE_ROW) {
			*number = (unsigned)number_at(q, 0);
			read_checkpoint(q, 1, to);
		}
		database_reset(&s->database, FIND_ANSWER);
		again = !again && result != SQLITE_ROW &&
			result != SQLITE_DONE && recover(s);
	} while (again);
	if (result != SQLITE_ROW && result != SQLITE_DONE)
		log_error("sessions: %s cannot be read: %s", s->database.path,
			  s->database.why);
	return result == SQLITE_ROW;
}

/* Saving */

static int
write_row(struct sessions *s, const struct session *row, enum place place)
{
	struct sqlite3_stmt *q = of_session(s, WRITE_ROW + place, row->id);
	const struct terms *t = &row->terms;

	if (q) {
		bind_number(q, 2, row->number);
		bind_text(q, 3, str_of(row->cli_id));
		bind_text(q, 4, (struct str){ t->system, t->system_len });
		bind_text(q, 5, str_of(t->cwd));
		bind_text(q, 6, str_of(t->model));
		bind_text(q, 7, str_of(t->permission_mode));
		bind_text(q, 8, str_of(t->loads));
		bind_checkpoint(q, 9, &row->newest);
		bind_number(q, 13, row->turns);
		bind_number(q, 14, row->created_at);
		bind_number(q, 15, row->last_used_at);
		bind_text(q, 16, str_of(t->options));
		bind_number(q, 17, row->prompt_tokens);
		bind_number(q, 18, row->has_caches);
	}
	return database_run(&s->database, WRITE_ROW + place);
}

static int
write_checkpoint(struct sessions *s, const struct session *row,
		 const struct checkpoint *added, enum place place)
{
	struct sqlite3_stmt *q =
		of_session(s, DROP_CHECKPOINTS + place, row->id);
	int result;

	if (q) {
		bind_number(q, 2, row->number);
		bind_number(q, 3, added->number);
	}
	result = database_run(&s->database, DROP_CHECKPOINTS + place);
	if (result != SQLITE_OK || !added->answer)
		return result;
	q = of_session(s, ADD_CHECKPOINT + place, row->id);
	if (q) {
		bind_number(q, 2, row->number);
		bind_checkpoint(q, 3, added);
	}
	return database_run(&s->database, ADD_CHECKPOINT + place);
}

static int
write_all(struct sessions *s, const struct session *row,
	  const struct checkpoint *added, enum place place)
{
	int result = write_row(s, row, place);

	if (result == SQLITE_OK && added)
		result = write_checkpoint(s, row, added, place);
	if (result == SQLITE_OK) {
		of_session(s, DROP_CONVERSATIONS + place, row->id);
		result = database_run(&s->database, DROP_CONVERSATIONS + place);
	}
	return result;
}

static int
save_in_file(struct sessions *s, const struct session *row,
	     const struct checkpoint *added)
{
	struct database *d = &s->database;
	int result = database_exec(d, "BEGIN IMMEDIATE");

	if (result == SQLITE_OK && s->has_unsaved)
		result = database_exec(d, write_unsaved);
	if (result == SQLITE_OK)
		result = write_all(s, row, added, IN_FILE);
	if (result == SQLITE_OK)
		result = database_exec(d, "COMMIT");
	database_roll_back(d);
	if (result == SQLITE_OK)
		s->has_unsaved = false;
	return result;
}

/* The conversation is all in memory then, as far as the file can be read. */
static void
copy_from_file(struct sessions *s, const struct session *row)
{
	struct sqlite3_stmt *q = of_session(s, COPY_ROW, row->id);

	if (q)
		bind_number(q, 2, row->number);
	if (database_run(&s->database, COPY_ROW) != SQLITE_OK ||
	    sqlite3_changes(s->database.db) == 0)
		return;
	q = of_session(s, COPY_CHECKPOINTS, row->id);
	if (q)
		bind_number(q, 2, row->number);
	(void)database_run(&s->database, COPY_CHECKPOINTS);
}

static int
try_to_keep(struct sessions *s, const struct session *row,
	    const struct checkpoint *added)
{
	struct database *d = &s->database;
	int result = database_exec(d, "BEGIN");

	if (result == SQLITE_OK) {
		copy_from_file(s, row);
		result = write_all(s, row, added, IN_MEMORY);
	}
	if (result == SQLITE_OK)
		result = database_run(d, DROP_SESSIONS);
	if (result == SQLITE_OK)
		result = database_exec(d, "COMMIT");
	database_roll_back(d);
	return result;
}

/* Those that were used longest ago make room for it. */
static void
keep_in_memory(struct sessions *s, const struct session *row,
	       const struct checkpoint *added)
{
	struct database *d = &s->database;
	int result = try_to_keep(s, row, added);

	while (result == SQLITE_FULL &&
	       database_run(d, DROP_OLDEST_SESSION) == SQLITE_OK &&
	       sqlite3_changes(d->db) > 0)
		result = try_to_keep(s, row, added);
	if (result != SQLITE_OK)
		log_error("sessions: %s cannot be kept in memory: %s",
			  log_quote(str_of(row->id)), d->why);
	s->has_unsaved = true;
}

/* After a failure */

/* What is in memory already is newer than, or the same as, its copy here. */
static void
put_back(struct sessions *s)
{
	unsigned n = 0;

	for (size_t i = 0; i < MAX_RECENT_SESSIONS; i++) {
		const struct session *row = &s->recent.rows[i];

		if (!row->id)
			continue;
		n++;
		if (s->database.disk == DISK_NONE ||
		    save_in_file(s, row, &row->newest) != SQLITE_OK)
			keep_in_memory(s, row, &row->newest);
	}
	log_info("sessions: the conversations that this worker has used last "
		 "are known still: %u",
		 n);
}

/* After a failure: true if what has failed is worth another try. */
static bool
recover(struct sessions *s)
{
	if (!database_recover(&s->database))
		return false;
	put_back(s);
	return true;
}

void
sessions_save(struct sessions *s, const struct session *row,
	      const struct checkpoint *added, bool *unsaved)
{
	struct database *d = &s->database;
	int result = SQLITE_CANTOPEN;

	database_reconnect(d);
	if (d->disk != DISK_NONE)
		result = save_in_file(s, row, added);
	if (result != SQLITE_OK && recover(s) && d->disk != DISK_NONE)
		result = save_in_file(s, row, added);
	*unsaved = result != SQLITE_OK;
	database_was_written(d, result == SQLITE_OK);
	if (*unsaved)
		keep_in_memory(s, row, added);
	recent_keep(&s->recent, row);
}

/* Forgetting */

static bool
has_session(struct sessions *s, const char *id)
{
	struct session *list;
	struct error e = { 0 };
	size_t n;

	if (!sessions_find(s, id, &list, &n, &e)) {
		log_error("%s", e.text);
		return false;
	}
	sessions_free(list, n);
	return n > 0;
}

/* The file's rows are hidden by that, until they can be deleted. */
static void
note_forgotten(struct sessions *s, const char *id)
{
	of_session(s, NOTE_FORGOTTEN, id);
	if (database_run(&s->database, NOTE_FORGOTTEN) != SQLITE_OK)
		log_error("sessions: %s cannot be forgotten: %s",
			  log_quote(str_of(id)), s->database.why);
	s->has_unsaved = true;
}

unsigned
sessions_forget(struct sessions *s, const char *id)
{
	struct database *d = &s->database;
	bool was_there = has_session(s, id);

	if (!was_there && d->disk != DISK_NONE)
		return 0;
	recent_drop(&s->recent, id);
	of_session(s, FORGET_IN_MEMORY, id);
	if (database_run(d, FORGET_IN_MEMORY) != SQLITE_OK)
		log_error("sessions: %s", d->why);
	of_session(s, FORGET, id);
	if (d->disk == DISK_NONE ||
	    (database_run(d, FORGET) != SQLITE_OK && !recover(s)))
		note_forgotten(s, id);
	database_scrub(d);
	return was_there;
}

/* Listing */

static json_t *
list_row(struct sqlite3_stmt *q, const char *backend)
{
	return json_pack("{s:s, s:s, s:s, s:I, s:s, s:s?, s:s?, s:I, s:I, s:I}",
			 "id", text_at(q, 0).ptr, "object", "session",
			 "backend", backend, "conversation",
			 sqlite3_column_int64(q, 1), "harness_session_id",
			 text_at(q, 2).ptr, "model", text_at(q, 4).ptr, "cwd",
			 text_at(q, 3).ptr, "turns", sqlite3_column_int64(q, 5),
			 "created_at", sqlite3_column_int64(q, 6),
			 "last_used_at", sqlite3_column_int64(q, 7));
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
static int
list_rows(struct sessions *s, struct rows *to, unsigned limit,
	  const char *backend)
{
	struct sqlite3_stmt *q = database_query(&s->database, LIST);
	bool fits = true;
	int result = SQLITE_DONE;

	if (q)
		bind_number(q, 1, (uint64_t)limit + 1);
	while (fits &&
	       (result = database_step(&s->database, LIST)) == SQLITE_ROW) {
		if (limit-- == 0) {
			to->has_more = true;
			break;
		}
		fits = add_row(to, list_row(q, backend));
	}
	database_reset(&s->database, LIST);
	return result == SQLITE_ROW || result == SQLITE_DONE ? SQLITE_OK
							     : result;
}

void
sessions_list(struct sessions *s, struct rows *to, unsigned limit,
	      const char *backend)
{
	int result = list_rows(s, to, limit, backend);

	if (result != SQLITE_OK && recover(s) && !to->json.len)
		result = list_rows(s, to, limit, backend);
	if (result != SQLITE_OK)
		log_error("sessions: %s cannot be read: %s", s->database.path,
			  s->database.why);
}
