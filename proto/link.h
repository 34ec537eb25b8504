#pragma once
/*
 * link - how processes talk; the only file that knows NNG's sockets
 *
 *   server   answers requests, each at once               (REP)
 *   client   asks one server; any number of questions     (raw REQ)
 *   outlet   sends events; keeps what can't go out yet    (PUSH)
 *   inlet    hears events                                 (PULL)
 *
 * A server and an outlet listen, a client and an inlet dial, and go on
 * dialling when the other side goes away.  A client says when its server has
 * come and gone; a question that was under way then fails with
 * ERR_WORKER_LOST, and nothing is ever sent twice: that is why the client is a
 * raw socket, for a cooked REQ repeats by itself what it thinks was lost.
 *
 * All of it lives in one loop and never blocks.  NNG's own threads only move
 * bytes; they wake the loop through descriptors.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "proto/loop.h"
#include "proto/msg.h"

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
	bool rung;   /* the eventfd has been written */
	bool full;   /* nothing is being received until some were taken */
	bool single; /* each message is asked for: mailbox_ask() */
};

/* Server */

struct server {
	struct loop *loop;
	struct mailbox box;
	nng_socket sock;
	enum role self, peers;
	bool owes_reply;
	void (*request)(struct server *, const struct msg *);
};

#define SERVER_INIT                                \
	((struct server){ .box.watch = WATCH_INIT, \
			  .sock = NNG_SOCKET_INITIALIZER })

/*
 * `peers` are the roles that may ask.  What breaks the rules of messages.def
 * is REFUSED without being heard.
 */
must_check bool server_listen(struct server *, struct loop *, const char *url,
			      enum role self, enum role peers,
			      void (*request)(struct server *,
					      const struct msg *),
			      struct error *);
void server_fini(struct server *);
void server_reply(struct server *, enum msg_type, const void *body);

/* Replies with REFUSED: for any request, by any role. */
void server_refuse(struct server *, const struct error *);

/* Whether somebody is at the other end of a socket. */
struct presence {
	struct loop *loop;
	struct watch watch; /* an eventfd: pipes came or went */
	atomic_uint came, went;
	unsigned went_seen;
	unsigned void_up_to; /* pipes that came before are not to be used */
	bool connected;
	void (*changed)(struct presence *); /* `connected` has */

	/* Of those that dial. */
	nng_socket sock;
	nng_dialer dialer;
	char *url; /* NULL: it listens */
	struct timer redial;
};

#define PRESENCE_INIT ((struct presence){ .watch = WATCH_INIT })

/* Client */

struct ask;

/* Exactly one of `reply` and `e` is there.  `reply` is only lent. */
typedef void answer_fn(struct ask *, const struct msg *reply,
		       const struct error *e);

/* A question under way: a member of whoever waits for the answer. */
struct ask {
	struct node node; /* in client.asks; in none: not under way */
	struct client *client;
	struct timer deadline;
	uint32_t id;
	answer_fn *answered;
};

struct client {
	struct loop *loop;
	struct mailbox box; /* of replies */
	struct presence server;
	nng_socket sock;
	enum role self, peer;
	uint32_t last_id;
	struct list asks;
	void (*changed)(struct client *); /* client_is_connected() has */
};

#define CLIENT_INIT                                \
	((struct client){ .box.watch = WATCH_INIT, \
			  .server = PRESENCE_INIT, \
			  .sock = NNG_SOCKET_INITIALIZER })

/*
 * `changed` may be NULL.  When a server is replaced by another between two
 * looks, it is called twice.
 */
must_check bool client_dial(struct client *, struct loop *, const char *url,
			    enum role self, enum role peer,
			    void (*changed)(struct client *), struct error *);

/* Questions under way are dropped unanswered. */
void client_fini(struct client *);

static inline bool
client_is_connected(const struct client *c)
{
	return c->server.connected;
}

/*
 * Asks, and calls `answered` once within `ms`: with the reply, or with what
 * was REFUSED or went wrong - never from within this call.  With `a` NULL
 * the answer does not matter; if there is no connection nothing is sent.
 */
void client_ask(struct client *, enum msg_type, const void *body, struct ask *a,
		uint64_t ms, answer_fn *answered);

/* No longer interested; harmless if it is not under way. */
void ask_drop(struct ask *);

/* Outlet */

struct outlet {
	struct loop *loop;
	struct watch watch; /* of room to send; only while something waits */
	nng_socket sock;
	nng_aio *sending;
	struct presence reader;
	enum role self;
	int room_fd;
	nng_msg *batch; /* events of this moment; NULL: none */
	struct chore flush;
	struct list waiting;		  /* of batches there was no room for */
	void (*changed)(struct outlet *); /* reader.connected has */
};

#define OUTLET_INIT                                \
	((struct outlet){ .watch = WATCH_INIT,     \
			  .reader = PRESENCE_INIT, \
			  .sock = NNG_SOCKET_INITIALIZER })

/* `changed` may be NULL. */
must_check bool outlet_listen(struct outlet *, struct loop *, const char *url,
			      enum role self, void (*changed)(struct outlet *),
			      struct error *);
must_check bool outlet_dial(struct outlet *, struct loop *, const char *url,
			    enum role self, void (*changed)(struct outlet *),
			    struct error *);
void outlet_fini(struct outlet *);

/*
 * Never fails: what can't go out now waits.  The caller bounds how much that
 * can be, by sending only what the reader has given credit for.  All that is
 * sent before the loop goes on travels together.
 */
void outlet_send(struct outlet *, enum msg_type, const void *body);

/* The same with a message that is packed already, which it takes. */
void outlet_pass(struct outlet *, nng_msg *);

/* Nobody is there who could want what waits. */
void outlet_clear(struct outlet *);

/*
 * Breaks the connection that there is, and dials anew.  For who knows before
 * NNG does that the other side is gone: what is sent from here on is for the
 * next.
 */
void outlet_renew(struct outlet *);

/* Inlet */

struct inlet {
	struct loop *loop;
	struct mailbox box;
	nng_socket sock;
	struct presence writer;
	enum role self, peer;
	void (*heard)(struct inlet *, const struct msg *);
	void (*broken)(struct inlet *, const struct error *);
	void (*changed)(struct inlet *); /* writer.connected has */
};

#define INLET_INIT                                \
	((struct inlet){ .box.watch = WATCH_INIT, \
			 .writer = PRESENCE_INIT, \
			 .sock = NNG_SOCKET_INITIALIZER })

/*
 * `broken`: the other side broke the rules; what it said was dropped.
 * `changed` may be NULL; it is called when all that was said has been heard.
 */
struct hearing {
	enum role self, peer;
	void (*heard)(struct inlet *, const struct msg *);
	void (*broken)(struct inlet *, const struct error *);
	void (*changed)(struct inlet *);
};

must_check bool inlet_listen(struct inlet *, struct loop *, const char *url,
			     const struct hearing *, struct error *);
must_check bool inlet_dial(struct inlet *, struct loop *, const char *url,
			   const struct hearing *, struct error *);
void inlet_fini(struct inlet *);

/* Hears what is already there, now. */
void inlet_drain(struct inlet *);

/* As outlet_renew(). */
void inlet_renew(struct inlet *);

/* Where a process listens: "ipc://<directory>/<name>.<what>".  Caller frees. */
char *link_url(const char *directory, const char *name, const char *what);
