#pragma once
/*
 * head - the status and the headers of an upstream's answer
 *
 * Is fed line by line.  Keeps the headers that concern the caller, as a JSON
 * array of [name, value] pairs in UTF-8.  Leaves out headers that concern one
 * connection only, those that "Connection" names among them, the length, since
 * the answer gets a new frame, and whatever would make the caller's client
 * believe that it talks to the vendor itself: cookies, HSTS, other addresses.
 */
#include "proto/buf.h"

struct head {
	int status;	/* 0: not known yet */
	bool whole;	/* all of it is there; what else comes is a trailer */
	bool is_events; /* text/event-stream */
	unsigned left_out; /* headers that there was no room for */
	struct buf json;   /* to be read when it is whole */
	struct buf hops;   /* what "Connection" names, with commas */
};

#define HEAD_INIT                                      \
	((struct head){ .json = BUF_INIT(MAX_HEADERS), \
			.hops = BUF_INIT(MAX_HEADERS) })

void head_fini(struct head *);

/* Forgets everything, but keeps its memory for the next. */
void head_reset(struct head *);

/*
 * One line, with or without its end; an empty one ends the head, unless that
 * is one of 100 to 199: then another follows.  Fails if the status is none: an
 * answer is worth more than a header for which there is no room.
 */
must_check bool head_line(struct head *, struct str line, struct error *);
