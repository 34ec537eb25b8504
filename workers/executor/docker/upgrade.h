#pragma once
/*
 * upgrade - an HTTP request whose connection becomes a stream
 *
 * The engine answers such a request with status 101, and from the blank line on
 * the connection has nothing to do with HTTP any more.  libcurl can't do this,
 * so the request is sent, and its answer read, here.
 *
 * Any other answer is a refusal, and an error in the engine's own words.  An
 * engine that can't be reached, hangs up or does not answer in time is an
 * error, too.
 */
#include "proto/str.h"
#include "workers/executor/docker/api.h"

struct docker_upgrade;

/*
 * Called once, and last.  Gives the connection, which is non-blocking, and
 * lends the bytes that have come behind the answer; or `fd` is -1, and `e` says
 * why.
 */
typedef void docker_upgraded(void *arg, int fd, struct str first,
			     const struct error *e);

/* Posts the body, as in docker_ask().  Takes it.  `upgraded` follows, but not
 * before this returns. */
struct docker_upgrade *docker_upgrade(struct docker_api *, const char *path,
				      json_t *body, docker_upgraded *,
				      void *arg);

/* Ends it; `upgraded` is not called any more. */
void docker_upgrade_drop(struct docker_upgrade *);
