#pragma once
/*
 * link - requests and their replies
 *
 *   server   replies to requests, each at once              (raw REP)
 *   client   sends requests to one server, many at once     (raw REQ)
 *
 * A server listens.  A client dials, and dials again when its server goes away.
 * The client reports when its server comes and goes; a request under way then
 * fails with ERR_WORKER_LOST.  Nothing is ever sent twice: a cooked REQ repeats
 * a request that it believes lost, so the client is a raw socket.  The server
 * is raw as well, because a cooked REP waits for a client that does not read
 * its replies; a raw REP drops them.
 */
#include "proto/pipeline.h"
#include "proto/socket.h"

/* Server */

enum { MAX_WAY_BACK = 16 /* 32-bit words */ };

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
 * `peers` are the roles that may send requests.  Without COMMAND among them
 * only processes of our supervisor may connect.  A request that breaks the
 * rules of messages.def gets REFUSED, and `request` is not called.
 */
must_check bool server_listen(struct server *, struct loop *, const char *url,
			      enum role self, enum role peers,
			      void (*request)(struct server *,
					      const struct msg *),
			      struct error *);
void server_fini(struct server *);
void server_reply(struct server *, enum msg_type, const void *body);

/* Replies with REFUSED, which any role may send for any request. */
void server_refuse(struct server *, const struct error *);

/* Client */

struct ask;

/* Exactly one of `reply` and `e` is not NULL.  `reply` is only lent. */
typedef void answer_fn(struct ask *, const struct msg *reply,
		       const struct error *e);

/* A request under way: a member of the struct that waits for the reply. */
struct ask {
	struct node node; /* in client.asks; in no list: not under way */
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
	void (*changed)(struct client *); /* client_is_connected() changed */
};

#define CLIENT_INIT                                \
	((struct client){ .box.watch = WATCH_INIT, \
			  .server = PRESENCE_INIT, \
			  .sock = NNG_SOCKET_INITIALIZER })

/*
 * `changed` may be NULL.  It is called twice if another server took the place
 * of the last one between two looks.
 */
must_check bool client_dial(struct client *, struct loop *, const char *url,
			    enum role self, enum role peer,
			    void (*changed)(struct client *), struct error *);

/* Breaks the connection and dials again: requests under way are answered with
 * ERR_WORKER_LOST. */
void client_renew(struct client *);

/* Drops requests under way, without an answer. */
void client_fini(struct client *);

static inline bool
client_is_connected(const struct client *c)
{
	return c->server.connected;
}

/*
 * Sends a request and calls `answered` once within `ms`, never from inside this
 * call: with the reply, or with the error of REFUSED or of the connection.  `a`
 * is NULL if the reply does not matter; then nothing is sent without a
 * connection.
 */
void client_ask(struct client *, enum msg_type, const void *body, struct ask *a,
		uint64_t ms, answer_fn *answered);

/* Drops a request, without an answer; harmless if it is not under way. */
void ask_drop(struct ask *);

/* The URL "ipc://<directory>/<name>.<what>".  The caller frees it. */
char *link_url(const char *directory, const char *name, const char *what);
