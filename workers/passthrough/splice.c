#include "workers/passthrough/splice.h"

#include "workers/passthrough/quote.h"

#define KEY "model"

/* What is left to read. */
struct cursor {
	const char *at, *end;
};

static bool
sees(const struct cursor *c, char wanted)
{
	return c->at < c->end && *c->at == wanted;
}

static bool
take(struct cursor *c, char wanted)
{
	if (!sees(c, wanted))
		return false;
	c->at++;
	return true;
}

static void
skip_space(struct cursor *c)
{
	while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' ||
				  *c->at == '\n' || *c->at == '\r'))
		c->at++;
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
take_string(struct cursor *c, struct str *raw)
{
	const char *start, *quote;

	if (!take(c, '"'))
		return false;
	start = c->at;
	do {
		quote = memchr(c->at, '"', (size_t)(c->end - c->at));
		if (!quote)
			return false;
		c->at = quote + 1;
	} while (is_escaped(quote, start));
	*raw = (struct str){ start, (size_t)(quote - start) };
	return true;
}

/* An object or an array, without a call for each of its levels. */
static bool
skip_nested(struct cursor *c)
{
	struct str string;
	size_t depth = 0;

	while (c->at < c->end) {
		if (*c->at == '"') {
			if (!take_string(c, &string))
				return false;
			continue;
		}
		if (*c->at == '{' || *c->at == '[')
			depth++;
		else if (*c->at == '}' || *c->at == ']')
			depth--;
		c->at++;
		if (depth == 0)
			return true;
	}
	return false;
}

static bool
skip_value(struct cursor *c)
{
	const char *start = c->at;
	struct str string;

	if (sees(c, '"'))
		return take_string(c, &string);
	if (sees(c, '{') || sees(c, '['))
		return skip_nested(c);
	while (c->at < c->end && !strchr(",]} \t\r\n", *c->at))
		c->at++;
	return c->at > start;
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

/* None of the key's letters has a short escape such as \n. */
static bool
is_key(struct str raw)
{
	const char *want = KEY;

	for (; *want && raw.len; want++) {
		if (*raw.ptr == *want) {
			raw = str_from(raw, 1);
			continue;
		}
		if (raw.len < 6 || !str_starts(raw, STR("\\u")) ||
		    letter_of(raw.ptr + 2) != *want)
			return false;
		raw = str_from(raw, 6);
	}
	return !*want && !raw.len;
}

static bool
take_key(struct cursor *c, struct str *key)
{
	skip_space(c);
	if (!take_string(c, key))
		return false;
	skip_space(c);
	if (!take(c, ':'))
		return false;
	skip_space(c);
	return true;
}

/* True if there is another member. */
static bool
take_comma(struct cursor *c)
{
	skip_space(c);
	return take(c, ',');
}

static bool
fail_invalid(struct error *e)
{
	return fail_with(e, ERR_INVALID, "the body is not a JSON object");
}

bool
splice_model(struct buf *out, struct str body, struct str model,
	     struct error *e)
{
	struct cursor c = { body.ptr, body.ptr + body.len };
	const char *value, *copied = c.at;
	bool found = false;
	struct str key;

	skip_space(&c);
	if (!take(&c, '{'))
		return fail_invalid(e);
	do {
		if (!take_key(&c, &key))
			return fail_invalid(e);
		value = c.at;
		if (!skip_value(&c))
			return fail_invalid(e);
		if (!is_key(key))
			continue;
		found = true;
		if (!buf_add(out,
			     (struct str){ copied, (size_t)(value - copied) },
			     e) ||
		    !quote(out, model, e))
			return false;
		copied = c.at;
	} while (take_comma(&c));
	if (!sees(&c, '}'))
		return fail_invalid(e);
	if (!found)
		return fail_about(e, ERR_INVALID, "model: is missing");
	return buf_add(out, (struct str){ copied, (size_t)(c.end - copied) },
		       e);
}
