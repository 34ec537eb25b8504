#pragma once
/*
 * control - the command line's conversation with the daemon
 *
 * A control sends one request after the other and waits for each answer, so
 * that a command reads from top to bottom.  Every wait has a time limit.
 */
#include "workers/executor/places.h"
#include "proto/link.h"
#include "supervisor/instance.h"

struct control {
	struct loop loop;
	struct client client;
	struct timer pause;
	struct ask ask;
	struct row *row; /* filled in from the next CHILD */
	struct error *e; /* filled in if the answer is an error */
	bool failed;
};

/* A copy of a CHILD reply. */
struct row {
	char name[MAX_NAME + 1], state[MAX_NAME + 1];
	uint64_t pid, since, starts, running, queued, warm, background, parked,
		health;
	struct place_counts slots;
	bool is_worker, is_verifying;
	char harness[MAX_NAME + 1];
	char detail[MAX_DETAIL + 1], last_exit[MAX_DETAIL + 1];
};

/*
 * True for a worker that is not started because its harness is not set up;
 * `detail` says what is missing.
 */
bool row_is_dormant(const struct row *);

#define CONTROL_INIT \
	((struct control){ .loop = LOOP_INIT, .client = CLIENT_INIT })

/* ERR_UNAVAILABLE: no daemon is running. */
must_check bool control_init(struct control *, struct error *);
void control_fini(struct control *);

/* ERR_NOT_FOUND: `index` is past the last row. */
must_check bool control_row(struct control *, size_t index, struct row *,
			    struct error *);

/* Finds the row of the process `name`. */
must_check bool control_find(struct control *, const char *name, struct row *,
			     struct error *);

/* Sends MSG_START, MSG_STOP, MSG_RESTART or MSG_VERIFY. */
must_check bool control_order(struct control *, enum msg_type, const char *name,
			      struct error *);
must_check bool control_shutdown(struct control *, struct error *);

void control_wait(struct control *, uint64_t ms);

/* Is the daemon still running? */
bool control_is_connected(const struct control *);
