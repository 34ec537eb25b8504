#include "workers/executor/docker/frames.h"

#include <assert.h>

enum { STREAM = 0, ZEROES = 1, ZERO_BYTES = 3, LENGTH = 4 };

/* False if there are too few bytes. */
static bool
take_header(struct frames *f, struct str *bytes)
{
	size_t n = FRAME_HEADER_BYTES - f->have;
	const unsigned char *len = f->header + LENGTH;

	if (n > bytes->len)
		n = bytes->len;
	if (n)
		memcpy(f->header + f->have, bytes->ptr, n);
	*bytes = str_from(*bytes, n);
	f->have += n;
	if (f->have < FRAME_HEADER_BYTES)
		return false;
	f->left = (uint32_t)len[0] << 24 | (uint32_t)len[1] << 16 |
		  (uint32_t)len[2] << 8 | len[3];
	return true;
}

static bool
check_header(const struct frames *f, struct error *e)
{
	static const unsigned char zeroes[ZERO_BYTES];
	int stream = f->header[STREAM];

	if (stream >= FRAME_OUT && stream <= FRAME_ENGINE &&
	    !memcmp(f->header + ZEROES, zeroes, sizeof zeroes))
		return true;
	return fail_with(e, ERR_PROTOCOL,
			 "docker: a stream of the engine has bytes that are "
			 "no frame");
}

bool
frames_next(struct frames *f, struct str *bytes, struct str *payload,
	    struct error *e)
{
	*payload = (struct str){ bytes->ptr, 0 };
	while (!f->left) {
		if (f->have == FRAME_HEADER_BYTES)
			f->have = 0;
		if (!take_header(f, bytes))
			return true;
		if (!check_header(f, e))
			return false;
	}
	*payload = *bytes;
	if (payload->len > f->left)
		payload->len = f->left;
	return true;
}

void
frames_used(struct frames *f, struct str *bytes, size_t len)
{
	assert(len <= f->left && len <= bytes->len);
	f->left -= (uint32_t)len;
	*bytes = str_from(*bytes, len);
}

int
frames_stream(const struct frames *f)
{
	return f->header[STREAM];
}

bool
frames_end(const struct frames *f, struct error *e)
{
	if (f->left)
		return fail_with(e, ERR_TRUNCATED,
				 "docker: the stream has ended inside of a "
				 "frame, of which %u bytes are missing",
				 f->left);
	if (f->have % FRAME_HEADER_BYTES)
		return fail_with(e, ERR_TRUNCATED,
				 "docker: the stream has ended inside of the "
				 "header of a frame");
	return true;
}
