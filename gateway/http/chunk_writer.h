#pragma once
/*
 * chunk_writer - what goes to a client's socket, as far as the socket takes it
 *
 * Three kinds of bytes, in this order: those that go as they are (the head of
 * an answer), the pieces of a stream, of which all that are written between
 * two pushes leave as one HTTP chunk in one system call, and one large body
 * that was given as a whole and is not copied.
 *
 * What the socket does not take stays here and is tried again at the next
 * push; the caller bounds it by looking at chunk_writer_waiting().
 */
#include <stdint.h>

#include "proto/buf.h"

struct chunk_writer {
	struct buf bytes;
	size_t sent;	   /* how many of them have gone */
	size_t chunk;	   /* where the open chunk begins, its size included */
	bool is_open;	   /* there is an open chunk */
	bool is_plain;	   /* no chunks: the end of the connection is the end */
	struct buf whole;  /* the body that was given */
	size_t whole_sent; /* how much of it has gone */
	uint64_t total;	   /* bytes that have gone, ever */
};

void chunk_writer_init(struct chunk_writer *);
void chunk_writer_fini(struct chunk_writer *);

/* Where to append what goes as it is; not while a chunk is open. */
struct buf *chunk_writer_raw(struct chunk_writer *);

/* Where to append a piece, until the next push. */
struct buf *chunk_writer_begin(struct chunk_writer *);

/* Takes what is in `body`, to be sent behind all else, as it is. */
void chunk_writer_give(struct chunk_writer *, struct buf *body);

/* The stream is complete. */
void chunk_writer_end(struct chunk_writer *);

/* False if the other end can hear no more. */
must_check bool chunk_writer_push(struct chunk_writer *, int fd,
				  struct error *);

static inline size_t
chunk_writer_waiting(const struct chunk_writer *w)
{
	return w->bytes.len - w->sent + w->whole.len - w->whole_sent;
}
