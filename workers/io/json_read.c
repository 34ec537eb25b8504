#include "workers/io/json_read.h"

#include <ctype.h>

#include "proto/buf.h"
#include "proto/limits.h"
#include "proto/utf8.h"

/* The text that was not read yet, and a place for what escapes stand for. */
struct reader {
	struct str rest;
	unsigned depth;
	struct buf plain;
};

static void
skip_space(struct reader *r)
{
	while (r->rest.len && *r->rest.ptr && strchr(" \t\r\n", *r->rest.ptr))
		r->rest = str_from(r->rest, 1);
}

static bool
take(struct reader *r, char c)
{
	skip_space(r);
	if (!r->rest.len || *r->rest.ptr != c)
		return false;
	r->rest = str_from(r->rest, 1);
	return true;
}

/* The four digits at the beginning of `s`; -1: they are none. */
static int
hexadecimal(struct str s)
{
	char digits[5] = "";

	if (s.len < 4)
		return -1;
	memcpy(digits, s.ptr, 4);
	for (int i = 0; i < 4; i++)
		if (!isxdigit((unsigned char)digits[i]))
			return -1;
	return (int)strtol(digits, NULL, 16);
}

static void
put_character(struct buf *b, unsigned c)
{
	char bytes[4];
	size_t len;

	if (c < 0x80) {
		bytes[0] = (char)c;
		len = 1;
	} else if (c < 0x800) {
		bytes[0] = (char)(0xc0 | c >> 6);
		len = 2;
	} else if (c < 0x10000) {
		bytes[0] = (char)(0xe0 | c >> 12);
		len = 3;
	} else {
		bytes[0] = (char)(0xf0 | c >> 18);
		len = 4;
	}
	for (size_t i = 1; i < len; i++)
		bytes[i] = (char)(0x80 | (c >> 6 * (len - 1 - i) & 0x3f));
	buf_put(b, (struct str){ bytes, len });
}

/* `s` begins behind "\u".  Returns how many bytes were read; 0: half a
 * character. */
static size_t
read_number(struct buf *b, struct str s)
{
	int c = hexadecimal(s), low;

	if (c < 0 || (c >= 0xdc00 && c < 0xe000))
		return 0;
	if (c < 0xd800 || c >= 0xe000) {
		put_character(b, (unsigned)c);
		return 4;
	}
	if (s.len < 10 || s.ptr[4] != '\\' || s.ptr[5] != 'u')
		return 0;
	low = hexadecimal(str_from(s, 6));
	if (low < 0xdc00 || low >= 0xe000)
		return 0;
	put_character(b, 0x10000u + (((unsigned)c & 0x3ff) << 10 |
				     ((unsigned)low & 0x3ff)));
	return 10;
}

/* `s` begins behind a backslash.  Returns how many bytes were read; 0: it is no
 * escape. */
static size_t
read_escape(struct buf *b, struct str s)
{
	static const char escapes[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
	size_t len;

	if (!s.len)
		return 0;
	if (*s.ptr == 'u') {
		len = read_number(b, str_from(s, 1));
		return len ? len + 1 : 0;
	}
	for (size_t i = 0; i + 1 < sizeof escapes; i += 2)
		if (escapes[i] == *s.ptr) {
			buf_put(b, (struct str){ escapes + i + 1, 1 });
			return 1;
		}
	return 0;
}

static bool
read_escapes(struct buf *b, struct str s)
{
	struct str rest;
	size_t len;

	b->len = 0;
	for (; s.ptr; s = rest) {
		buf_put(b, str_cut(s, '\\', &rest));
		if (!rest.ptr)
			break;
		len = read_escape(b, rest);
		if (!len)
			return false;
		rest = str_from(rest, len);
	}
	return true;
}

/* The text of a string that begins behind its quote.  Absent: it is not plain.
 * It lives until the next one is read. */
static struct str
read_string(struct reader *r)
{
	const struct str none = { NULL, 0 };
	struct str s = r->rest;
	bool has_escapes = false;
	size_t n = 0;

	for (; n < s.len && s.ptr[n] != '"'; n++) {
		if ((unsigned char)s.ptr[n] < 0x20)
			return none;
		if (s.ptr[n] == '\\') {
			has_escapes = true;
			n++;
		}
	}
	if (n >= s.len)
		return none;
	r->rest = str_from(s, n + 1);
	s.len = n;
	if (!utf8_valid(s))
		return none;
	if (!has_escapes)
		return s;
	return read_escapes(&r->plain, s) ? buf_str(&r->plain) : none;
}

static json_t *read_value(struct reader *);

static json_t *
read_text(struct reader *r)
{
	struct str s = read_string(r);

	return s.ptr ? json_stringn_nocheck(s.ptr, s.len) : NULL;
}

static bool
read_member(struct reader *r, json_t *object)
{
	struct str s = take(r, '"') ? read_string(r) : (struct str){ NULL, 0 };
	auto_free char *key = copy(s);
	json_t *value;

	if (!key || strlen(key) != s.len || !take(r, ':'))
		return false;
	value = read_value(r);
	return value && json_object_set_new_nocheck(object, key, value) == 0;
}

static bool
read_element(struct reader *r, json_t *array)
{
	json_t *value = read_value(r);

	return value && json_array_append_new(array, value) == 0;
}

/* Takes `all`, to which each piece is added up to the character `end`. */
static json_t *
read_all(struct reader *r, json_t *all, char end,
	 bool (*read)(struct reader *, json_t *))
{
	bool ok = ++r->depth <= MAX_BODY_DEPTH;

	if (!(ok && take(r, end))) {
		do
			ok = ok && read(r, all);
		while (ok && take(r, ','));
		ok = ok && take(r, end);
	}
	r->depth--;
	if (ok)
		return all;
	json_decref(all);
	return NULL;
}

/* A number, or a word such as "true": jansson reads it. */
static json_t *
read_word(struct reader *r)
{
	struct str s = r->rest;

	s.len = 0;
	while (s.len < r->rest.len && s.ptr[s.len] &&
	       (isalnum((unsigned char)s.ptr[s.len]) ||
		strchr("+-.", s.ptr[s.len])))
		s.len++;
	r->rest = str_from(r->rest, s.len);
	return json_loadb(s.ptr, s.len, JSON_DECODE_ANY, NULL);
}

static json_t *
read_value(struct reader *r)
{
	if (take(r, '"'))
		return read_text(r);
	if (take(r, '{'))
		return read_all(r, json_object(), '}', read_member);
	if (take(r, '['))
		return read_all(r, json_array(), ']', read_element);
	return read_word(r);
}

json_t *
json_read(struct str text)
{
	struct reader r = { .rest = text, .plain = BUF_INIT(text.len) };
	json_t *value = NULL;

	skip_space(&r);
	if (r.rest.len && (*r.rest.ptr == '{' || *r.rest.ptr == '['))
		value = read_value(&r);
	skip_space(&r);
	buf_fini(&r.plain);
	if (!r.rest.len)
		return value;
	json_decref(value);
	return NULL;
}
