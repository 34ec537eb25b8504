#include "workers/cli/structured.h"

#include "proto/buf.h"
#include "proto/utf8.h"
#include "workers/schema/schema.h"

/* Looking for it */

enum {
	MAX_FENCES = 64, /* that are looked into */
	MAX_TRIES = 64,	 /* places where a value may begin in the text */
};

/* An answer that is looked through. */
struct search {
	const json_t *schema;
	struct str found;  /* the last that fits; absent: none so far */
	struct error *why; /* of the last that does not */
	uint64_t began_ms; /* by schema_clock_ms() */
};

static json_t *
any_object(void)
{
	return json_pack("{s:s}", "type", "object");
}

/* Integers that are too large for one stay numbers. */
static json_t *
read(struct str text, size_t flags, json_error_t *why)
{
	size_t always = JSON_DECODE_ANY | JSON_ALLOW_NUL | flags;
	json_t *json = json_loadb(text.ptr, text.len, always, why);

	if (!json && json_error_code(why) == json_error_numeric_overflow)
		json = json_loadb(text.ptr, text.len,
				  always | JSON_DECODE_INT_AS_REAL, why);
	return json;
}

/* Takes `json`, which is what the text says.  All that an answer says gets no
 * more time than one value. */
static void
consider(struct search *s, struct str text, json_t *json)
{
	if (schema_clock_ms() - s->began_ms > MAX_SCHEMA_MS)
		fail_with(s->why, ERR_INVALID_OUTPUT,
			  "it is too much to check: it has too many values");
	else if (schema_fits(s->schema, json, s->why))
		s->found = text;
	json_decref(json);
}

/* ```json ... ``` */
static bool
search_fences(struct search *s, struct str text)
{
	bool has_json = false;

	for (int i = 0; i < MAX_FENCES && text.len; i++) {
		const char *open = memmem(text.ptr, text.len, "```", 3);
		const char *line, *close;
		struct str inside;
		json_error_t why;
		json_t *json;

		if (!open)
			break;
		text = str_from(text, (size_t)(open - text.ptr));
		line = memchr(text.ptr, '\n', text.len);
		if (!line)
			break;
		inside = str_from(text, (size_t)(line - text.ptr) + 1);
		close = memmem(inside.ptr, inside.len, "```", 3);
		if (!close)
			break;
		text = str_from(inside, (size_t)(close - inside.ptr) + 3);
		inside.len = (size_t)(close - inside.ptr);
		inside = str_trim(inside);
		json = inside.len ? read(inside, 0, &why) : NULL;
		if (!json)
			continue;
		has_json = true;
		consider(s, inside, json);
	}
	return has_json;
}

/* An object or a list with words around it.  What is inside one is not looked
 * for: it may fit by chance. */
static bool
search_words(struct search *s, struct str text)
{
	bool has_json = false;

	for (int i = 0; i < MAX_TRIES && text.len; i++) {
		struct str value;
		json_error_t why;
		json_t *json;

		while (text.len && *text.ptr != '{' && *text.ptr != '[')
			text = str_from(text, 1);
		json = text.len ? read(text, JSON_DISABLE_EOF_CHECK, &why)
				: NULL;
		if (!json) {
			text = text.len ? str_from(text, 1) : text;
			continue;
		}
		value = (struct str){ text.ptr, (size_t)why.position };
		text = str_from(text, value.len);
		has_json = true;
		consider(s, value, json);
	}
	return has_json;
}

bool
structured_find(struct str answer, const struct options *o, struct str *json,
		struct error *e)
{
	json_auto_t *object = o->schema ? NULL : any_object();
	struct search s = {
		.schema =
			object ? object : json_object_get(o->schema, "schema"),
		.why = e,
		.began_ms = schema_clock_ms(),
	};
	struct str text = str_trim(answer);
	struct error why = { 0 };
	json_error_t not_json;
	json_t *whole = read(text, 0, &not_json);

	s.why = &why;
	if (whole)
		consider(&s, text, whole);
	else if (!text.len)
		fail_with(&why, ERR_INVALID_OUTPUT, "it is empty");
	else if (!search_fences(&s, text) && !search_words(&s, text))
		fail_with(&why, ERR_INVALID_OUTPUT,
			  "it is not JSON: %.160s, at byte %d", not_json.text,
			  not_json.position);
	if (!s.found.ptr) {
		*e = why;
		return false;
	}
	*json = s.found;
	return true;
}

/* Asking for it */

/* The schema as the caller has written it, but for white space. */
static char *
words_for(const struct options *o, const char *before)
{
	const json_t *schema = json_object_get(o->schema, "schema");
	const char *about =
		json_string_value(json_object_get(o->schema, "description"));
	auto_free char *text = schema ? json_dumps(schema, JSON_COMPACT) : NULL;

	if (!schema)
		return copy_format(
			"%sAnswer with exactly one JSON object and nothing "
			"else: no words before or after it, and no code fence.",
			before);
	return copy_format(
		"%sAnswer with exactly one JSON value and nothing else: no "
		"words before or after it, and no code fence. It must be valid "
		"under this JSON Schema%s%s:\n%s",
		before, about ? ", which describes: " : "", about ? about : "",
		text);
}

static json_t *
text_part(const char *text)
{
	return json_pack("{s:s, s:s}", "type", "text", "text", text);
}

json_t *
structured_ask(const json_t *messages, const struct options *o)
{
	size_t last = json_array_size(messages) - 1;
	json_t *all = json_copy((json_t *)messages);
	json_t *message = json_copy(json_array_get(messages, last));
	json_t *content = json_copy(json_object_get(message, "content"));
	auto_free char *words = words_for(o, "");

	json_array_append_new(content, text_part(words));
	json_object_set_new(message, "content", content);
	json_array_set_new(all, last, message);
	return all;
}

json_t *
structured_ask_again(const struct options *o, const struct error *why,
		     bool told)
{
	auto_free char *before = copy_format(
		"Your last answer does not have the form that was asked for: "
		"%s.\n",
		why->text);
	auto_free char *words =
		told ? copy_format("%sAnswer again, in that form.", before)
		     : words_for(o, before);

	return json_pack("{s:s, s:[o]}", "role", "user", "content",
			 text_part(words));
}
