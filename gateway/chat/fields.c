#include "gateway/chat/fields.h"

#include <jansson.h>

#include "proto/limits.h"

/* Bytes of the longest name, in quotes, with every character escaped. */
enum { MAX_ESCAPED_NAME = 6 * (sizeof "stream_options" - 1) + 2 };

static const char *const names[FIELDS] = {
	[FIELD_MODEL] = "model",
	[FIELD_MESSAGES] = "messages",
	[FIELD_STREAM] = "stream",
	[FIELD_STREAM_OPTIONS] = "stream_options",
	[FIELD_SESSION_ID] = "session_id",
	[FIELD_RESUME_ID] = "resume_id",
	[FIELD_CWD] = "cwd",
};

const char *
field_name(enum field f)
{
	return names[f];
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool
fail_at(const struct fields *f, const char *want, struct error *e)
{
	return fail_with(e, ERR_INVALID,
			 "the body is not valid JSON: there must be %s at byte "
			 "%zu",
			 want, f->at + 1);
}

/* Keys */

/* A key may be written with escapes. */
static int
find_name(struct str quoted)
{
	json_t *key = NULL;
	int found = FIELDS;
	struct str s = { quoted.ptr + 1, quoted.len - 2 };

	if (quoted.len > MAX_ESCAPED_NAME)
		return FIELDS;
	if (memchr(s.ptr, '\\', s.len)) {
		key = json_loadb(quoted.ptr, quoted.len,
				 JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
		s = (struct str){ json_string_value(key),
				  json_string_length(key) };
	}
	for (int i = 0; i < FIELDS; i++)
		if (s.ptr && str_is(s, names[i]))
			found = i;
	json_decref(key);
	return found;
}

static bool
end_key(struct fields *f, struct str body, struct error *e)
{
	f->wanted = find_name(
		(struct str){ body.ptr + f->begun, f->at + 1 - f->begun });
	f->state = AT_COLON;
	return f->wanted == FIELDS || !f->found[f->wanted].to ||
	       fail_with(e, ERR_INVALID, "\"%s\" is in the body twice",
			 names[f->wanted]);
}

/* Values */

static bool
count_value(struct fields *f, struct error *e)
{
	return ++f->values <= MAX_BODY_VALUES ||
	       fail_with(e, ERR_TOO_LARGE, "the body has more than %u values",
			 MAX_BODY_VALUES);
}

static bool
go_deeper(struct fields *f, struct error *e)
{
	if (!count_value(f, e))
		return false;
	return ++f->depth <= MAX_BODY_DEPTH ||
	       fail_with(e, ERR_INVALID,
			 "the body is nested deeper than %d levels",
			 MAX_BODY_DEPTH);
}

static void
end_value(struct fields *f, size_t to)
{
	if (f->wanted != FIELDS) {
		f->found[f->wanted].from = f->begun;
		f->found[f->wanted].to = to;
	}
	f->state = AT_COMMA;
}

static bool
begin_value(struct fields *f, char c, struct error *e)
{
	f->begun = f->at;
	f->is_scalar = false;
	if (c == ',' || c == '}' || c == ']' || c == ':')
		return fail_at(f, "a value", e);
	if (c == '"') {
		f->state = IN_TEXT;
		return count_value(f, e);
	}
	f->state = IN_VALUE;
	if (c == '{' || c == '[')
		return go_deeper(f, e);
	f->is_scalar = true;
	return count_value(f, e);
}

static bool at_comma(struct fields *f, char c, struct error *e);

/* In a number or a word, or between the parts of an array or object. */
static bool
in_value(struct fields *f, char c, struct error *e)
{
	if (f->is_scalar) {
		if (!is_space(c) && c != ',' && c != '}')
			return true;
		end_value(f, f->at);
		return is_space(c) || at_comma(f, c, e);
	}
	if (c == '"')
		f->state = IN_TEXT;
	else if (c == '{' || c == '[')
		return go_deeper(f, e);
	else if (c == ',')
		return count_value(f, e);
	else if ((c == '}' || c == ']') && --f->depth == 1)
		end_value(f, f->at + 1);
	return true;
}

/* One byte that is in no text */

static bool
at_key(struct fields *f, char c, struct error *e)
{
	if (c != '"')
		return fail_at(f, "a name in quotes", e);
	f->begun = f->at;
	f->state = IN_KEY;
	return true;
}

static bool
at_comma(struct fields *f, char c, struct error *e)
{
	if (c != ',' && c != '}')
		return fail_at(f, "a comma or a closing brace", e);
	f->state = c == ',' ? AT_KEY : AT_END;
	return true;
}

static bool
take_byte(struct fields *f, char c, struct error *e)
{
	if (is_space(c) && f->state != IN_VALUE)
		return true;
	switch (f->state) {
	case AT_OBJECT:
		if (c != '{')
			return fail_with(e, ERR_INVALID,
					 "the body must be a JSON object");
		f->depth = 1;
		f->state = AT_FIRST_KEY;
		return true;
	case AT_FIRST_KEY:
		if (c == '}') {
			f->state = AT_END;
			return true;
		}
		return at_key(f, c, e);
	case AT_KEY:
		return at_key(f, c, e);
	case AT_COLON:
		f->state = AT_VALUE;
		return c == ':' || fail_at(f, "a colon", e);
	case AT_VALUE:
		return begin_value(f, c, e);
	case IN_VALUE:
		return in_value(f, c, e);
	case AT_COMMA:
		return at_comma(f, c, e);
	case AT_END:
		return fail_at(f, "nothing more", e);
	case IN_KEY:
	case IN_TEXT:
		break;
	}
	return true;
}

/* Texts: nearly all of a body is in them. */

static bool
end_text(struct fields *f, struct str body, struct error *e)
{
	if (f->state == IN_KEY)
		return end_key(f, body, e);
	if (f->depth == 1)
		end_value(f, f->at + 1);
	else
		f->state = IN_VALUE;
	return true;
}

/* To the quote that ends the text, or to the end of what has come. */
static void
pass_text(struct fields *f, struct str body)
{
	for (; f->at < body.len; f->at++) {
		if (f->is_escaped)
			f->is_escaped = false;
		else if (body.ptr[f->at] == '\\')
			f->is_escaped = true;
		else if (body.ptr[f->at] == '"')
			return;
	}
}

bool
fields_read(struct fields *f, struct str body, struct error *e)
{
	while (f->at < body.len) {
		if (f->state == IN_TEXT || f->state == IN_KEY) {
			pass_text(f, body);
			if (f->at == body.len)
				return true;
			if (!end_text(f, body, e))
				return false;
		} else if (!take_byte(f, body.ptr[f->at], e)) {
			return false;
		}
		f->at++;
	}
	return true;
}

bool
fields_end(const struct fields *f, struct error *e)
{
	if (f->state == AT_END)
		return true;
	if (f->state == AT_OBJECT)
		return fail_with(e, ERR_INVALID,
				 "the body must be a JSON object");
	return fail_with(e, ERR_INVALID,
			 "the body is not valid JSON: it ends too early");
}

struct str
fields_value(const struct fields *f, struct str body, enum field which)
{
	if (!f->found[which].to)
		return (struct str){ 0 };
	return (struct str){ body.ptr + f->found[which].from,
			     f->found[which].to - f->found[which].from };
}
