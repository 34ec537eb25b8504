#pragma once
/*
 * http - libmicrohttpd in our loop; the only file that knows it
 *
 * A request goes through three hands: when its head is there it is judged
 * (`judge`), when its body is there too it is `ready`, and then it belongs to
 * whoever answers it, at once or later, whole (request_answer) or piece by
 * piece (request_open, request_begin..., request_close).  What was refused is
 * put into words by `explain`.
 *
 * MHD parses requests and writes heads and whole answers.  A stream's body we
 * write to the socket ourselves while MHD has the connection suspended: that
 * is one system call for each piece instead of half a dozen, we know what the
 * client has taken, and see at once when it goes.
 *
 * What MHD itself refuses - a malformed request, a head of more than about
 * 30 KiB - it answers with a page of its own in HTML; version 0.9.75 has no
 * way to change that.
 */
#include "gateway/http/chunk_writer.h"
#include "proto/loop.h"
#include "proto/settings.h"

struct connection;
struct gateway;
struct http;
struct MHD_Connection;
struct MHD_Daemon;
struct route;

enum stage {
	READING_HEAD,
	READING_BODY,
	REFUSED,     /* its body is read and thrown away */
	WAITING,     /* for us to answer */
	ANSWERED,    /* MHD has the answer */
	OPENING,     /* MHD sends the head of a stream */
	STREAMING,   /* the socket is ours */
	HANDED_BACK, /* to MHD, to end it */
};

struct request {
	struct http *http;
	struct connection *connection;
	struct MHD_Connection *mhd;
	int fd;		      /* stays MHD's */
	struct node node;     /* in http.requests */
	struct node unpushed; /* in http.unpushed */
	enum stage stage;
	bool in_callback; /* of MHD's: it will look at us again by itself */
	char id[24];
	uint64_t began;	    /* loop_now() */
	const char *method; /* NULL: not understood yet */
	char *path;	    /* as it was sent, without its arguments */
	struct buf body;
	const struct route *route;
	bool wants_body;       /* for the judge to say */
	size_t unread;	       /* bytes of a body that nobody wants */
	struct error *refusal; /* NULL: none */

	/* The answer. */
	struct buf headers; /* name NUL value NUL, ... */
	int status;
	uint64_t bytes;
	const char *why; /* it ended as it did, for the log */
	char *model;	 /* for the log; NULL: none was asked for */
	struct chunk_writer writer;
	bool is_blocked; /* the socket takes no more for now */
	enum { NOT_YET, WELL, CUT } ending;
	struct timer stall;

	/*
	 * Of who answers later.  `left`: the client has gone, and so will the
	 * request.  `taken`: the client has taken some.  Either may be NULL.
	 */
	void *owner;
	void (*left)(struct request *);
	void (*taken)(struct request *);
};

struct http {
	struct loop *loop;
	struct MHD_Daemon *daemon;
	struct watch watch;
	bool has_room; /* a connection has ended in this run of MHD's */
	struct timer run, push;
	struct list requests, unpushed, lingering;
	size_t max_body;
	bool closing; /* no connection is used again */
	uint64_t last_id;

	/* False, with an error: the request is refused. */
	bool (*judge)(struct request *, struct error *);
	void (*ready)(struct request *);
	void (*explain)(struct request *, const struct error *, struct buf *);
	void (*ended)(struct http *); /* a request has; may be NULL */
};

/* The four functions are to be set before; `fd` listens and becomes ours. */
must_check bool http_init(struct http *, struct loop *, int fd,
			  const struct settings *, struct error *);
void http_fini(struct http *);

/* Takes no more connections, and no more requests on those there are. */
void http_close(struct http *);

/* NULL if it is absent.  Good as long as the request. */
const char *request_header(const struct request *, const char *name);

/* Is it there once at most, or does it say the same every time? */
bool request_header_agrees(const struct request *, const char *name);
const char *request_argument(const struct request *, const char *name);
bool request_is(const struct request *, const char *method);

/* The client has gone already, or will not listen any more. */
bool request_is_left(const struct request *);

/* A header of the answer; what must not be in one is left out. */
void request_add(struct request *, const char *name, struct str value);

/* The whole answer.  Takes what is in `body`.  The request is gone then. */
void request_answer(struct request *, int status, struct buf *body);

/* The answer's head; its body follows piece by piece. */
void request_open(struct request *, int status);

/* Where to append to; it is sent as soon as the running callback returns. */
struct buf *request_begin(struct request *);

/* The end, as it should be, or to be seen as cut off.  The request is gone
 * then; what was written before still goes out. */
void request_close(struct request *);
void request_cut(struct request *);
