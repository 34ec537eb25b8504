#pragma once
/*
 * http - requests to an HTTP server on this machine, in the loop
 *
 * For servers that are CLIs, or that have a socket file.  libcurl does the
 * work; nothing blocks, and no proxy is used.  A request that fails is told to
 * `done` with the reason.
 */
#include "proto/buf.h"
#include "proto/error.h"
#include "proto/loop.h"

struct http; /* the requests under way, and connections that are kept */
struct http_call;

struct http_request {
	const char *method; /* "GET" */
	const char *url;
	const char *socket_path; /* connects there; NULL: to the URL's host */
	const char *user, *password; /* NULL: none; basic authentication */
	struct str body;	     /* copied; JSON; empty: none */
	uint64_t deadline_ms;	     /* of the whole answer; 0: none */

	/* Where the answer is a stream: each of its lines, without its end;
	 * the body that `done` gets is empty then.  MAY be NULL.  Not called
	 * for an answer of another status than 2xx, which is a body. */
	void (*line)(void *arg, struct str line);

	/* MUST be set: called once, and last.  `status` is 0 and `e` says why
	 * if there was no whole answer; else `e` is NULL. */
	void (*done)(void *arg, int status, struct str body,
		     const struct error *e);
	void *arg;
};

/* NULL on failure. */
struct http *http_new(struct loop *, struct error *);
void http_free(struct http *); /* drops what is under way */

/* `done` follows, but not before this returns. */
struct http_call *http_ask(struct http *, const struct http_request *);

/* Ends it; nothing of it is called any more. */
void http_drop(struct http_call *);
