#include "proto/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

enum {
	SMALLEST = 256,	   /* bytes */
	KEEP = 256 * 1024, /* bytes that an empty buffer may go on holding */
};

void *
xcalloc(size_t count, size_t size)
{
	void *p = calloc(count, size);

	if (!p)
		abort();
	return p;
}

void *
xrealloc(void *old, size_t size)
{
	void *p = realloc(old, size);

	if (!p)
		abort();
	return p;
}

char *
copy(struct str s)
{
	char *p;

	if (!s.ptr)
		return NULL;
	p = xcalloc(1, s.len + 1);
	memcpy(p, s.ptr, s.len);
	return p;
}

char *
copy_format(const char *fmt, ...)
{
	char *p;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&p, fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	return p;
}

void
buf_fini(struct buf *b)
{
	free(b->ptr);
	*b = BUF_INIT(b->max);
}

bool
buf_reserve(struct buf *b, size_t more, struct error *e)
{
	size_t size = b->size ? b->size : SMALLEST;

	if (more > b->max || b->len > b->max - more)
		return fail_with(e, ERR_TOO_LARGE,
				 "more than the allowed %zu bytes", b->max);
	while (size < b->len + more)
		size *= 2;
	if (size > b->max && b->len + more <= b->max)
		size = b->max > SMALLEST ? b->max : SMALLEST;
	if (size > b->size) {
		b->ptr = xrealloc(b->ptr, size);
		b->size = size;
	}
	return true;
}

bool
buf_add(struct buf *b, struct str s, struct error *e)
{
	if (!buf_reserve(b, s.len, e))
		return false;
	if (s.len)
		memcpy(b->ptr + b->len, s.ptr, s.len);
	b->len += s.len;
	return true;
}

void
buf_put(struct buf *b, struct str s)
{
	struct error e;
	bool fits = buf_add(b, s, &e);

	assert(fits);
}

void
buf_print(struct buf *b, const char *fmt, ...)
{
	char *text;
	va_list ap;
	struct error e;
	int n;
	bool fits;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	fits = buf_add(b, (struct str){ text, (size_t)n }, &e);
	assert(fits);
	free(text);
}

void
buf_drop(struct buf *b, size_t n)
{
	assert(n <= b->len);
	b->len -= n;
	if (b->len == 0 && b->size > KEEP) {
		buf_fini(b);
		return;
	}
	if (n && b->len)
		memmove(b->ptr, b->ptr + n, b->len);
}
