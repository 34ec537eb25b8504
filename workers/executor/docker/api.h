#pragma once
/*
 * api - requests to a Docker engine on this machine
 *
 * Each request gets one answer, or an error that says why there is none;
 * nothing blocks.  The version of the API is agreed on before the first
 * request, as engines refuse versions that are newer or much older than
 * themselves, and again after the engine could not be reached, as it may be
 * another one then.
 *
 * No request is sent twice, except when the engine has refused its version.
 * An engine that is not there, goes away or hangs is an error of each request;
 * the next request tries again.
 */
#include <jansson.h>

#include "proto/loop.h"

struct docker_api; /* the engine, as we know it, and the requests under way */
struct docker_call;

/*
 * `docker_host` is as in DOCKER_HOST; NULL or empty: the usual socket.  NULL
 * on failure: ERR_NOT_SET_UP if it is anything else than the path of a socket,
 * "unix:///PATH".  The engine is not asked anything yet.
 */
struct docker_api *docker_api_new(struct loop *, const char *docker_host,
				  struct error *);

/* Drops what is under way.  Streams and execs are to be dropped before. */
void docker_api_free(struct docker_api *);

/*
 * `status` is 0 and `e` says why if there was no answer; else `e` is NULL.
 * Lends the answer, which is NULL if it is no JSON.  The call is over: it must
 * not be dropped any more.
 */
typedef void docker_answered(void *arg, int status, json_t *answer,
			     const struct error *e);

/*
 * `path` begins with a slash and has no version: "/containers/json?all=1".
 * Takes the body; NULL: none.  `answered` follows, but not before this returns.
 */
struct docker_call *docker_ask(struct docker_api *, const char *method,
			       const char *path, json_t *body,
			       docker_answered *, void *arg);

/* The same, with another time for the answer than the usual. */
struct docker_call *docker_ask_within(struct docker_api *, uint64_t ms,
				      const char *method, const char *path,
				      json_t *body, docker_answered *,
				      void *arg);

/* Ends it; `answered` is not called any more. */
void docker_drop(struct docker_call *);

/*
 * Has the engine done what it was asked for?  Takes what `answered` got; if
 * not, the error has the engine's own words: "docker: No such container: x
 * (404)".
 */
must_check bool docker_agrees(int status, const json_t *answer,
			      const struct error *no_answer, struct error *);

/* A foreign text as a part of a path or of a query.  The caller frees it. */
char *docker_escape(const char *);

/* For those who have a connection of their own, see stream.h. */
struct loop *docker_loop(const struct docker_api *);
const char *docker_socket(const struct docker_api *); /* a path */
const char *docker_prefix(const struct docker_api *); /* "/v1.41"; "": not
						       * known yet */

/* The engine has broken off what it was doing, and may be another one now. */
void docker_was_lost(struct docker_api *);

/* The same, where it has not answered in time. */
bool docker_does_not_answer(struct docker_api *, struct error *e);

/* The same, where its socket can't be connected.  Fills in `e`; false. */
bool docker_cant_be_reached(struct docker_api *, int error_number,
			    struct error *e);
