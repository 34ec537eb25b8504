#include "gateway/http/chunk_writer.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>

/* Leading zeros are allowed, so a size can be written before it is known. */
#define NO_SIZE "000000\r\n"
enum { SIZE_DIGITS = sizeof NO_SIZE - 3 };

void
chunk_writer_init(struct chunk_writer *s)
{
	*s = (struct chunk_writer){ .bytes = BUF_INIT(2 * MAX_UNSENT - 1) };
}

void
chunk_writer_fini(struct chunk_writer *s)
{
	buf_fini(&s->bytes);
}

void
chunk_writer_clear(struct chunk_writer *s)
{
	buf_drop(&s->bytes, s->bytes.len);
	s->sent = 0;
	s->is_open = false;
}

struct buf *
chunk_writer_begin(struct chunk_writer *s)
{
	if (s->is_open)
		return &s->bytes;
	s->is_open = true;
	s->chunk = s->bytes.len;
	if (!s->is_plain)
		buf_put(&s->bytes, STR(NO_SIZE));
	return &s->bytes;
}

static void
write_size(char *at, size_t len)
{
	static const char hex[] = "0123456789abcdef";

	for (int i = SIZE_DIGITS - 1; i >= 0; i--, len >>= 4)
		at[i] = hex[len & 15];
	assert(len == 0);
}

static void
end_chunk(struct chunk_writer *s)
{
	size_t len = s->bytes.len - s->chunk - (sizeof NO_SIZE - 1);

	if (!s->is_open)
		return;
	s->is_open = false;
	if (s->is_plain)
		return;
	if (len == 0) { /* would be the end of all */
		s->bytes.len = s->chunk;
		return;
	}
	write_size(s->bytes.ptr + s->chunk, len);
	buf_put(&s->bytes, STR("\r\n"));
}

bool
chunk_writer_push(struct chunk_writer *s, int fd, struct error *e)
{
	ssize_t n;

	end_chunk(s);
	while (chunk_writer_waiting(s) > 0) {
		n = send(fd, s->bytes.ptr + s->sent, chunk_writer_waiting(s),
			 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			return fail_errno(e, "send");
		s->sent += (size_t)n;
		s->total += (uint64_t)n;
	}
	/* Moving what is left costs: only when much has gone. */
	if (s->sent == s->bytes.len || s->sent >= MAX_DELTA) {
		buf_drop(&s->bytes, s->sent);
		s->sent = 0;
	}
	return true;
}
