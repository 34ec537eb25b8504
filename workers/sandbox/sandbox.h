#pragma once
/*
 * sandbox - a service that runs agents in sandboxes of its own, over HTTP
 *
 *   sandbox.c  the harness: what is asked of the service
 *   events.c   what it answers, line by line
 *   failure.c  what its failures mean
 *   client.c   the program that talks with it, one for each turn
 *
 * The work is done on the service's machines: nothing of it is seen here but
 * what its events tell.  The service gets the profile as the caller wrote it.
 *
 * A turn is one request, POST <SANDBOX_API_URL>/batch/run, with one task in it.
 * The service has no request to stop a task: a turn is cancelled by closing its
 * stream, which happens when the client is killed.  A request is sent once,
 * whatever becomes of it, for each may be billed.
 *
 * The service has no request to go on with a conversation, either: each turn
 * tells all messages of the request.  The task of a session has the same id in
 * each of its turns, and is `persistent`, so that the service may keep what
 * belongs to it.
 *
 * The key, or the caller's authorization in its place, goes to the client by
 * its standard input, and never into an argument, a variable, a log or the text
 * of an error, not even if the service says it.
 */
#include "workers/cli/harness.h"
#include "workers/io/hash.h"
#include "workers/io/sse.h"

/* conversation->own */
struct sandbox {
	json_t *preface;   /* what is told before the question */
	char *secret;	   /* what of the authorization nobody may see */
	bool is_forwarded; /* the authorization is the caller's */
	bool is_streaming; /* the service has begun to answer... */
	bool is_over;	   /* ...and nothing that it says counts any more */
	struct sse sse;
	struct hash said; /* of the text that was told... */
	size_t said_len;  /* ...and its length */
};

/* events.c: one line of the client's. */
bool sandbox_line(struct conversation *, struct str line, struct error *);

/* failure.c: the turn has failed, in the words of a task that did; with an HTTP
 * status; before there was an answer, or before its end. */
void sandbox_fail_task(struct conversation *, const json_t *event);
void sandbox_fail_answer(struct conversation *, const json_t *answer);
void sandbox_fail_request(struct conversation *, const json_t *failure);
