#pragma once
/*
 * connection - one client's socket, from accept to close
 *
 * What a connection does next is a function of its state and of what happened,
 * and is written down as a table in connection.c.  For http.c, request.c and
 * reader.c only.
 */
#include "gateway/http/head.h"
#include "gateway/http/http.h"

enum connection_state {
	CONN_IDLE,	/* no byte of a request has come */
	CONN_HEAD,	/* a part of a head has come, and is still unread */
	CONN_READING,	/* libmicrohttpd reads the request */
	CONN_REFUSED,	/* the same, but what it reads is thrown away */
	CONN_WAITING,	/* the request has come; its answer has not begun */
	CONN_STREAMING, /* the answer comes piece by piece */
	CONN_ANSWERED,	/* all of the answer is there, and is being sent */
	CONN_CLOSING,	/* all is said; what still comes is thrown away */
	CONN_CLOSED,	/* to be freed */
	CONN_STATES
};

enum connection_event {
	ON_INPUT,    /* bytes may have come */
	ON_BEGUN,    /* the first bytes of a head have come */
	ON_HEAD,     /* a whole head has come that can be read in one way */
	ON_REFUSED,  /* the request is refused, and its rest is small */
	ON_FAILED,   /* an answer must be given at once: the error is kept */
	ON_GARBLED,  /* libmicrohttpd has answered by itself */
	ON_READ,     /* the whole request has been read */
	ON_OPENED,   /* its answer has begun */
	ON_ANSWERED, /* its answer is complete */
	ON_KEPT,     /* the answer has been sent; another request may come */
	ON_DONE,     /* the answer has been sent, and was the last */
	ON_HALF,     /* the client sends no more; it may still listen */
	ON_GONE,     /* the client is gone */
	ON_TIME,     /* the time for this state is over */
	CONN_EVENTS
};

struct connection {
	struct http *http;
	int fd;
	enum connection_state state;
	struct watch watch;
	struct timer deadline;
	struct list *in;     /* http.idle, http.busy or http.dead */
	struct node node;    /* in that */
	struct node pending; /* in http.pending */
	struct request *request;
	struct reader *reader; /* NULL: libmicrohttpd has no part in it */
	size_t seen;	       /* bytes of a head that were looked through */
	unsigned line_ends;    /* that came before a head */
	uint64_t taken;	       /* bytes of requests so far */
	size_t step;	       /* bytes of the body since the last deadline */
	bool is_http_1_0, keeps_alive, is_chunked;
	bool has_input; /* bytes may be there that nobody has looked at */
	bool is_half;	/* the client sends no more */
	bool resets;	/* instead of ending the connection in order */
	struct error error;
};

/* Takes the socket. */
void connection_new(struct http *, int fd);
void connection_event(struct connection *, enum connection_event);

/* What the table says, for who wants to know only. */
enum connection_state connection_next(enum connection_state,
				      enum connection_event);

/* ON_FAILED, with the error to be answered. */
void connection_fail(struct connection *, const struct error *);

/* Looks whether a request has come that nobody was told of. */
void connection_look(struct connection *);

/* Ends it at once, whatever it does. */
void connection_drop(struct connection *);
void connection_free(struct connection *);

/* Sends what there is to send, as far as the socket takes it. */
void connection_push(struct connection *);

void connection_set_deadline(struct connection *, uint64_t ms);

/* In intake.c, for the reader: false if it is to read no more. */
bool connection_take_head(struct connection *);
bool connection_take_piece(struct connection *, struct str piece);

/* In intake.c: the next part of a body must come in time. */
void connection_await_body(struct connection *);

/* In request.c. */
struct request *request_new(struct connection *);
void request_say(struct request *, const char *header, struct str value);
void request_free(struct request *);
void request_fail(struct request *, const struct error *);
void request_tell_left(struct request *);

/* In http.c: something is to be done when the running callback returns. */
void http_soon(struct http *);
