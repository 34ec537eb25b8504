#pragma once
/*
 * pipeline - events, in one direction and in order
 *
 *   outlet   sends events, and keeps those that can't go out yet   (PUSH)
 *   inlet    receives events                                       (PULL)
 *
 * Either side may listen or dial.  Events that are sent in one round of the
 * loop travel in one NNG message; no event is sent twice, and none is dropped
 * while the other side is connected.  What is sent before a reader has come
 * waits for it; what a reader has not received when it goes is dropped, as it
 * is for no other.  Only processes of the same supervisor may connect.
 */
#include "proto/socket.h"

struct outlet {
	struct loop *loop;
	struct watch watch; /* for room to send, while a batch waits */
	nng_socket sock;
	nng_aio *sending;
	struct presence reader;
	enum role self;
	char *url;
	bool listens; /* false: it dials */
	int room_fd;
	nng_msg *batch; /* events of this round; NULL: none */
	struct chore flush;
	struct timer late;   /* sends a batch of events that may wait */
	struct list waiting; /* batches that NNG had no room for */
	bool has_sent;	     /* on this socket */
	struct timer reopen; /* after a socket could not be opened */
	void (*changed)(struct outlet *); /* reader.connected has changed */
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
 * Never fails: an event that can't go out now waits.  The caller bounds how
 * much can wait, by sending only what the reader gave credit for.  All events
 * that are sent before the loop goes on travel together.
 */
void outlet_send(struct outlet *, enum msg_type, const void *body);

/* The same with a packed message, which it takes. */
void outlet_pass(struct outlet *, nng_msg *);

/*
 * The same, but the event may wait LATE_MS for others to travel with, as nobody
 * waits for it.  The order of events is kept.
 */
void outlet_pass_late(struct outlet *, nng_msg *);

/* Drops all that waits: the process that it was meant for is gone. */
void outlet_clear(struct outlet *);

/*
 * Breaks the connection and makes a new one.  For a caller that knows before
 * NNG does that the other side is gone: events that are sent from now on are
 * for the next process.  When the reader goes it happens by itself.
 */
void outlet_renew(struct outlet *);

/* Inlet */

struct inlet {
	struct loop *loop;
	struct mailbox box;
	nng_socket sock;
	struct presence writer;
	enum role self, peer;
	nng_msg **taking; /* what inlet_take() may take; NULL: nothing */
	void (*heard)(struct inlet *, const struct msg *);
	void (*bad)(struct inlet *, const struct msg *, const struct error *);
	void (*broken)(struct inlet *, const struct error *);
	void (*changed)(struct inlet *); /* writer.connected has changed */
};

#define INLET_INIT                                \
	((struct inlet){ .box.watch = WATCH_INIT, \
			 .writer = PRESENCE_INIT, \
			 .sock = NNG_SOCKET_INITIALIZER })

/*
 * `bad` is called for an event with a wrong field; its other fields are
 * readable, and so are the events behind it.  `broken` is called if the rest of
 * an NNG message is unreadable; any events in it are lost.  `changed` is called
 * after all received events were handled.  `bad` and `changed` may be NULL:
 * without `bad`, a bad event counts as broken.
 */
struct hearing {
	enum role self, peer;
	void (*heard)(struct inlet *, const struct msg *);
	void (*bad)(struct inlet *, const struct msg *, const struct error *);
	void (*broken)(struct inlet *, const struct error *);
	void (*changed)(struct inlet *);
};

must_check bool inlet_listen(struct inlet *, struct loop *, const char *url,
			     const struct hearing *, struct error *);
must_check bool inlet_dial(struct inlet *, struct loop *, const char *url,
			   const struct hearing *, struct error *);
void inlet_fini(struct inlet *);

/*
 * For `heard`: takes the NNG message that the strings of the event point into,
 * so that they need not be copied; the caller frees it with nng_msg_free().
 * NULL if it holds other events as well.
 */
nng_msg *inlet_take(struct inlet *);

/* Handles all events that have arrived already. */
void inlet_drain(struct inlet *);

/*
 * For a caller that knows before NNG does that the other side is gone: events
 * that have arrived are handled, and later ones are of the next process.
 */
void inlet_renew(struct inlet *);
