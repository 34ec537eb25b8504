#pragma once
/*
 * head - the status and the headers of an upstream's answer
 *
 * Fed line by line.  Keeps what concerns the caller, as a JSON array of
 * [name, value] pairs in which all text is UTF-8, and leaves out what concerns
 * only the connection that it came over, its length, for the answer will be
 * framed anew, and what would make the caller's client believe it spoke with
 * the vendor: cookies, HSTS, other addresses.
 */
#include "proto/buf.h"

struct head {
	int status;	/* 0: not known yet */
	bool whole;	/* all of it is there; what else comes is a trailer */
	bool is_events; /* text/event-stream */
	unsigned left_out; /* headers that there was no room for */
	struct buf json;   /* to be read when it is whole */
};

#define HEAD_INIT ((struct head){ .json = BUF_INIT(MAX_HEADERS) })

void head_fini(struct head *);

/* Forgets everything, but keeps its memory for the next. */
void head_reset(struct head *);

/*
 * One line, with or without its end; an empty one ends the head, unless that
 * is one of 100 to 199: then another follows.  Fails if the status is none: an
 * answer is worth more than a header for which there is no room.
 */
must_check bool head_line(struct head *, struct str line, struct error *);
