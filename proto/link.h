#pragma once
/*
 * link - questions and their answers
 *
 *   server   answers requests, each at once               (raw REP)
 *   client   asks one server; any number of questions     (raw REQ)
 *
 * A server listens, a client dials, and goes on dialling when the other side
 * goes away.  It says when its server has come and gone; a question that was
 * under way then fails with ERR_WORKER_LOST, and nothing is ever sent twice:
 * that is why the client is a raw socket, for a cooked REQ repeats by itself
 * what it thinks was lost.  The server is one as well, for a cooked REP waits
 * for whoever does not read its replies: those are dropped instead.
 */
#include "proto/pipeline.h"
#include "proto/socket.h"

/* Server */

enum { MAX_WAY_BACK = 16 /* words */ };

struct server {
	struct loop *loop;
	struct mailbox box;
	nng_socket sock;
	enum role self, peers;
	bool owes_reply;
	uint32_t way_back[MAX_WAY_BACK]; /* NNG's header of the request */
	size_t way_back_bytes;
	void (*request)(struct server *, const struct msg *);
};

#define SERVER_INIT                                \
	((struct server){ .box.watch = WATCH_INIT, \
			  .sock = NNG_SOCKET_INITIALIZER })

/*
 * `peers` are the roles that may ask; if commands are not among them nobody is
 * let in but processes of our supervisor.  What breaks the rules of
 * messages.def is REFUSED without being heard.
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

/* Where a process listens: "ipc://<directory>/<name>.<what>".  Caller frees. */
char *link_url(const char *directory, const char *name, const char *what);
