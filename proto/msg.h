#pragma once
/*
 * msg - the messages between processes
 *
 * messages.def is the only place where a message is described.  From it come
 * the enum, one struct per message, and the shapes by which messages are
 * packed, checked, unpacked and printed.  Nothing in this module knows a
 * message by name.
 *
 * A received message is either exactly what messages.def says, or it is refused
 * as a whole: its sender may send it, its receiver must hear it, it has the
 * right fields, every length is within its limit, and text is UTF-8.  Handlers
 * check nothing again.
 *
 * The sender makes fields fit: text that is too long is cut between two
 * characters, bytes that are no UTF-8 are replaced, and a number that is too
 * large becomes the maximum.  A choice that does not exist becomes none, and is
 * refused.  So a wrong field harms only its own message.
 *
 * Strings in a received message point into it: copy them to keep them.
 */
#include <stddef.h>
#include <stdint.h>

#include <nng/nng.h>

#include "proto/buf.h"
#include "proto/error.h"
#include "proto/finish.h"
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

/* The health that a worker reports of its harness. */
enum health {
	HEALTH_UNKNOWN,
	HEALTH_READY,
	HEALTH_UNAVAILABLE,
	HEALTH_ERROR,
	HEALTHS
};

/* What the body of a request is written in. */
enum dialect {
#define DIALECT(NAME, path) DIALECT_##NAME,
#include "proto/dialects.def"
	DIALECTS
};

enum msg_type {
#define MESSAGE(NAME, name, from, to) MSG_##NAME,
#include "proto/messages.def"
	MSG_TYPES
};

typedef uint64_t kind_id;
typedef uint64_t kind_count;
typedef uint64_t kind_choice;
typedef struct amount kind_amount;
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

const char *msg_name(enum msg_type);	/* "SUBMIT" */
const char *health_name(enum health);	/* "ready" */
const char *dialect_path(enum dialect); /* "/chat/completions" */

/*
 * A hash that changes whenever the messages change: it covers their order,
 * names, roles, fields, kinds and limits, and the order of the error codes, of
 * the dialects and of the reasons to finish.
 */
uint32_t msg_version(void);

bool msg_may_send(enum msg_type, enum role from);
bool msg_must_hear(enum msg_type, enum role to);

/*
 * Packs `body`, a struct of the given type, into a new message, or appends it
 * to one.  Text and numbers are made to fit, which is logged once for each
 * field.  Bytes that are too long are not cut: the receiver refuses such a
 * message.
 */
nng_msg *msg_pack(enum msg_type, const void *body);
void msg_append(nng_msg *, enum msg_type, const void *body);

/*
 * Always takes `raw`; the caller needs msg_fini() if this returns true.  `from`
 * are the roles that can be at the other end, `to` is our role.
 */
must_check bool msg_unpack(struct msg *m, nng_msg *raw, enum role from,
			   enum role to, struct error *e);

void msg_fini(struct msg *m);

enum msg_verdict {
	MSG_BROKEN, /* the end of the message is unknown: the rest is lost */
	MSG_BAD,    /* a field is wrong; the messages behind it are readable */
	MSG_GOOD,
};

/*
 * Reads the first of several messages and removes it from `left`.  The strings
 * of `m` point into the bytes of `left`, so `m` needs no msg_fini().  For
 * MSG_BAD, the wrong fields of `m` are 0.
 */
must_check enum msg_verdict msg_next(struct msg *m, struct str *left,
				     enum role from, enum role to,
				     struct error *e);

/* The turn that the message is about; 0: no turn, or an unknown one. */
uint64_t msg_turn(const struct msg *m);

/* For the debug log: "TEXT turn=7 seq=1 text=<5 bytes>". */
void msg_print(struct buf *out, const struct msg *m);
