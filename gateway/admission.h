#pragma once
/*
 * admission - where requests wait for a worker that is only just coming
 *
 * After a start, and after each death of a worker, there is a moment in which
 * a request could be refused that would be welcome a few milliseconds later.
 * Instead it waits for a short time, unless the supervisor says that nobody
 * is on the way; then its handler is called again.
 */
#include "gateway/workers.h"
#include "gateway/http/http.h"

struct gateway;

/*
 * The request is the admission's from here on.  `to` is not there.  `why` is
 * what the client is told if nobody comes in time; NULL: just that.
 */
void admission_wait(struct gateway *, struct request *,
		    const struct worker_link *to, const struct error *why);

/* It has come. */
void admission_admit(struct gateway *, const struct worker_link *);

/* Nobody may wait any more. */
/* Where models lead has changed: who waits for a worker that is no more must
 * not wait for it. */
void admission_look_again(struct gateway *);

void admission_close(struct gateway *, const struct error *);
