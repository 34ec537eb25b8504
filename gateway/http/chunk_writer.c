#include "gateway/http/chunk_writer.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* Leading zeros are allowed, so a size can be written before it is known. */
#define NO_SIZE "000000\r\n"
enum {
	SIZE_DIGITS = sizeof NO_SIZE - 3,
	KEPT_BYTES = 2048, /* that an empty writer may go on holding */
};

void
chunk_writer_init(struct chunk_writer *w)
{
	*w = (struct chunk_writer){ .bytes = BUF_INIT(2 * MAX_UNSENT - 1) };
}

void
chunk_writer_fini(struct chunk_writer *w)
{
	buf_fini(&w->bytes);
	buf_fini(&w->whole);
}

struct buf *
chunk_writer_raw(struct chunk_writer *w)
{
	assert(!w->is_open);
	return &w->bytes;
}

struct buf *
chunk_writer_begin(struct chunk_writer *w)
{
	if (w->is_open)
		return &w->bytes;
	w->is_open = true;
	w->chunk = w->bytes.len;
	if (!w->is_plain)
		buf_put(&w->bytes, STR(NO_SIZE));
	return &w->bytes;
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
end_chunk(struct chunk_writer *w)
{
	size_t len = w->bytes.len - w->chunk - (sizeof NO_SIZE - 1);

	if (!w->is_open)
		return;
	w->is_open = false;
	if (w->is_plain)
		return;
	if (len == 0) { /* a chunk of no bytes would be the end of all */
		w->bytes.len = w->chunk;
		return;
	}
	write_size(w->bytes.ptr + w->chunk, len);
	buf_put(&w->bytes, STR("\r\n"));
}

void
chunk_writer_give(struct chunk_writer *w, struct buf *body)
{
	assert(!w->whole.ptr && !w->is_open);
	w->whole = *body;
	*body = BUF_INIT(body->max);
}

void
chunk_writer_end(struct chunk_writer *w)
{
	end_chunk(w);
	if (!w->is_plain)
		buf_put(&w->bytes, STR("0\r\n\r\n"));
}

static void
count_sent(struct chunk_writer *w, size_t n)
{
	size_t first = w->bytes.len - w->sent;

	w->total += n;
	if (n < first) {
		w->sent += n;
		return;
	}
	w->sent = w->bytes.len;
	w->whole_sent += n - first;
}

/* Moving what is left costs time: it is done only when much has gone. */
static void
release_sent(struct chunk_writer *w)
{
	if (w->sent == w->bytes.len && w->bytes.size > KEPT_BYTES) {
		buf_fini(&w->bytes);
		w->sent = 0;
	} else if (w->sent == w->bytes.len || w->sent >= MAX_DELTA) {
		buf_drop(&w->bytes, w->sent);
		w->sent = 0;
	}
	if (w->whole_sent == w->whole.len && w->whole.ptr) {
		buf_fini(&w->whole);
		w->whole_sent = 0;
	}
}

static struct iovec
rest_of(const struct buf *b, size_t sent)
{
	if (b->len == sent)
		return (struct iovec){ 0 };
	return (struct iovec){ b->ptr + sent, b->len - sent };
}

static ssize_t
send_some(struct chunk_writer *w, int fd)
{
	struct iovec parts[] = { rest_of(&w->bytes, w->sent),
				 rest_of(&w->whole, w->whole_sent) };
	const struct msghdr m = { .msg_iov = parts, .msg_iovlen = 2 };

	return sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

bool
chunk_writer_push(struct chunk_writer *w, int fd, struct error *e)
{
	ssize_t n;

	end_chunk(w);
	while (chunk_writer_waiting(w) > 0) {
		n = send_some(w, fd);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			return fail_errno(e, "send");
		count_sent(w, (size_t)n);
	}
	release_sent(w);
	return true;
}
