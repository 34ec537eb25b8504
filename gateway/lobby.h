#pragma once
/*
 * lobby - where requests wait for a worker that is only just coming
 *
 * After a start, and after each death of a worker, there is a moment in which
 * a request could be refused that would be welcome a few milliseconds later.
 * Instead it waits for a short time, unless the supervisor says that nobody
 * is on the way; then its handler is called again.
 */
#include "gateway/fleet.h"
#include "gateway/http.h"

/* The request is the lobby's from here on.  `to` is not there. */
void lobby_enter(struct gateway *, struct request *, const struct member *to);

/* It has come. */
void lobby_call(struct gateway *, const struct member *);

/* Nobody may wait any more. */
void lobby_close(struct gateway *, const struct error *);
