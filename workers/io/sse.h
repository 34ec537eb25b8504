#pragma once
/*
 * sse - server-sent events, out of the lines of an answer
 *
 * Is fed the lines of a text/event-stream, as HTML's standard has them.  An
 * event is complete with the empty line behind it, so one whose end was cut off
 * is never seen.  Comments, ids and fields that nobody knows are passed over.
 *
 * An event with more than MAX_SERVICE_EVENT bytes of data is ERR_TOO_LARGE,
 * before there is memory for it.
 */
#include "proto/buf.h"
#include "proto/limits.h"

enum { SSE_NAME_SIZE = 64 }; /* of a name that anybody looks at, and a NUL */

struct sse {
	char name[SSE_NAME_SIZE]; /* "": the event has none */
	struct buf data;
	bool has_data, was_taken, has_begun;
};

#define SSE_INIT ((struct sse){ .data = BUF_INIT(MAX_SERVICE_EVENT) })

void sse_fini(struct sse *);

/* A line, with or without a carriage return at its end.  `*is_whole`: it has
 * completed an event, which `name` and `data` are until the next line. */
must_check bool sse_line(struct sse *, struct str line, bool *is_whole,
			 struct error *);
