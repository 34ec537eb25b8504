#pragma once
/*
 * http - requests in, answers out
 *
 * README.md beside this file draws a request's life.  Whoever serves requests
 * knows this header only: a request's head is there and is judged (`judge`),
 * its body comes piece by piece (`heard`) and is collected, and when all of it
 * is there it is `ready`.  Then it belongs to whoever answers it, at once or
 * later, whole (request_answer) or piece by piece (request_open,
 * request_begin..., request_close).  A request that was refused is put into
 * words by `explain`.
 *
 * A client that goes away ends its request: its owner's `left` is called, and
 * the request is gone.  Nothing a client does, or does not do, costs the other
 * clients more than a bounded time and a bounded number of bytes.
 */
#include "gateway/http/chunk_writer.h"
#include "proto/loop.h"
#include "proto/settings.h"

struct connection;
struct http;
struct route;
struct MHD_Daemon;
struct reader;

struct request {
	struct http *http;
	struct connection *connection;
	struct node node;     /* in http.requests */
	struct node unpushed; /* in http.unpushed */
	char id[24];
	uint64_t began; /* loop_now() */
	char *method;
	char *path;	 /* as it was sent, without its arguments */
	struct buf said; /* headers and arguments: kind name NUL value NUL */
	struct buf body;
	size_t counted; /* bytes of it in http.body_bytes */
	void *reading;	/* of `heard`; freed with the request */
	const struct route *route;
	bool was_judged;       /* for the judge to say */
	bool wants_body;       /* the same */
	size_t unread;	       /* bytes of a body that nobody wants */
	struct error *refusal; /* NULL: none */

	/* The answer. */
	struct buf headers; /* name NUL value NUL, ... */
	int status;
	const char *why; /* it ended as it did, for the log */
	char *model;	 /* for the log; NULL: none was asked for */
	struct chunk_writer writer;
	bool is_blocked; /* the socket takes no more for now */
	bool is_cut;	 /* the answer is to look cut off */

	/*
	 * Of who answers later; each may be NULL.  `left`: the client has gone,
	 * and so will the request.  `taken`: the client has taken some.
	 * `doubted`: the client may have gone; something that it can ignore
	 * should be written, for only then its machine says so.
	 */
	void *owner;
	void (*left)(struct request *);
	void (*taken)(struct request *);
	void (*doubted)(struct request *);
};

struct http {
	struct loop *loop;
	struct watch listening; /* fd -1: not for now, or never again */
	int listen_fd;		/* -1: closed */
	struct list requests, unpushed;
	struct list idle;    /* connections without a whole head, or that are
			      * refused    and still send; oldest first */
	struct list busy;    /* all others */
	struct list pending; /* idle ones that have something to be looked at */
	struct list dead;    /* connections to be freed */
	struct timer push, soon, accept_again;
	size_t max_connections, max_body, max_bodies;
	size_t body_bytes; /* of all requests that are held */
	bool closing;	   /* no connection is used again */
	bool is_secret;	   /* paths must not be in the log */
	uint64_t last_id;

	/* libmicrohttpd: see reader.c. */
	struct MHD_Daemon *daemon;
	struct watch reading;
	struct timer run;
	struct list readers;
	struct reader *starting;
	unsigned idle_runs; /* in a row, in which it has done nothing */
	bool is_running, did_something;

	/* False, with an error: the request is refused. */
	bool (*judge)(struct request *, struct error *);
	bool (*heard)(struct request *, struct str piece, struct error *);
	void (*ready)(struct request *);
	void (*explain)(struct request *, const struct error *, struct buf *);
	void (*ended)(struct http *); /* a request has; may be NULL */
};

/* The functions are to be set before; `fd` listens and becomes ours. */
must_check bool http_init(struct http *, struct loop *, int fd,
			  const struct settings *, struct error *);
void http_fini(struct http *);

/* What can be changed while it runs. */
void http_configure(struct http *, const struct settings *);

/* Takes no more connections, and no more requests on those there are. */
void http_close(struct http *);

/* NULL if it is absent.  Good as long as the request. */
const char *request_header(const struct request *, const char *name);
const char *request_argument(const struct request *, const char *name);

/* Is it there once at most, or does it say the same every time? */
bool request_header_agrees(const struct request *, const char *name);
bool request_is(const struct request *, const char *method);

/* Its client has gone already. */
bool request_is_left(const struct request *);

/* Nobody needs the body any more: its memory is for others. */
void request_drop_body(struct request *);

/* A header of the answer; what must not be in one is left out. */
void request_add(struct request *, const char *name, struct str value);

/* The whole answer.  Takes what is in `body`.  The request is gone then. */
void request_answer(struct request *, int status, struct buf *body);

/* The answer's head; its body follows piece by piece. */
void request_open(struct request *, int status);

/* Where to append to; it is sent as soon as the running callback returns. */
struct buf *request_begin(struct request *);

/* Has what was appended last not been sent yet?  Then it may be changed. */
bool request_is_unsent(const struct request *);

/* The end, as it should be, or to be seen as cut off.  The request is gone
 * then; what was written before still goes out. */
void request_close(struct request *);
void request_cut(struct request *);
