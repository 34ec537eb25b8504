#pragma once
/*
 * upstream - HTTP requests to vendors' servers, with libcurl
 *
 * Any number at a time, in the process's own loop.  Connections are kept and
 * used again.  What has arrived is gathered while one wake-up lasts and then
 * shown once, so that an answer that came in one piece is passed on in one.
 *
 * An exchange goes through stages, each with a deadline of its own that begins
 * with it: connecting has ten seconds; while the request is sent every byte
 * that the server takes counts as progress; then the server may think, and
 * pause between bytes, for `silence_ms` each time.
 *
 * Nothing is ever sent twice.  curl by itself repeats a request if a kept
 * connection turns out to be dead, even when the server may have begun to work
 * on it: that is allowed only as long as nothing had been sent.
 */
#include "proto/loop.h"
#include "workers/multi.h"
#include "workers/passthrough/head.h"

struct curl_slist;
struct exchange;

struct upstream {
	struct loop *loop;
	struct multi multi;
	struct list active, idle; /* exchanges */
	struct list news;	  /* exchanges that have something to show */
};

/* All of it must live as long as the exchange, but for the body: see
 * exchange_has_sent_body(). */
struct request {
	const char *url;
	const char *host;    /* for messages */
	const char *key;     /* a bearer; NULL: none */
	struct str body;     /* absent: GET, and else POST of JSON */
	bool wants_events;   /* rather than one JSON */
	bool is_direct;	     /* never through a proxy */
	uint64_t silence_ms; /* how long no byte may be taken or come, once
			      * it is connected; 0: for ever */
};

enum stage {
	CONNECTING,
	SENDING,   /* the server has not taken all of the request */
	THINKING,  /* it has, and has not said a word */
	ANSWERING, /* some of the answer is there */
};

/*
 * There is more in `head` and `bytes`, a large body was sent, or it has ended.  Take what is of use
 * off `bytes`; then pause, resume or cancel it.  One that has ended is gone
 * when this returns.
 */
typedef void exchange_fn(struct exchange *);

struct exchange {
	struct head head; /* to be read when it is whole */
	struct buf bytes; /* of the body, undecoded */
	bool has_ended;
	struct error *failure; /* of one that has ended; NULL: it is complete */
	exchange_fn *heard;
	void *owner;

	/* upstream.c's own. */
	struct upstream *upstream;
	struct node node, news_node;
	void *easy;
	struct curl_slist *headers;
	struct request request;
	enum stage stage;
	uint64_t sent; /* bytes of the body that the server has taken */
	uint64_t came; /* bytes of the answer's body */
	struct timer silence;
	uint64_t lived_at; /* loop_now() of its last sign of life */
	int result;	   /* curl's */
	bool paused, full, was_tried;
	char words[256]; /* curl's */
};

must_check bool upstream_init(struct upstream *, struct loop *, struct error *);

/* Ends everything, and tells nobody. */
void upstream_fini(struct upstream *);

/* `heard` is never called from within this or any other of these calls. */
struct exchange *exchange_start(struct upstream *, const struct request *,
				exchange_fn *heard, void *owner);

/* Has all of the request's body left?  Then nobody reads it again. */
bool exchange_has_sent_body(const struct exchange *);

/* Closes the connection, or resets the stream, at once.  It is gone then. */
void exchange_cancel(struct exchange *);

/* Reads no more, so that the other side has to wait; then reads on. */
void exchange_pause(struct exchange *);
void exchange_resume(struct exchange *);
