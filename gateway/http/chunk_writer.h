#pragma once
/*
 * writer - a body that goes to a socket piece by piece
 *
 * What is written between two pushes leaves as one HTTP chunk, in one send().
 * What the socket does not take stays here and is tried again at the next
 * push; the writer bounds it by looking at chunk_writer_waiting().
 */
#include <stdint.h>

#include "proto/buf.h"

struct chunk_writer {
	struct buf bytes;
	size_t sent;	/* how many of them have gone */
	size_t chunk;	/* where the open chunk begins, its size included */
	bool is_open;	/* there is an open chunk */
	bool is_plain;	/* HTTP/1.0: no chunks, the end is the end */
	uint64_t total; /* bytes that have gone, ever */
};

void chunk_writer_init(struct chunk_writer *);
void chunk_writer_fini(struct chunk_writer *);

/* Where to append to, until the next push. */
struct buf *chunk_writer_begin(struct chunk_writer *);

/* False if the other end can hear no more. */
must_check bool chunk_writer_push(struct chunk_writer *, int fd,
				  struct error *);

/* Forgets what has not been sent. */
void chunk_writer_clear(struct chunk_writer *);

static inline size_t
chunk_writer_waiting(const struct chunk_writer *s)
{
	return s->bytes.len - s->sent;
}
