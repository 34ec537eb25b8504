#include "workers/io/scan.h"

static bool
sees(const struct scan *s, char wanted)
{
	return s->at < s->end && *s->at == wanted;
}

static void
skip_space(struct scan *s)
{
	while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' ||
				  *s->at == '\n' || *s->at == '\r'))
		s->at++;
}

struct scan
scan_of(struct str text)
{
	const struct str mark = STR("\xef\xbb\xbf");

	if (str_starts(text, mark))
		text = str_from(text, mark.len);
	return (struct scan){ text.ptr, text.ptr + text.len };
}

bool
scan_take(struct scan *s, char wanted)
{
	skip_space(s);
	if (!sees(s, wanted))
		return false;
	s->at++;
	return true;
}

static bool
is_escaped(const char *quote, const char *start)
{
	const char *p = quote;

	while (p > start && p[-1] == '\\')
		p--;
	return (quote - p) % 2 != 0;
}

/* Behind the quote that ends it; prompts are long, so let memchr() look. */
static bool
take_string(struct scan *s, struct str *raw)
{
	const char *start, *quote;

	if (!sees(s, '"'))
		return false;
	start = ++s->at;
	do {
		quote = s->at < s->end
				? memchr(s->at, '"', (size_t)(s->end - s->at))
				: NULL;
		if (!quote)
			return false;
		s->at = quote + 1;
	} while (is_escaped(quote, start));
	*raw = (struct str){ start, (size_t)(quote - start) };
	return true;
}

/* An object or an array, without a call for each of its levels. */
static bool
skip_nested(struct scan *s)
{
	struct str string;
	size_t depth = 0;

	while (s->at < s->end) {
		if (*s->at == '"') {
			if (!take_string(s, &string))
				return false;
			continue;
		}
		if (*s->at == '{' || *s->at == '[')
			depth++;
		else if (*s->at == '}' || *s->at == ']')
			depth--;
		s->at++;
		if (depth == 0)
			return true;
	}
	return false;
}

static bool
skip_value(struct scan *s)
{
	const char *start = s->at;
	struct str string;

	if (sees(s, '"'))
		return take_string(s, &string);
	if (sees(s, '{') || sees(s, '['))
		return skip_nested(s);
	while (s->at < s->end && !strchr(",]} \t\r\n", *s->at))
		s->at++;
	return s->at > start;
}

bool
scan_value(struct scan *s, struct str *raw)
{
	const char *start;

	skip_space(s);
	start = s->at;
	if (!skip_value(s))
		return false;
	*raw = (struct str){ start, (size_t)(s->at - start) };
	return true;
}

bool
scan_key(struct scan *s, struct str *raw)
{
	skip_space(s);
	if (!take_string(s, raw) || !scan_take(s, ':'))
		return false;
	skip_space(s);
	return true;
}

/* The value of "\u006d"'s digits if it is a letter's, and else -1. */
static int
letter_of(const char digits[4])
{
	int value = 0;

	for (int i = 0; i < 4; i++) {
		const char *hex = "0123456789abcdef0123456789ABCDEF";
		const char *at = digits[i] ? strchr(hex, digits[i]) : NULL;

		if (!at)
			return -1;
		value = value * 16 + (int)(at - hex) % 16;
	}
	return value < 128 ? value : -1;
}

/* No letter of a name has a short escape such as \n. */
bool
scan_key_is(struct str raw, const char *name)
{
	for (; *name && raw.len; name++) {
		if (*raw.ptr == *name) {
			raw = str_from(raw, 1);
			continue;
		}
		if (raw.len < 6 || !str_starts(raw, STR("\\u")) ||
		    letter_of(raw.ptr + 2) != *name)
			return false;
		raw = str_from(raw, 6);
	}
	return !*name && !raw.len;
}

struct str
scan_member(struct str object, const char *name)
{
	struct scan s = scan_of(object);
	struct str key, value, found = { 0 };

	if (!scan_take(&s, '{'))
		return found;
	do {
		if (!scan_key(&s, &key) || !scan_value(&s, &value))
			return found;
		if (scan_key_is(key, name))
			found = value;
	} while (scan_take(&s, ','));
	return found;
}
