#pragma once
/*
 * frames - reads the frames of a stream of the engine
 *
 * The engine sends standard output and standard error of a program on one
 * connection: each piece is a frame, which has a header of eight bytes (the
 * number of the stream, three zero bytes, the length) and a payload.  The
 * reader takes bytes as they come, cut anywhere, allocates nothing and copies
 * nothing but headers.  Bytes that can't be frames are an error.
 */
#include <stddef.h>
#include <stdint.h>

#include "proto/error.h"
#include "proto/str.h"

enum {
	FRAME_HEADER_BYTES = 8,
	FRAME_OUT = 1,	  /* standard output */
	FRAME_ERR = 2,	  /* standard error */
	FRAME_ENGINE = 3, /* an error of the engine itself, in words */
};

struct frames {
	unsigned char header[FRAME_HEADER_BYTES];
	size_t have;   /* bytes of the header */
	uint32_t left; /* bytes of the payload that are still to come */
};

/*
 * Takes headers off the front of `bytes`, and shows what follows of a payload,
 * which is left there: frames_used() takes it off.  An empty payload: there
 * are no more bytes.
 */
must_check bool frames_next(struct frames *, struct str *bytes,
			    struct str *payload, struct error *);
void frames_used(struct frames *, struct str *bytes, size_t len);

/* Of the payload that frames_next() has shown: FRAME_... */
int frames_stream(const struct frames *);

/* The connection has ended: false if it was in the middle of a frame. */
must_check bool frames_end(const struct frames *, struct error *);
