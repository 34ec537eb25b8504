#pragma once
/*
 * pipeline - events, one way, in order
 *
 *   outlet   sends events; keeps what can't go out yet    (PUSH)
 *   inlet    hears events                                 (PULL)
 *
 * Either may listen or dial.  What is sent in one moment travels in one message
 * of NNG's; nothing is sent twice, and nothing is dropped while the other side
 * is there.  Only processes of the same supervisor are let in.
 */
#include "proto/socket.h"

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
	struct timer late;   /* of what can wait for others to travel with */
	struct list waiting; /* of batches there was no room for */
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

/*
 * The same, but it may wait LATE_MS for something else to travel with: for
 * what nobody waits for.  Order is kept.
 */
void outlet_pass_late(struct outlet *, nng_msg *);

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
	nng_msg **taking; /* what is heard now, if it may be taken; or NULL */
	void (*heard)(struct inlet *, const struct msg *);
	void (*bad)(struct inlet *, const struct msg *, const struct error *);
	void (*broken)(struct inlet *, const struct error *);
	void (*changed)(struct inlet *); /* writer.connected has */
};

#define INLET_INIT                                \
	((struct inlet){ .box.watch = WATCH_INIT, \
			 .writer = PRESENCE_INIT, \
			 .sock = NNG_SOCKET_INITIALIZER })

/*
 * `bad`: an event has a field that must not be; the others of its fields are
 * there, and so are the events behind it.  `broken`: what the other side has
 * said can't be read, and was dropped, which may have been anything.
 * `changed` is called when all that was said has been heard.  `bad` and
 * `changed` may be NULL: then what is bad is broken.
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
 * For `heard`: takes the bytes in which the strings of the event are, so that
 * they need not be copied; the caller nng_msg_free()s them.  NULL if other
 * events are in them as well.
 */
nng_msg *inlet_take(struct inlet *);

/* Hears what is already there, now. */
void inlet_drain(struct inlet *);

/* As outlet_renew(). */
void inlet_renew(struct inlet *);
