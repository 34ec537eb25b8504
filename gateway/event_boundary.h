#pragma once
/*
 * event_boundary - where a stream of server-sent events may be spoken into
 *
 * Watches the bytes of a stream that somebody else writes, in pieces of any
 * size, and knows whether they end between two events: at the beginning, or
 * behind a blank line.  Only there can a comment be added that changes nothing.
 * A line ends with \n, \r or \r\n; a \r that may still get its \n is no end
 * yet in a stream that has written \r\n before.
 */
#include "proto/str.h"

struct event_boundary {
	bool in_line;  /* the line that is not ended has bytes */
	bool in_event; /* the event that is not ended has lines */
	bool pairs;    /* the stream ends its lines with \r\n */
	char last;     /* byte; 0: none */
};

/* The stream goes on with these bytes. */
void event_boundary_feed(struct event_boundary *, struct str);

bool event_boundary_is_here(const struct event_boundary *);
