#pragma once
/*
 * fan_out - asks every worker that is there the same, and waits for all
 *
 * A worker that does not answer in time is left out.  If the client goes
 * away, the answers are not waited for.
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
	size_t waiting; /* for so many */
	/* Takes one worker's answer. */
	void (*take)(struct fan_out *, const struct msg *);
	/* Answers the request; the fan_out is freed afterwards. */
	void (*done)(struct fan_out *);
	json_t *rows;
	uint64_t count;
	bool has_more;	 /* than there was room for in somebody's answer */
	bool is_partial; /* somebody is not there, or has not answered */
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

/* With no rows, and nothing wanted: to be filled in. */
struct fan_out *fan_out_new(struct request *);

/* Takes the fan_out; `take` and `done` are set. */
void fan_out_start(struct fan_out *, struct workers *, const struct inquiry *);

/* Adds the rows of a JSON array that a worker has sent. */
void fan_out_rows(struct fan_out *, struct str json);
