#pragma once
/*
 * slot_orders - reads a line that a worker has sent to cli-bridge-slot
 *
 * A line is a name and words, separated by one blank each; the last word of
 * FIND, FORWARD and EXPOSE may have blanks.  A line is exactly right or it is
 * an order that we do not know: nobody has to check an order again.
 */
#include "proto/str.h"

enum {
	MAX_ORDER_BYTES = 64 << 10,  /* one line */
	MAX_RUN_BYTES = 128,	     /* the id of a run */
	MAX_SOCKET_PATH_BYTES = 107, /* as in struct sockaddr_un, without NUL */
	MAX_PROBED_BYTES = 300,	     /* "HOST:PORT" */
};

enum order_kind {
	ORDER_UNKNOWN,
#define ORDER(NAME, name, reader) ORDER_##NAME,
#include "workers/executor/docker/slot_orders.def"
	ORDER_KINDS
};

struct order {
	enum order_kind kind;
	struct str run;	 /* of WATCH and SIGNAL */
	struct str text; /* FIND: the name; PROVE: all runs; FORWARD, EXPOSE:
			    the path; PROBE: the host; UNKNOWN: the line */
	int number;	 /* SIGNAL: 1 to 64; FORWARD, UNFORWARD, PROBE: 1 to
			    65535; EXPOSE: the same, or 0 for any port */
};

/* The strings of the result are parts of the line. */
struct order order_read(struct str line);

/* Can it be the id of a run?  That is a word of printable ASCII. */
bool order_is_run(struct str);

/* Takes the next run off the text of PROVE.  False at its end. */
bool order_next_run(struct str *runs, struct str *run);
