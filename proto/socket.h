#pragma once
/*
 * socket - what all our uses of NNG's sockets share
 *
 * All of it lives in one loop and never blocks.  NNG's own threads only move
 * bytes; they wake the loop through descriptors.  Nothing here is for anybody
 * but link.c and pipeline.c.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "proto/loop.h"
#include "proto/msg.h"

bool socket_fail(struct error *, int nng_code, const char *what,
		 const char *url);

/*
 * To be called before a socket is opened.  NNG 1.5.2 starts its threads with
 * the first one, and where some of them can't be started it crashes or waits
 * for ever: so it is tried out before whether as many can be.
 */
must_check bool socket_prepare(struct error *);
void socket_close(nng_socket *);
int socket_listen(nng_socket, const char *url);
void socket_log(const char *way, const struct msg *);

/* Sending without waiting longer than `timeout`: takes `raw` if it is 0. */
int socket_send(nng_socket, nng_aio *, nng_msg *raw);
int sending_init(nng_aio **, nng_duration timeout);
void sending_fini(nng_aio **);

/*
 * What a socket receives, on its way from NNG's thread to ours.  It holds a
 * bounded number of messages and lets no more in until some were taken; the
 * loop is woken once for all that come together.
 */
struct mailbox {
	struct loop *loop;
	struct watch watch; /* an eventfd: there is mail */
	nng_socket sock;
	nng_aio *receiving, *sending;
	pthread_mutex_t lock; /* of what follows */
	nng_msg *mail[MAX_MAIL];
	size_t first, len;
	bool signalled; /* the eventfd has been written */
	bool full;	/* nothing is being received until some were taken */
	bool single;	/* each message is asked for: mailbox_ask() */
};

/* mailbox_ask() begins it, when the socket listens or dials. */
must_check bool mailbox_init(struct mailbox *, struct loop *, nng_socket,
			     watch_fn *ready, const char *url, struct error *);

/*
 * How long one callback may go on with what is there, before others have a
 * turn: HELLO must be answered, and streams go on, however much is there.
 */
#define AT_ONCE_MS 10
#define AT_ONCE 64 /* messages, whatever they take */

/* After the socket is closed. */
void mailbox_fini(struct mailbox *);
void mailbox_ask(struct mailbox *);

/* NULL: there is none. */
nng_msg *mailbox_take(struct mailbox *);

/* To be called before what there is is taken; and if something is left. */
void mailbox_clear(struct mailbox *);
void mailbox_signal(struct mailbox *);

/* Whether somebody is at the other end of a socket. */
struct presence {
	struct loop *loop;
	struct watch watch; /* an eventfd: pipes came or went */
	atomic_uint came, went;
	atomic_int stranger; /* who was not let in, to be logged; 0: nobody */
	unsigned went_seen;
	unsigned void_up_to; /* pipes that came before are not to be used */
	bool connected;
	void (*changed)(struct presence *); /* `connected` has */
	pthread_mutex_t lock;		    /* of what follows */
	uint32_t pipes[MAX_PIPES]; /* NNG's ids of those that are there */

	/* Of those that dial. */
	nng_socket sock;
	nng_dialer dialer;
	char *url; /* NULL: it listens */
	struct timer redial;
	unsigned redials; /* in a row */
};

#define PRESENCE_INIT ((struct presence){ .watch = WATCH_INIT })

must_check bool presence_init(struct presence *, struct loop *,
			      void (*changed)(struct presence *),
			      struct error *);

/* After the socket is closed: then its callbacks are over. */
void presence_fini(struct presence *);

/* NNG's codes: 0 if it went well. */
int presence_watch(nng_socket, struct presence *);

/*
 * Lets nobody in but our parent and its children: the supervisor, the gateway
 * and the workers.  To be called before the socket listens or dials.  Who was
 * refused is logged if there is a presence.
 */
int presence_guard(nng_socket, struct presence *);
int presence_dial(struct presence *, nng_socket, const char *url);

/* Breaks the connection that there is, and dials anew. */
void presence_renew(struct presence *);
