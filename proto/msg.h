#pragma once
/*
 * msg - the messages between processes
 *
 * messages.def is the only place where a message is described.  From it come
 * the enum, one struct per message, and the shapes by which messages are
 * packed, checked, unpacked and printed.  Nothing in this module knows a
 * message by name.
 *
 * A received message is either exactly what messages.def says - from one who
 * may send it, for one who must hear it, the right fields, every length
 * within its limit, text that is UTF-8 - or it is refused as a whole.
 * Handlers check nothing again.
 *
 * Whoever sends makes text fit: what is too long is cut off between two
 * characters, what is no UTF-8 is replaced, and a number that is too large
 * becomes the largest.  So a field that went wrong harms its own message only.
 *
 * Strings in a received message point into it: copy what must live longer.
 */
#include <stddef.h>
#include <stdint.h>

#include <nng/nng.h>

#include "proto/buf.h"
#include "proto/error.h"
#include "proto/str.h"

enum role {
	SUPERVISOR = 1,
	GATEWAY = 2,
	WORKER = 4,
	COMMAND = 8, /* the command line */
	CHILD = GATEWAY | WORKER,
	VISITOR = GATEWAY | COMMAND,
	ANYBODY = SUPERVISOR | GATEWAY | WORKER | COMMAND
};

/* What a worker says of its harness. */
enum health {
	HEALTH_UNKNOWN,
	HEALTH_READY,
	HEALTH_UNAVAILABLE,
	HEALTH_ERROR,
	HEALTHS
};

enum turn_kind { TURN_CHAT, TURN_EMBEDDINGS, TURN_KINDS };

enum msg_type {
#define MESSAGE(NAME, name, from, to) MSG_##NAME,
#include "proto/messages.def"
	MSG_TYPES
};

typedef uint64_t kind_id;
typedef uint64_t kind_count;
typedef struct str kind_text;
typedef struct str kind_bytes;
typedef struct str kind_secret_text;

/* clang-format off */
#define MESSAGE(NAME, name, from, to) struct msg_##name {
#define FIELD(kind, name, max)        kind_##kind name;
#define OPTIONAL(kind, name, max)     kind_##kind name;
#define END                           };
#include "proto/messages.def"
/* clang-format on */

struct msg {
	enum msg_type type;
	nng_msg *raw; /* owned: the strings point into it */
	union {
#define MESSAGE(NAME, name, from, to) struct msg_##name name;
#include "proto/messages.def"
	} body;
};

#define MSG_INIT ((struct msg){ .type = MSG_TYPES })

const char *msg_name(enum msg_type);  /* "SUBMIT" */
const char *health_name(enum health); /* "ready" */

/*
 * A number that is another one whenever the messages are: it is made of their
 * order, names, senders, fields, kinds and limits, and of the order of the
 * errors, whose codes travel.
 */
uint32_t msg_version(void);

bool msg_may_send(enum msg_type, enum role from);
bool msg_must_hear(enum msg_type, enum role to);

/*
 * Packs `body`, a struct of the given type, into a new message, or behind what
 * is in one already.  Text and numbers are made to fit, which is logged once
 * for each field; bytes that are too long are not cut: whoever receives them
 * refuses the message.
 */
nng_msg *msg_pack(enum msg_type, const void *body);
void msg_append(nng_msg *, enum msg_type, const void *body);

/*
 * Takes `raw` whatever happens, and leaves `m` to be msg_fini()ed if true.
 * `from` is who can be at the other end, `to` who we are.
 */
must_check bool msg_unpack(struct msg *m, nng_msg *raw, enum role from,
			   enum role to, struct error *e);

void msg_fini(struct msg *m);

enum msg_verdict {
	MSG_BROKEN, /* nobody knows where it ends: the rest is lost as well */
	MSG_BAD,    /* a field is not as it must be; what follows is there */
	MSG_GOOD,
};

/*
 * Takes the first of several messages off `left`, without taking the bytes,
 * in which its strings point: there is nothing to be msg_fini()ed.  Of one
 * that is MSG_BAD the fields that are good are there, the others are 0.
 */
must_check enum msg_verdict msg_next(struct msg *m, struct str *left,
				     enum role from, enum role to,
				     struct error *e);

/* The turn that the message is about; 0: of none, or it is not known. */
uint64_t msg_turn(const struct msg *m);

/* For the debug log: "TEXT turn=7 seq=1 text=<5 bytes>". */
void msg_print(struct buf *out, const struct msg *m);
