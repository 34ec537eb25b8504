#include "workers/io/lines.h"

void
lines_fini(struct lines *l)
{
	buf_fini(&l->buf);
	l->start = l->searched = 0;
}

enum { KEPT_BYTES = 512 }; /* by a buffer that is empty */

/* The room of lines that were taken out is used again.  An empty buffer is
 * freed, for a worker may have thousands of them. */
static void
drop_taken(struct lines *l)
{
	buf_drop(&l->buf, l->start);
	if (!l->buf.len && l->buf.size > KEPT_BYTES)
		buf_fini(&l->buf);
	l->searched -= l->start;
	l->start = 0;
}

bool
lines_room(struct lines *l, size_t size, char **room, struct error *e)
{
	drop_taken(l);
	if (!buf_reserve(&l->buf, size, e))
		return false;
	*room = l->buf.ptr + l->buf.len;
	return true;
}

void
lines_added(struct lines *l, size_t len)
{
	l->buf.len += len;
}

bool
lines_next(struct lines *l, struct str *line)
{
	char *newline = NULL;

	if (l->searched < l->buf.len)
		newline = memchr(l->buf.ptr + l->searched, '\n',
				 l->buf.len - l->searched);
	if (!newline) {
		l->searched = l->buf.len;
		if (l->start == l->buf.len)
			drop_taken(l);
		return false;
	}
	*line = (struct str){ l->buf.ptr + l->start,
			      (size_t)(newline - l->buf.ptr) - l->start };
	l->start = l->searched = (size_t)(newline - l->buf.ptr) + 1;
	return true;
}

bool
lines_last(struct lines *l, struct str *line)
{
	if (l->start == l->buf.len)
		return false;
	*line = (struct str){ l->buf.ptr + l->start, l->buf.len - l->start };
	l->start = l->searched = l->buf.len;
	return true;
}
