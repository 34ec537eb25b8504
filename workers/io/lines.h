#pragma once
/*
 * lines - cuts bytes that arrive in pieces into lines
 *
 * Put bytes in where lines_room() says, tell lines_added() how many, and take
 * whole lines out with lines_next() until there is none.  It makes no
 * difference where the pieces were cut.
 */
#include "proto/buf.h"

struct lines {
	struct buf buf;
	size_t start;	 /* of the first line that was not taken out */
	size_t searched; /* no newline is between start and here */
};

#define LINES_INIT(maximum) ((struct lines){ .buf = BUF_INIT(maximum) })

void lines_fini(struct lines *);

/* Where the next `size` bytes may go.  ERR_TOO_LARGE if a line is too long. */
must_check bool lines_room(struct lines *, size_t size, char **room,
			   struct error *);
void lines_added(struct lines *, size_t len);

/* Takes out a line, without its newline; lent until the next call.  False if
 * there is none. */
bool lines_next(struct lines *, struct str *line);

/* Takes out the bytes behind the last newline. */
bool lines_last(struct lines *, struct str *line);
