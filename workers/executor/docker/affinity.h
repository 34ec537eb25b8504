#pragma once
/*
 * affinity - which session has which slot
 *
 * Where each slot has a login and records of its own, this is kept in a file,
 * because a session's records are in its slot only: one line a session, a JSON
 * array of its id and the slot's number; a later line counts more.  If the file
 * cannot be written, sessions are known until the worker ends, and then begin
 * anew.
 *
 * The session that got its slot first makes room if there are more than
 * MAX_SLOT_SESSIONS.
 */
#include "workers/io/json.h"

struct affinity {
	json_t *slots; /* by session */
	int file;      /* -1: nothing is kept */
};

/* `path` may be NULL: nothing is kept.  Numbers from `size` on are forgotten.
 */
void affinity_init(struct affinity *, const char *path, unsigned size);
void affinity_fini(struct affinity *);

/* -1: it has none. */
int affinity_find(const struct affinity *, const char *session);

/* Returns the slot that another session has lost for it, or -1. */
int affinity_set(struct affinity *, const char *session, unsigned slot);

/* How many sessions have the slot. */
size_t affinity_count(const struct affinity *, unsigned slot);
