#pragma once
/*
 * parked - turns that wait for results of the caller's tools
 *
 * When the model calls tools of the caller's, the turn ends for the caller,
 * with the calls, and the conversation is parked: its process waits, with all
 * that the model has said and done.  The request that has the results of these
 * calls is found by their ids, with or without a session, and goes on there.
 *
 * A parked conversation has no slot, and expires after tool_wait_ms.  If it has
 * gone by then, or its process has, the request is answered by a conversation
 * that begins with all of its messages.
 */
#include "workers/cli/job.h"

/* As struct pool has it. */
void parked_forget(struct conversation *);

/* The turn ends, and its conversation waits for results of the calls. */
void parked_keep(const struct job *, struct conversation *);

/*
 * The parked conversation whose calls the request answers; *c is NULL if none
 * is.  ERR_INVALID: results of calls that nobody has made, that are of another
 * session, or not all of them.  ERR_ALREADY_RUN: a turn that runs has brought
 * them.
 */
must_check bool parked_find(const struct turn *, struct conversation **c,
			    struct error *);

/* Whether the messages end in results of calls. */
bool parked_is_answered_by(const struct prompt *);

/* The results of the request, in the order of the calls, with the CLI's ids:
 * the caller json_decref()s them.  Those of other requests: NULL. */
json_t *parked_results(const struct conversation *, const struct prompt *);
