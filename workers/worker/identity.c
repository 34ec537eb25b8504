#include "workers/worker/identity.h"

#include "workers/io/hash.h"

/* The string that `s` begins with, with its quotation marks; all of `s` if it
 * has no end. */
static struct str
take_string(struct str s)
{
	size_t at = 1;

	while (at < s.len) {
		const char *quote = memchr(s.ptr + at, '"', s.len - at);
		size_t escapes = 0;

		if (!quote)
			return s;
		while (quote[-1 - (ptrdiff_t)escapes] == '\\' &&
		       quote - 1 - escapes > s.ptr)
			escapes++;
		at = (size_t)(quote - s.ptr) + 1;
		if (escapes % 2 == 0)
			return (struct str){ s.ptr, at };
	}
	return s;
}

static bool
is_mark(char c)
{
	return c && strchr("{}[],:\"", c);
}

static struct str
take_token(struct str s)
{
	size_t len = 1;

	if (*s.ptr == '"')
		return take_string(s);
	if (!is_mark(*s.ptr))
		while (len < s.len && !is_mark(s.ptr[len]) &&
		       !str_is_space(s.ptr[len]))
			len++;
	return (struct str){ s.ptr, len };
}

/* Where the reader of a body is. */
struct place {
	unsigned depth;
	bool is_key; /* the next string is the name of a field of the body */
	bool is_left_out; /* so is the field that is being read */
};

/* Whether the token counts. */
static bool
pass(struct place *p, struct str token)
{
	bool is_field_end =
		p->depth == 1 && (*token.ptr == ',' || *token.ptr == '}');

	if (is_field_end) {
		p->is_left_out = false;
		p->is_key = true;
	} else if (p->depth == 1 && p->is_key && *token.ptr == '"') {
		p->is_key = false;
		p->is_left_out = str_is(token, "\"stream\"") ||
				 str_is(token, "\"stream_options\"");
	}
	if (*token.ptr == '{' || *token.ptr == '[') {
		p->depth++;
		p->is_key |= p->depth == 1;
	} else if (p->depth && (*token.ptr == '}' || *token.ptr == ']')) {
		p->depth--;
	}
	return !is_field_end && !p->is_left_out;
}

static void
add_body(struct hash *hash, struct str body)
{
	struct place place = { 0 };

	while (body.len) {
		struct str token;

		if (str_is_space(*body.ptr)) {
			body = str_from(body, 1);
			continue;
		}
		token = take_token(body);
		body = str_from(body, token.len);
		if (pass(&place, token))
			hash_add_field(hash, token);
	}
}

uint64_t
identity_of(const struct msg_submit *m)
{
	struct hash hash = HASH_INIT;
	const struct str dialect = { (const char *)&m->dialect,
				     sizeof m->dialect };

	hash_add(&hash, dialect);
	hash_add_field(&hash, m->harness);
	hash_add_field(&hash, m->model);
	hash_add_field(&hash, m->session);
	hash_add_field(&hash, m->cwd);
	hash_add_field(&hash, m->headers);
	add_body(&hash, m->body);
	return hash_value(&hash);
}
