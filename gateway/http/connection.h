#pragma once
/*
 * connection - what we want to know of a client that MHD does not tell
 *
 * MHD does not look at a connection that it has suspended, so we watch it
 * ourselves: whether the client has hung up, and whether it takes more.  And
 * the time is kept here in which the next piece of a request must arrive: who
 * is too slow gets a 408 if it has said anything, and is cut off.
 */
#include "gateway/http/http.h"

enum { HEAD_TIME = 15000 }; /* ms */

struct connection {
	struct http *http;
	int fd;		    /* stays MHD's */
	struct watch watch; /* of its hanging up, and of room to write */
	struct timer deadline;
	struct request *request; /* the one under way, or NULL */
	size_t step;		 /* bytes of the body since the last pause */
	bool gone;
};

/* With HEAD_TIME for its first request. */
struct connection *connection_new(struct http *, int fd);
void connection_free(struct connection *);

/* Something must come within `ms`, or until the next call. */
void connection_wait(struct connection *, uint64_t ms);
