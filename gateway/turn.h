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
#include "gateway/chat.h"
#include "gateway/fleet.h"
#include "gateway/http.h"

struct turn;

/* All MUST be set.  `finish` and `failed` give the request its answer. */
struct answer {
	void (*accepted)(struct turn *);
	void (*started)(struct turn *); /* again, and its standing differs */
	void (*text)(struct turn *, enum delta, struct str);
	void (*tool)(struct turn *, struct str json);
	void (*finish)(struct turn *, const struct msg_finish *);
	void (*failed)(struct turn *, const struct error *);
};

extern const struct answer answer_sse, answer_whole, answer_relay;

struct turn {
	struct node node; /* in a bucket of the gateway's */
	struct gateway *gateway;
	struct member *worker;
	struct request *request;
	uint64_t id, seq;
	struct timer patience; /* until the worker says anything */
	const struct answer *answer;
	struct stamp stamp;
	bool accepted;
	char *session, *how, *reason; /* its standing; NULL: not known */
	char *ignored;
	size_t unpaid; /* bytes for which no CREDIT was given */

	/* Of a stream. */
	struct timer beat;
	uint64_t spoke;	  /* loop_now() */
	size_t event;	  /* where the last event begins, while it waits */
	size_t words_end; /* where the text in it ends; 0: there is none */
	enum delta last;

	/* Of a whole. */
	struct buf text, reasoning, tools;

	/* Of a relay. */
	bool headed;	/* there was a HEAD */
	bool is_events; /* it is a stream of events */
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
void turn_start(struct gateway *, struct request *, const struct question *);

struct turn *turn_find(struct gateway *, const struct member *, uint64_t id,
		       uint64_t seq);

void turn_accepted(struct turn *, const struct msg_accepted *);
void turn_started(struct turn *, const struct msg_started *);
void turn_text(struct turn *, enum delta, struct str);
void turn_tool(struct turn *, struct str json);
void turn_head(struct turn *, const struct msg_head *);
void turn_body(struct turn *, const struct msg_body *);
void turn_finish(struct turn *, const struct msg_finish *);

/* The worker says so, or is gone. */
void turn_failed(struct turn *, const struct error *);

/* We say so, and the worker shall stop. */
void turn_abort(struct turn *, const struct error *);

/* For answers: the worker may send so many more bytes. */
void turn_pay(struct turn *);
struct standing turn_standing(const struct turn *);

/* Adds the headers by which a client learns what became of its session. */
void turn_add_headers(struct turn *);

/* For relay: ends a turn whose answer has been given. */
void turn_end(struct turn *);

void relay_head(struct turn *, const struct msg_head *);
void relay_body(struct turn *, const struct msg_body *);
