#pragma once
/*
 * lines - bytes that come in any pieces, as lines
 *
 * Put bytes in where lines_room() says, tell with lines_added() how many,
 * and take whole lines out until there are none.  Where the pieces were cut
 * makes no difference.
 */
#include "proto/buf.h"

struct lines {
	struct buf buf;
	size_t start;	 /* of the first line that was not taken */
	size_t searched; /* there is no newline between start and here */
};

#define LINES_INIT(maximum) ((struct lines){ .buf = BUF_INIT(maximum) })

void lines_fini(struct lines *);

/* Where the next `size` bytes may go.  ERR_TOO_LARGE if a line is too long. */
must_check bool lines_room(struct lines *, size_t size, char **room,
			   struct error *);
void lines_added(struct lines *, size_t len);

/* Without its newline; lent until the next call.  False if there is none. */
bool lines_next(struct lines *, struct str *line);

/* What there is behind the last newline. */
bool lines_last(struct lines *, struct str *line);
