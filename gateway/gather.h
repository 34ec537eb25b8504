#pragma once
/*
 * gather - asks every worker that is there the same, and waits for all
 *
 * A worker that does not answer in time is left out.  If the client goes
 * away, the answers are not waited for.
 */
#include "gateway/chat.h"
#include "gateway/fleet.h"
#include "gateway/http.h"

struct gather;

struct gathering_ask {
	struct ask ask;
	struct gather *gather;
};

struct gather {
	struct request *request;
	size_t waiting; /* for so many */
	/* Takes one worker's answer. */
	void (*take)(struct gather *, const struct msg *);
	/* Answers the request; the gather is freed afterwards. */
	void (*done)(struct gather *);
	json_t *rows;
	uint64_t count;
	bool is_partial; /* somebody is not there, or has not answered */
	size_t limit;
	char *wanted; /* NULL: everything */
	struct gathering_ask asks[MAX_CHILDREN];
};

/* What to ask, and whom: NULL for all. */
struct inquiry {
	enum msg_type type;
	const void *body;
	const struct member *only;
};

/* With no rows, and nothing wanted: to be filled in. */
struct gather *gather_new(struct request *);

/* Takes the gather; `take` and `done` are set. */
void gather_start(struct gather *, struct fleet *, const struct inquiry *);

/* Adds the rows of a JSON array that a worker has sent. */
void gather_rows(struct gather *, struct str json);
