#pragma once
/*
 * sessions - which conversations of a caller are which of the harness's
 *
 * A session is known to callers by an id of their choice.  It has one or more
 * conversations, each known to the CLI by an id of its own.  Of each
 * conversation the terms are kept, and a checkpoint for every answer: by its
 * hash, a caller's history is told from another, and its position is where the
 * CLI can go on behind that answer.  No word of a conversation is stored; the
 * system prompt is, since it must be in force again after the process is gone.
 *
 * They are in a SQLite file of the worker's, readable by us alone
 * (database.h).  What cannot be written there is kept in memory, found as if
 * it had been, and written with the next save that succeeds.  If the file is
 * found damaged, the conversations that this process has used last are not
 * lost, but for their checkpoints before the newest.
 */
#include "proto/error.h"
#include "workers/cli/database.h"
#include "workers/cli/recent.h"
#include "workers/cli/session.h"
#include "workers/worker/rows.h"

struct sessions {
	struct database database;
	bool has_unsaved; /* something is known to this process only */

	/* If the file is found damaged, these are put into the new one. */
	struct recent recent;
};

/* Fails only if SQLite itself cannot be used; see database.h. */
must_check bool sessions_open(struct sessions *, const char *path,
			      struct error *);
void sessions_close(struct sessions *);

/*
 * All conversations of the session, the last used first; *n may be 0.  Gives
 * the list: the caller sessions_free()s it.
 */
must_check bool sessions_find(struct sessions *, const char *id,
			      struct session **list, size_t *n, struct error *);

/*
 * Which of the session's answers that is: one of conversation *number.  With
 * `asked` 0, whatever was asked.  If several match, it is the newest of the
 * conversation that was used last.  False: there is none.  The caller
 * checkpoint_fini()s it.
 */
bool sessions_find_answer(struct sessions *, const char *id, uint64_t asked,
			  uint64_t answer, unsigned *number,
			  struct checkpoint *);

/*
 * Writes the row, with its newest checkpoint, in one transaction with this: the
 * checkpoints of the conversation whose number is that of `added`, or higher,
 * are forgotten, and `added` is remembered, if it has an answer.  With NULL,
 * the checkpoints stay as they are.
 *
 * *unsaved: the file could not be written, so the row is kept in memory.
 *
 * A conversation has at most MAX_CHECKPOINTS, a session at most
 * MAX_SESSION_CONVERSATIONS, and the memory at most MAX_UNSAVED_SESSIONS and
 * MAX_UNSAVED_BYTES: the oldest make room.
 */
void sessions_save(struct sessions *, const struct session *,
		   const struct checkpoint *added, bool *unsaved);

/* Forgets all conversations of the session: 1 if there was one, or 0. */
unsigned sessions_forget(struct sessions *, const char *id);

/* Adds up to `limit` conversations, the last used first.  `backend` goes into
 * each row. */
void sessions_list(struct sessions *, struct rows *, unsigned limit,
		   const char *backend);
