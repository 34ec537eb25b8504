#pragma once
/*
 * head - is there exactly one way to read the head of a request?
 *
 * A head is read twice: here, before anything is done with it, and then by
 * libmicrohttpd, which is as tolerant as its documentation says.  What two
 * programs may read differently (a proxy in front of us and we, or these two)
 * is how one request hides in another, so whatever HTTP leaves to tolerance is
 * refused here: names that are no tokens, white space before the colon, folded
 * lines, control characters, line ends without CR, a length that is said twice
 * or in two ways.
 *
 * Nothing is allocated and nothing is changed: the strings point into the
 * bytes that were given.
 */
#include <stdint.h>

#include "proto/error.h"
#include "proto/str.h"

enum {
	MAX_HEAD_FIELDS = 100,
	MAX_HEAD_ARGUMENTS = 64,
};

struct head {
	size_t len; /* bytes, with the empty line at its end */
	struct str method, target;
	bool is_http_1_0;
	struct str host, connection, expect; /* absent: not said */
	struct str encoding;		     /* of the transfer */
	struct str length_text;
	uint64_t length; /* of the body, bytes; 0 if it is chunked */
	bool is_chunked;
};

enum head_state { HEAD_INCOMPLETE, HEAD_COMPLETE, HEAD_REFUSED };

/*
 * Reads what has come so far.  `*seen` is where an earlier call had looked up
 * to, 0 at first.  HEAD_REFUSED comes with ERR_INVALID or ERR_HEADERS in `e`.
 */
enum head_state head_read(struct head *, struct str bytes, size_t *seen,
			  struct error *e);

/* Does the client want the connection to go on after the answer? */
bool head_keeps_alive(const struct head *);

/* Is it the Host header of a host, with or without a port? */
bool head_is_host(struct str host);
