#pragma once
/*
 * turn - one question to a worker, from SUBMIT to its end
 *
 * A turn lives as long as its client waits: it ends with the worker's last
 * event, with the worker, or when the client goes, and then the worker is
 * told to cancel.  What the worker still says of it is heard by nobody.
 *
 * How its events become an HTTP answer is the turn's `answer`: a stream, a
 * whole, or what an upstream has said, passed on.
 */
#include "gateway/chat/chat.h"
#include "gateway/event_boundary.h"
#include "gateway/workers.h"
#include "gateway/http/http.h"

struct exchange;

/* All but `note` MUST be set.  `finish` and `failed` give the request its
 * answer. */
struct answer {
	void (*accepted)(struct exchange *);
	void (*started)(
		struct exchange *); /* again, and its standing differs */
	void (*text)(struct exchange *, enum delta, struct str);
	void (*tool)(struct exchange *, struct str json);
	void (*note)(struct exchange *, struct str text);
	void (*finish)(struct exchange *, const struct msg_finish *);
	void (*failed)(struct exchange *, const struct error *);
};

extern const struct answer answer_sse, answer_whole, answer_relay;

struct exchange {
	struct node node; /* in a bucket of the gateway's */
	struct gateway *gateway;
	struct worker_link *worker;
	struct request *request;
	uint64_t id, seq;
	struct timer deadline; /* until the worker says anything */
	struct order order;
	bool is_sent; /* the order is */
	enum turn_kind kind;
	bool streamed;
	/* What the order says; NULL as in struct question. */
	char *prefix, *wanted_model, *wanted_session, *cwd;
	const struct answer *answer;
	struct stamp stamp;
	bool accepted;
	char *session, *how, *reason; /* its standing; NULL: not known */
	char *ignored;
	size_t unpaid; /* bytes for which no CREDIT was given */

	/* Of a stream. */
	struct timer beat; /* its head is due, or a comment is */
	uint64_t spoke;	   /* loop_now() */
	size_t event;	   /* where the last event begins, while it waits */
	size_t words_end;  /* where the text in it ends; 0: there is none */
	enum delta last;

	/* Of a whole. */
	struct buf text, reasoning, tools;

	/* Of a stream and of a relay. */
	bool headed; /* its head has been given to the client */

	/* Of a relay. */
	bool is_events;	 /* it is a stream of events */
	bool is_encoded; /* the upstream has encoded it, as gzip or so */
	struct event_boundary boundary; /* of all that was written */
};

/* What is asked. */
struct question {
	enum turn_kind kind;
	const struct chat *chat;
	struct destination to;
	struct str session, cwd; /* absent: not said */
	struct str body;
	bool streamed;
};

/* The request is the turn's from here on. */
void exchange_start(struct gateway *, struct request *,
		    const struct question *);

/* Sends what waits for room in the worker, as far as there is. */
void exchange_send_orders(struct worker_link *);

/* NULL: it has ended, or the event is not the next one. */
struct exchange *exchange_find(struct gateway *, const struct worker_link *,
			       uint64_t id, uint64_t seq);

void exchange_accepted(struct exchange *, const struct msg_accepted *);
void exchange_started(struct exchange *, const struct msg_started *);
void exchange_text(struct exchange *, enum delta, struct str);
void exchange_tool(struct exchange *, struct str json);
void exchange_note(struct exchange *, struct str text);
void exchange_head(struct exchange *, const struct msg_head *);
void exchange_body(struct exchange *, const struct msg_body *);
void exchange_finish(struct exchange *, const struct msg_finish *);

/* The worker says so, or is gone. */
void exchange_failed(struct exchange *, const struct error *);

/* The worker is being stopped, and has not taken the turn: its successor may.
 */
void exchange_refused(struct exchange *, const struct error *);

/*
 * The worker takes no more orders: a turn that has certainly not been begun
 * waits for its successor, all others go on, or have failed if it is `lost`.
 */
void exchange_outlive(struct exchange *, bool lost, const struct error *);

/* The worker has said something of it that can't be understood. */
void exchange_bad(struct worker_link *, struct gateway *, uint64_t id,
		  const struct error *);

/* We say so, and the worker shall stop. */
void exchange_abort(struct exchange *, const struct error *);

/* For answers: the worker may send so many more bytes. */
void exchange_pay(struct exchange *);
struct standing exchange_standing(const struct exchange *);

/* Adds the headers by which a client learns what became of its session. */
void exchange_add_headers(struct exchange *);

/* For relay: ends a turn whose answer has been given. */
void exchange_end(struct exchange *);

void relay_head(struct exchange *, const struct msg_head *);
void relay_body(struct exchange *, const struct msg_body *);
