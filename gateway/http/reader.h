#pragma once
/*
 * reader - libmicrohttpd, which reads requests; the only file that knows it
 *
 * A connection is libmicrohttpd's from the moment in which a whole head has
 * been approved (head.h) until the request has been read to its end.  It reads
 * from a copy of the descriptor, and closes that when it is done: between
 * requests, and while an answer is given, it knows nothing of a connection.
 * So whatever is peculiar to it is peculiar to this file.
 *
 *  - It has to be run by hand when its epoll descriptor is ready, when a
 *    connection was added, or when it says that it wants to (`run`).
 *  - Returning MHD_NO from its handler is the way to end its part.  With
 *    MHD_USE_TURBO it then closes its descriptor without shutting the socket
 *    down, so that ours goes on.
 *  - It waits for edges, and misses an end of input that comes together with
 *    data: connection.c, which watches the same socket, shuts the input down,
 *    which makes another edge (ON_HALF while READING).
 *  - A chunk's size line that is longer than its buffer makes it run for ever
 *    without reading: a reader that has input but takes none while
 *    libmicrohttpd is busy doing nothing is ended (`end_stuck`).
 *  - What it refuses by itself after the head, a chunk that is malformed, it
 *    answers with a page of its own.
 */
#include "gateway/http/connection.h"

must_check bool reader_init(struct http *, struct error *);
void reader_fini(struct http *);

/* Begins to read the request whose head was approved; reads what is there. */
must_check bool reader_start(struct connection *, struct error *);

/* The connection needs it no more. */
void reader_detach(struct connection *);

/* What a status is called: "Not Found". */
const char *reader_phrase(int status);
