#pragma once
/*
 * repeats - orders that ask again for what was asked before
 *
 * Clients repeat a request that they take for lost: after a time of silence,
 * after a broken connection, after a status that they take for passing.  A turn
 * may have changed files by then, so it runs at most once, as long as the
 * worker can see that an order is a repetition:
 *
 *  - An order of a session that says the same as a turn of that session which
 *    waits or runs is answered by that turn.
 *  - If a turn of a session has failed after its agent had used tools, an order
 *    that says the same gets that failure again for BRIDGE_REPEAT_MS, or for
 * the shorter time after which the failure itself has invited to try again.  If
 *    the client says that it sends the request again, it gets the failure
 *    whenever it comes.
 *  - An order with an Idempotency-Key is answered by the turn of that key, be
 * it waiting, running or over.  If the answer is kept no longer, the order is
 *    refused.  A turn that has failed before its agent used a tool may be run
 *    again.
 *
 *  - An order that gives results of the caller's tools to the CLI that waits
 *    for them is answered by the turn that has given them, be it running or
 *    over, as if the body were its key: these results can be given once.
 *
 * Other orders without a session and without a key are never taken for
 * repetitions.  What is known of ended turns is in the memory of this process
 * only: after ten minutes, or when there is too much of it, it is forgotten.
 */
#include "proto/list.h"
#include "proto/loop.h"
#include "proto/msg.h"

struct turn;
struct worker;

struct repeats {
	struct list pasts;   /* ended turns, the oldest first */
	size_t bytes;	     /* of their answers */
	struct timer expiry; /* of the oldest */
};

void repeats_init(struct repeats *);
void repeats_fini(struct worker *);

/* True if the order repeats another, and has got its answer, or will get it
 * from a turn.  False: it begins a turn. */
bool repeats_answer(struct worker *, const struct msg_submit *,
		    uint64_t identity);

/* A turn with this identity begins: how it failed before is forgotten. */
void repeats_begin(struct worker *, uint64_t identity);

/* Takes note of how a turn has ended, if that may be repeated. */
void repeats_keep_failure(struct turn *, const struct error *);
void repeats_keep_answer(struct turn *, const struct msg_finish *);
