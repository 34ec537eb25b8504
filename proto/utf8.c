#include "proto/utf8.h"

#include <stdint.h>

#include "proto/buf.h"

/* The length of a character by its first byte; 0 if none begins with it. */
static size_t
length_at(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first >> 5 == 6)
		return 2;
	if (first >> 4 == 14)
		return 3;
	return first >> 3 == 30 ? 4 : 0;
}

/* Returns the length of the character at `s`, or 0 if there is none. */
static size_t
utf8_char(const unsigned char *s, size_t left)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = length_at(s[0]);
	uint32_t c;

	if (len == 0 || len > left)
		return 0;
	if (len == 1)
		return 1;
	c = s[0] & (0xffu >> (len + 1));
	for (size_t i = 1; i < len; i++) {
		if (s[i] >> 6 != 2)
			return 0;
		c = c << 6 | (s[i] & 0x3fu);
	}
	if (c < smallest[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	return len;
}

size_t
utf8_first(struct str s)
{
	return s.len ? utf8_char((const unsigned char *)s.ptr, s.len) : 0;
}

/* Most text is ASCII: skips eight bytes at a time. */
static size_t
skip_ascii(const unsigned char *s, size_t left)
{
	size_t n = 0;
	uint64_t word;

	while (left - n >= sizeof word) {
		memcpy(&word, s + n, sizeof word);
		if (word & 0x8080808080808080u)
			break;
		n += sizeof word;
	}
	return n;
}

bool
utf8_valid(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.ptr;
	size_t i = 0, n;

	while (i < s.len) {
		i += skip_ascii(p + i, s.len - i);
		if (i == s.len)
			break;
		n = utf8_char(p + i, s.len - i);
		if (n == 0)
			return false;
		i += n;
	}
	return true;
}

size_t
utf8_whole(struct str s)
{
	size_t back = 1, need;

	while (back <= 3 && back <= s.len) {
		need = length_at((unsigned char)s.ptr[s.len - back]);
		if (need > 0)
			return need > back ? s.len - back : s.len;
		back++;
	}
	return s.len;
}

char *
utf8_mend(struct str s, size_t max, size_t *len)
{
	static const struct str replacement = { "\xef\xbf\xbd", 3 };
	const unsigned char *p = (const unsigned char *)s.ptr;
	struct buf out = BUF_INIT(max + 1);
	struct error e;

	for (size_t i = 0, n; i < s.len; i += n ? n : 1) {
		struct str c = replacement;

		n = utf8_char(p + i, s.len - i);
		if (n)
			c = (struct str){ s.ptr + i, n };
		if (out.len + c.len > max || !buf_add(&out, c, &e))
			break;
	}
	*len = out.len;
	if (!out.ptr)
		return xcalloc(1, 1);
	return out.ptr;
}
