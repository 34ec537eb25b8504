#pragma once
/*
 * recent - a copy of the conversations that a worker has saved last
 *
 * They outlive the file of sessions, if that is found damaged: see sessions.h.
 */
#include "workers/cli/session.h"

/* Zeroed at first.  In no order; a row is free if its id is NULL. */
struct recent {
	struct session rows[MAX_RECENT_SESSIONS];
};

void recent_fini(struct recent *);

/* Copies the row.  The one that was used longest ago makes room for it. */
void recent_keep(struct recent *, const struct session *);

/* All conversations of the session. */
void recent_drop(struct recent *, const char *id);
