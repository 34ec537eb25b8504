#pragma once
/*
 * socket - what link.c and pipeline.c share in their use of NNG's sockets
 *
 * All of it lives in one loop and never blocks, but for nng_close(), which
 * waits for NNG's own threads: these only move bytes and wake the loop through
 * descriptors, and proto/stream keeps them from waiting for ever.  The two are
 * the only files that use this header.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "proto/loop.h"
#include "proto/msg.h"

bool socket_fail(struct error *, int nng_code, const char *what,
		 const char *url);

/*
 * Call this before a socket is opened.  NNG 1.5.2 starts its threads with the
 * first socket, and crashes or waits for ever if a thread can't be started: so
 * this tries out first whether as many threads can be started.
 */
must_check bool socket_prepare(struct error *);
void socket_close(nng_socket *);
int socket_listen(nng_socket, const char *url);
void socket_log(const char *way, const struct msg *);

/* Sends within the timeout of sending_init().  Takes `raw` if it is 0. */
int socket_send(nng_socket, nng_aio *, nng_msg *raw);
int sending_init(nng_aio **, nng_duration timeout);
void sending_fini(nng_aio **);

/*
 * Messages that a socket has received, on their way from NNG's thread to ours.
 * A mailbox holds a bounded number of messages and receives more only after
 * some were taken; it wakes the loop once for all messages that arrive
 * together.
 */
struct mailbox {
	struct loop *loop;
	struct watch watch; /* an eventfd: messages have arrived */
	nng_socket sock;
	nng_aio *receiving, *sending;
	pthread_mutex_t lock; /* protects the members below */
	nng_msg *mail[MAX_MAIL];
	size_t first, len;
	bool signalled; /* the eventfd has been written */
	bool full;	/* receiving has stopped until messages are taken */
	bool single;	/* receives one message for each mailbox_ask() */
};

/* Receiving begins with mailbox_ask(), after the socket listens or dials. */
must_check bool mailbox_init(struct mailbox *, struct loop *, nng_socket,
			     watch_fn *ready, const char *url, struct error *);

/*
 * How long one callback may handle received messages, in ms, before others get
 * a turn: HELLO must be answered and streams go on, however many messages there
 * are.
 */
#define AT_ONCE_MS 10
#define AT_ONCE 64 /* messages, however little time they take */

/*
 * Call this before the socket is closed: if NNG 1.5.2 is asked for a message
 * while it closes the socket, it keeps the question in memory that it frees.
 */
void mailbox_fini(struct mailbox *);
void mailbox_ask(struct mailbox *);

/* NULL: the mailbox is empty. */
nng_msg *mailbox_take(struct mailbox *);

/* Call mailbox_clear() before taking, mailbox_signal() if some are left. */
void mailbox_clear(struct mailbox *);
void mailbox_signal(struct mailbox *);

struct pipe {
	uint32_t id;  /* NNG's; 0: none */
	bool is_open; /* false: it is being made */
};

/* Whether a peer is connected to a socket. */
struct presence {
	struct loop *loop;
	struct watch watch; /* an eventfd: pipes came or went */
	atomic_uint came, went;
	atomic_int stranger; /* pid of a process that was refused; 0: none */
	unsigned went_seen;
	unsigned void_up_to;		/* pipes that came before are void... */
	uint32_t void_pipes[MAX_PIPES]; /* ...these, as far as they are open */
	bool connected;
	void (*changed)(struct presence *); /* `connected` has changed */
	void (*spent)(struct presence *);   /* see presence_serve_one() */
	pthread_mutex_t lock;		    /* protects the members below */
	struct pipe pipes[MAX_PIPES];
	bool serves_one; /* see presence_serve_one() */
	bool is_taken;	 /* there has been a connection */
	bool is_spent;	 /* one has ended */

	/* For sockets that dial. */
	nng_socket sock;
	nng_dialer dialer;
	char *url; /* NULL: the socket listens */
	struct timer redial;
	unsigned redials; /* since the last connection */
};

#define PRESENCE_INIT                            \
	((struct presence){ .watch = WATCH_INIT, \
			    .lock = PTHREAD_MUTEX_INITIALIZER })

must_check bool presence_init(struct presence *, struct loop *,
			      void (*changed)(struct presence *),
			      struct error *);

/* Call this after the socket is closed: then no callback of NNG's runs. */
void presence_fini(struct presence *);

/* These return NNG's codes: 0 is success.  presence_watch() comes first. */
int presence_watch(nng_socket, struct presence *);

/*
 * Refuses every process but our parent and its children: the supervisor, the
 * gateway and the workers.  Call this before the socket listens or dials.  With
 * a presence, a refused process is logged.
 */
int presence_guard(nng_socket, struct presence *);
int presence_dial(struct presence *, nng_socket, const char *url);

/* The peer has begun to listen: dials anew if it is not connected soon. */
void presence_hurry(struct presence *);

/*
 * Breaks the connection and dials again.  Not for a socket that receives: what
 * has arrived on it would be lost.
 */
void presence_renew(struct presence *);

/*
 * The same for a socket that receives: it counts as not connected until it has
 * a new connection.  The old one is expected to end by itself, and is broken
 * only if it has not done so when the peer is dialled again.
 */
void presence_void(struct presence *);

/*
 * For a socket that only sends (PUSH).  If a connection of one ends just when a
 * message has been written, NNG 1.5.2 may count the pipe among those that are
 * ready to send after it has taken it out of there: the next message then goes
 * to memory that has been freed.  So such a socket serves one connection in its
 * life: later ones are refused, and once the first has ended nothing is sent
 * any more.  `spent` is called then, after `changed`: its owner opens a new
 * socket.
 */
void presence_serve_one(struct presence *, void (*spent)(struct presence *));

/* As socket_send(); NNG_ECLOSED if the connection has ended. */
int presence_send(struct presence *, nng_socket, nng_aio *, nng_msg *raw);

/* Has there been a connection?  Known before the loop has looked. */
bool presence_is_taken(struct presence *);

/* Was the connection there when presence_void() was called? */
bool presence_is_void(const struct presence *, uint32_t pipe);
