#pragma once
/*
 * spout - a body that goes to a socket piece by piece
 *
 * What is written between two pushes leaves as one HTTP chunk, in one send().
 * What the socket does not take stays here and is tried again at the next
 * push; the writer bounds it by looking at spout_waiting().
 */
#include <stdint.h>

#include "proto/buf.h"

struct spout {
	struct buf bytes;
	size_t sent;	/* how many of them have gone */
	size_t chunk;	/* where the open chunk begins, its size included */
	bool is_open;	/* there is an open chunk */
	bool is_plain;	/* HTTP/1.0: no chunks, the end is the end */
	uint64_t total; /* bytes that have gone, ever */
};

void spout_init(struct spout *);
void spout_fini(struct spout *);

/* Where to append to, until the next push. */
struct buf *spout_begin(struct spout *);

/* False if the other end can hear no more. */
must_check bool spout_push(struct spout *, int fd, struct error *);

/* Forgets what has not been sent. */
void spout_clear(struct spout *);

static inline size_t
spout_waiting(const struct spout *s)
{
	return s->bytes.len - s->sent;
}
