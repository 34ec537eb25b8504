#pragma once
/*
 * admission - requests that wait for a worker which is starting
 *
 * After a start, a restart or a worker's death there is a moment in which a
 * request would be refused that could be served a few milliseconds later.  So
 * it waits for a short time, and its handler is called again when the worker
 * is there; unless the supervisor says that the worker is not coming.
 */
#include "gateway/workers.h"
#include "gateway/http/http.h"

struct gateway;

/*
 * The request belongs to admission from here on.  `to` is the worker that it
 * waits for; `why` is what the client is told if that does not come in time,
 * NULL: only that it did not.
 */
void admission_wait(struct gateway *, struct request *,
		    const struct worker_link *to, const struct error *why);

/* The worker is there: calls the handlers of all that wait for it. */
void admission_admit(struct gateway *, const struct worker_link *);

/* Where models lead has changed: who waits for a worker that is no more must
 * not wait for it. */
void admission_look_again(struct gateway *);

/* Answers all that wait with the error. */
void admission_close(struct gateway *, const struct error *);
