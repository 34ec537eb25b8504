#include "workers/io/quote.h"

#include <stdio.h>

/* How many bytes there are before one that has to be written otherwise. */
static size_t
plain(struct str s)
{
	size_t n = 0;

	while (n < s.len && (unsigned char)s.ptr[n] >= ' ' && s.ptr[n] != '"' &&
	       s.ptr[n] != '\\')
		n++;
	return n;
}

static bool
add_escaped(struct buf *b, char c, struct error *e)
{
	char text[8];

	if (c == '"' || c == '\\')
		snprintf(text, sizeof text, "\\%c", c);
	else
		snprintf(text, sizeof text, "\\u%04x", (unsigned char)c);
	return buf_add(b, str_of(text), e);
}

bool
quote(struct buf *b, struct str text, struct error *e)
{
	size_t n;

	if (!buf_add(b, STR("\""), e))
		return false;
	while (text.len) {
		n = plain(text);
		if (!buf_add(b, (struct str){ text.ptr, n }, e))
			return false;
		text = str_from(text, n);
		if (!text.len)
			break;
		if (!add_escaped(b, *text.ptr, e))
			return false;
		text = str_from(text, 1);
	}
	return buf_add(b, STR("\""), e);
}
