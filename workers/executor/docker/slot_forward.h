#pragma once
/*
 * slot_forward - TCP ports of the container and unix sockets
 *
 * A container that has no network has 127.0.0.1 alone.  A server in there is
 * reached from outside through a socket in a folder that both sides see: that
 * is a forward.  The other way round, its programs reach what listens on such a
 * socket by a port of theirs: that is an exposure.
 *
 * Each connection to the one becomes one to the other; bytes and half-closed
 * directions are passed on both ways, and whoever reads slowly slows down the
 * other side.  Where nobody listens, the connection ends at once.
 *
 * Above `max` connections nothing is accepted until one ends.
 */
#include "workers/executor/docker/slot_connection.h"
#include "workers/executor/docker/slot_teller.h"

enum { MAX_FORWARDED = 400 /* connections, of two descriptors each */ };

struct forwards {
	struct loop *loop;
	struct teller *teller;
	struct list all; /* of struct forward */
	size_t connections, max;
	enum gate gate;	    /* of connections to sockets */
	bool is_for_others; /* all who can reach a socket may connect */
};

/* MAX_FORWARDED connections, an open gate, and sockets of our user's own. */
void forwards_init(struct forwards *, struct loop *, struct teller *);

/* Ends all of them and removes their sockets. */
void forwards_fini(struct forwards *);

/*
 * Tells "forwards PORT" or "fails PORT REASON".  A forward of the same port is
 * replaced.  A file at `path` is replaced only if it is a socket.
 */
void forwards_add(struct forwards *, int port, struct str path);

void forwards_remove(struct forwards *, int port);

/*
 * Tells "exposes PORT" or "fails PORT REASON".  An exposure by the same port is
 * replaced.  With 0 it is a port that is free, and "exposes 0 PORT" tells
 * which. Nothing need listen on `path` yet.
 */
void forwards_expose(struct forwards *, int port, struct str path);
