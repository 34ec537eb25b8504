#pragma once
/*
 * upstream - HTTP requests to vendors' servers, with libcurl
 *
 * Any number of requests run at a time, in the process's own loop.
 * Connections are kept and used again.  What arrives during one wake-up is
 * gathered and shown once, so that an answer in one piece is passed on in one.
 *
 * An exchange goes through stages, each with a deadline of its own that begins
 * with it: connecting has ten seconds; while the request is sent every byte
 * that the server takes counts as progress; then the server may think, and
 * pause between bytes, for `silence_ms` each time.
 *
 * A request is never sent twice.  curl repeats a request by itself if a kept
 * connection turns out to be dead, even where the server may have begun to work
 * on it: here it may do so only as long as nothing of the request has left.
 */
#include "proto/loop.h"
#include "workers/io/multi.h"
#include "workers/io/head.h"

struct curl_slist;
struct exchange;

struct upstream {
	struct loop *loop;
	struct multi multi;
	struct list active, idle; /* exchanges */
	struct list news;	  /* exchanges whose owner is to be called */
};

/* The strings must live as long as the exchange.  The body must live until
 * exchange_has_sent_body(). */
struct request {
	const char *url;
	const char *host;	     /* for messages */
	const char *key;	     /* a bearer; NULL: none */
	const char *authorization;   /* in its place, as a whole: "Basic ..." */
	const char *idempotency_key; /* NULL: none */
	struct str body;	     /* absent: GET, and else POST of JSON */
	bool wants_events;	     /* rather than one JSON */
	bool is_direct;		     /* never through a proxy */
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
 * Is called when there is more in `head` or `bytes`, when a large body was
 * sent, and at the end.  It takes what it can use off `bytes`, and then pauses,
 * resumes or cancels the exchange, unless that has ended: then it is gone when
 * this returns.
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

/* Ends all exchanges without a call of their owners. */
void upstream_fini(struct upstream *);

/* `heard` is never called from within this or any other of these calls. */
struct exchange *exchange_start(struct upstream *, const struct request *,
				exchange_fn *heard, void *owner);

/* Has all of the request's body left?  Then nobody reads it again. */
bool exchange_has_sent_body(const struct exchange *);

/* Closes the connection, or resets the stream, at once, and frees `x`. */
void exchange_cancel(struct exchange *);

/* Stops reading, so that the server has to wait; and reads on. */
void exchange_pause(struct exchange *);
void exchange_resume(struct exchange *);
