#pragma once
/*
 * fan_out - asks every worker the same question, and waits for all answers
 *
 * A worker that is not connected, or does not answer within two seconds, is
 * left out (`is_partial`).  If the client goes away the fan-out ends at once.
 */
#include "gateway/chat/chat.h"
#include "gateway/workers.h"
#include "gateway/http/http.h"

struct fan_out;

struct fan_out_ask {
	struct ask ask;
	struct fan_out *fan_out;
};

struct fan_out {
	struct request *request;
	size_t waiting; /* answers that have not come yet */
	/* Takes one worker's answer. */
	void (*take)(struct fan_out *, const struct msg *);
	/* Answers the request; the fan_out is freed afterwards. */
	void (*done)(struct fan_out *);
	json_t *rows;
	json_t *backends; /* owned: as a checkup has them; NULL: not needed */
	uint64_t count;
	bool has_more; /* some worker has more rows than its answer has room for
			*/
	bool is_partial;  /* some worker was left out */
	struct error why; /* of the last that did not answer */
	size_t limit;
	char *wanted; /* NULL: everything */
	struct fan_out_ask asks[MAX_CHILDREN];
};

/* What to ask, and whom: NULL for all. */
struct inquiry {
	enum msg_type type;
	const void *body;
	const struct worker_link *only;
};

/* The caller fills in `take`, `done`, and what these need. */
struct fan_out *fan_out_new(struct request *);

/* Takes the fan_out; `take` and `done` are set. */
void fan_out_start(struct fan_out *, struct workers *, const struct inquiry *);

/* Adds the rows of a JSON array that a worker has sent. */
void fan_out_rows(struct fan_out *, struct str json);
