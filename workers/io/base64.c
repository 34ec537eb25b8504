#include "workers/io/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			     "abcdefghijklmnopqrstuvwxyz0123456789+/";

/* The six bits of a digit, or one of these. */
enum { SPACE = -1, PADDING = -2, NONE = -3 };

static int
value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	if (c == '/' || c == '_')
		return 63;
	if (c == '=')
		return PADDING;
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' ? SPACE : NONE;
}

bool
base64_count(struct str base64, size_t *bytes)
{
	size_t count = 0, padding = 0;

	for (size_t i = 0; i < base64.len; i++) {
		int value = value_of(base64.ptr[i]);

		if (value == NONE || (value >= 0 && padding))
			return false;
		count += value >= 0;
		padding += value == PADDING;
	}
	*bytes = count / 4 * 3 + count % 4 * 6 / 8;
	return count % 4 != 1 && padding <= 2 &&
	       (!padding || (count + padding) % 4 == 0);
}

char *
base64_decode(struct str base64, size_t *len)
{
	unsigned bits = 0, left = 0;
	size_t bytes;
	char *out, *to;

	if (!base64_count(base64, &bytes))
		return NULL;
	out = to = xcalloc(bytes + 1, 1);
	for (size_t i = 0; i < base64.len; i++) {
		int value = value_of(base64.ptr[i]);

		if (value < 0)
			continue;
		bits = (bits << 6 | (unsigned)value) & 0xffff;
		left += 6;
		if (left < 8)
			continue;
		left -= 8;
		*to++ = (char)(bits >> left & 0xff);
	}
	*len = (size_t)(to - out);
	return out;
}

char *
base64_encode(struct str bytes, size_t *len)
{
	char *out = xcalloc(bytes.len / 3 + 2, 4), *to = out;
	const unsigned char *from = (const unsigned char *)bytes.ptr;

	for (size_t left = bytes.len; left;) {
		size_t n = left < 3 ? left : 3;
		unsigned bits = (unsigned)from[0] << 16;

		bits |= n > 1 ? (unsigned)from[1] << 8 : 0;
		bits |= n > 2 ? (unsigned)from[2] : 0;
		for (size_t i = 0; i < 4; i++)
			*to++ = i <= n ? digits[bits >> (18 - 6 * i) & 63]
				       : '=';
		from += n;
		left -= n;
	}
	*len = (size_t)(to - out);
	return out;
}
