#pragma once
/*
 * pipeline - events, one way, in order
 *
 *   outlet   sends events; keeps what can't go out yet    (PUSH)
 *   inlet    hears events                                 (PULL)
 *
 * Either may listen or dial.  What is sent in one moment travels in one message
 * of NNG's; nothing is sent twice, and nothing is dropped while the other side
 * is there.
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
