#pragma once
/*
 * checkup - how every worker is, as the supervisor knows it
 *
 * Rows are asked for one by one.  If the supervisor does not answer, the
 * request gets that as an error.  If the client goes away the checkup ends at
 * once.
 */
#include <jansson.h>

#include "proto/link.h"

struct gateway;
struct request;

struct checkup {
	struct gateway *gateway;
	struct request *request;
	void (*done)(struct checkup *);
	json_t *backends;      /* a row for each worker, as in GET /health */
	size_t workers, ready; /* how many there are, and are ready */

	/* checkup.c's own. */
	struct ask ask;
	uint64_t deadline; /* loop_now() */
	uint64_t index;
};

/* `done` answers the request, or has somebody else do it; the checkup is freed
 * afterwards. */
void checkup_start(struct gateway *, struct request *,
		   void (*done)(struct checkup *));
