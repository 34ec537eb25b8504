#pragma once
/*
 * listener - one order of the gateway's that is answered by a turn
 *
 * A turn has one listener for each SUBMIT that it answers.  A listener knows
 * the id that the gateway has given the order, and how much of the answer its
 * client can take: events cost credit, which the gateway gives as the client
 * reads.  Those for which there is no credit wait in the listener's outbox, in
 * order, even after the turn has ended: the end is never told before all of the
 * text.
 *
 * A listener whose turn has ended lives until its outbox is empty.  One that
 * falls behind the others of its turn by more than MAX_BACKLOG bytes is told
 * that it has failed, because the turn goes on at the pace of the fastest.  All
 * outboxes of a worker are counted together: see MAX_OUTBOXES.
 */
#include "proto/list.h"
#include "proto/msg.h"

struct turn;
struct worker;

struct listener {
	struct worker *worker;
	struct turn *turn;   /* NULL: it has ended */
	struct node of_turn; /* in turn->listeners, or in worker->lingering */
	struct node of_id;   /* in a bucket of worker->listeners */
	uint64_t id, seq;    /* the order's, and of the last event */
	int64_t credit;	     /* bytes that may still be sent; < 0: too many */
	struct list outbox;  /* events that wait for credit... */
	size_t backlog;	     /* ...and so many bytes of it that they cost */
	bool was_cut;	     /* it was told of a failure: it hears no more */
};

/* How each event of a turn begins, in messages.def. */
struct event_head {
	kind_id turn, seq;
};

/* The order is answered by that turn, or, if it is NULL, by whatever
 * listener_tell() says before listener_end(). */
struct listener *listener_new(struct worker *, struct turn *,
			      const struct msg_submit *);
void listener_free(struct listener *);
struct listener *listener_find(const struct worker *, uint64_t id);

/*
 * Sends an event, or lets it wait; `body` begins with an event_head, which is
 * filled in.  `bytes` is the length of its text.  The few events that a turn
 * has once are free: they cost no credit.
 */
void listener_tell(struct listener *, enum msg_type, void *body, size_t bytes);
void listener_tell_free(struct listener *, enum msg_type, void *body);

/* As the latter, for an event that can wait for others to travel with. */
void listener_tell_late(struct listener *, enum msg_type, void *body);

/* Text, reasoning, what was said meanwhile, or what a call is made with, which
 * are cut into events between characters; or a piece that story_is_whole(). */
void listener_tell_words(struct listener *, enum msg_type, struct str);

/* Its last event. `repeated`: the failure is that of an earlier order. */
void listener_tell_failed(struct listener *, const struct error *,
			  bool repeated);

/* Tells the failure at once, in place of all that waits, and nothing more. */
void listener_cut(struct listener *, const struct error *);

/* Its client does not want to hear what waits. */
void listener_drop_outbox(struct listener *);

/* Whether another one hears the same turn still. */
bool listener_has_company(const struct listener *);

/* Its client wants no answer any more, but another one does. */
void listener_leave(struct listener *, const struct error *);

/* The order begins no turn: tells why. */
void listener_refuse(struct worker *, const struct msg_submit *,
		     const struct error *);

/* Its last event is out, or waits.  It may be gone when this returns. */
void listener_end(struct listener *);

/* The gateway has given credit.  It may be gone when this returns. */
void listener_give_credit(struct listener *, size_t bytes);

static inline bool
listener_is_blocked(const struct listener *l)
{
	return !l->was_cut && list_first(&l->outbox) != NULL;
}
