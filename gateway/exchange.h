#pragma once
/*
 * exchange - one HTTP request and its answer, while a worker does the turn
 *
 * An exchange lives as long as its client waits: it ends with the last event
 * of its turn, when the worker dies, or when the client goes away; in that case
 * the worker is told to cancel the turn.  Events that still come for a turn
 * whose exchange has ended are ignored.
 *
 * How the events become an HTTP answer is the exchange's `answer`: a stream of
 * events (answer_sse), one JSON document (answer_json), or an upstream's answer
 * as it is (answer_relay).
 */
#include "gateway/chat/chat.h"
#include "gateway/event_boundary.h"
#include "gateway/workers.h"
#include "gateway/http/http.h"

struct exchange;

/* All but `ignored`, `note`, `meanwhile`, `call` and `arguments` MUST be set.
 * `finish` and `failed` give the request its answer. */
struct answer {
	void (*accepted)(struct exchange *);
	void (*started)(struct exchange *); /* its standing has changed since
					       ACCEPTED */
	void (*ignored)(struct exchange *); /* there is more of it than
					       ACCEPTED has said */
	void (*profile)(struct exchange *); /* likewise */
	void (*text)(struct exchange *, enum delta, struct str);
	void (*tool)(struct exchange *, struct str json);
	void (*call)(struct exchange *, const struct call *);
	void (*arguments)(struct exchange *, struct str text);
	void (*meanwhile)(struct exchange *, struct str text);
	void (*note)(struct exchange *, struct str text);
	void (*finish)(struct exchange *, const struct msg_finish *);
	void (*failed)(struct exchange *, const struct error *);
};

extern const struct answer answer_sse, answer_whole, answer_relay;

struct exchange {
	struct node node; /* in a bucket of gateway.exchanges */
	struct gateway *gateway;
	struct worker_link *worker;
	struct request *request;
	uint64_t id, seq;
	unsigned calls;	       /* of the caller's tools, so far */
	struct timer deadline; /* of waiting for room, then for the worker's
				  first event */
	struct order order;
	bool is_sent;		   /* SUBMIT was */
	uint64_t until, resend_ms; /* of it: when it is void, on loop_now();
				    * when it is sent again */
	enum dialect dialect;
	bool streamed;
	/* What SUBMIT says; NULL: absent in struct question. */
	char *prefix, *wanted_model, *wanted_session, *cwd, *key, *headers;
	bool is_retry;
	const struct answer *answer;
	struct stamp stamp;
	bool accepted;
	bool is_repeated; /* it gets the answer of an earlier request */
	char *session, *how, *reason, *cache; /* its standing; NULL: not known
					       */
	char *mode;    /* that the turn runs under; NULL: not known */
	char *profile; /* what has become of it, as JSON; NULL: there is none */
	char *ignored; /* names, with commas; NULL: none */
	size_t unpaid; /* bytes that were heard and not yet given back as CREDIT
			*/

	/* Of answer_sse. */
	struct timer beat; /* its head is due, or a comment is */
	uint64_t spoke;	   /* when something was written last, loop_now() */
	size_t event; /* where the last event begins in the writer, while it is
			 unsent */
	size_t words_end; /* where the text in that event ends; 0: it has none
			   */
	enum delta last;

	/* Of answer_json. */
	struct buf text, reasoning, tools, calls_json, meanwhile;

	/* Of answer_sse and answer_relay. */
	bool headed; /* its head has been given to the client */

	/* Of answer_relay. */
	bool is_events;	 /* it is a stream of events */
	bool is_encoded; /* the upstream has encoded it, as gzip or so */
	struct event_boundary boundary; /* of all that was written */
};

/* What a request asks for. */
struct question {
	enum dialect dialect;
	const struct chat *chat;
	struct destination to;
	struct str session, cwd; /* absent: the request does not say */
	struct str key;		 /* its Idempotency-Key; absent: none */
	char *headers;		 /* of options.def, as JSON; NULL: none */
	struct str body;
	bool streamed;
	bool is_retry; /* the client says that it sends the request again */
};

/* The request belongs to the exchange from here on. */
void exchange_start(struct gateway *, struct request *,
		    const struct question *);

/* Sends the orders that wait for room in the worker, as far as there is room.
 */
void exchange_send_orders(struct worker_link *);

/* The exchange of an event; NULL if it has ended, or if an event was lost. */
struct exchange *exchange_find(struct gateway *, const struct worker_link *,
			       uint64_t id, uint64_t seq);

void exchange_accepted(struct exchange *, const struct msg_accepted *);
void exchange_started(struct exchange *, const struct msg_started *);
void exchange_text(struct exchange *, enum delta, struct str);
void exchange_tool(struct exchange *, struct str json);
void exchange_call(struct exchange *, struct str json);
void exchange_arguments(struct exchange *, struct str text);
void exchange_meanwhile(struct exchange *, struct str text);
void exchange_note(struct exchange *, struct str text);
void exchange_head(struct exchange *, const struct msg_head *);
void exchange_body(struct exchange *, const struct msg_body *);
void exchange_finish(struct exchange *, const struct msg_finish *);

/* The worker has reported the failure, or has died.  `is_repeated` says that it
 * is the failure of an earlier request. */
void exchange_failed(struct exchange *, const struct error *);

/* The worker is being stopped, and has not taken the turn: its successor may.
 */
void exchange_refused(struct exchange *, const struct error *);

/*
 * The worker takes no more orders: a turn that has certainly not been begun
 * waits for its successor, all others go on, or have failed if it is `lost`.
 */
void exchange_outlive(struct exchange *, bool lost, const struct error *);

/* An event of the turn was not as messages.def says. */
void exchange_bad(struct worker_link *, struct gateway *, uint64_t id,
		  const struct error *);

/* The gateway gives up: the client gets the error, the worker gets CANCEL. */
void exchange_abort(struct exchange *, const struct error *);

/* For answers: gives the worker credit for what the client has taken. */
void exchange_pay(struct exchange *);
struct standing exchange_standing(const struct exchange *);

/* Adds the headers by which a client learns what became of its session; with
 * its end, if that is known. */
void exchange_add_headers(struct exchange *, const struct msg_finish *);

/* For answer_relay: frees an exchange whose answer has been given. */
void exchange_end(struct exchange *);

void relay_head(struct exchange *, const struct msg_head *);
void relay_body(struct exchange *, const struct msg_body *);
