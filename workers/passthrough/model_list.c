#include "workers/passthrough/model_list.h"

#include <jansson.h>

#include "workers/io/scan.h"

#define MAX_EXACT                                                  \
	9007199254740992.0 /* of the integers that a double can be \
			    */

/* NULL if it is absent, or cannot be read. */
static json_t *
member(struct str model, const char *name)
{
	struct str raw = scan_member(model, name);

	return raw.ptr ? json_loadb(raw.ptr, raw.len,
				    JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL,
				    NULL)
		       : NULL;
}

static bool
is_plain(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

/* Takes `value`; where it is no text nothing is set. */
static void
set_text(json_t *row, const char *name, json_t *value)
{
	const char *text = json_string_value(value);

	if (text && *text && is_plain(text))
		json_object_set(row, name, value);
	json_decref(value);
}

/* The same of a whole number above 0, which some write as a fraction. */
static void
set_count(json_t *row, const char *name, json_t *value)
{
	double number = json_number_value(value);

	if (number >= 1 && number < MAX_EXACT)
		json_object_set_new(row, name,
				    json_integer((json_int_t)number));
	json_decref(value);
}

static json_t *
row_of(const char *provider, struct str model)
{
	json_t *id = member(model, "id"), *row;
	const char *text = json_string_value(id);

	if (!text || !*text || strlen(text) > MAX_MODEL || !is_plain(text)) {
		json_decref(id);
		return NULL;
	}
	row = json_object();
	json_object_set_new(row, "id", json_sprintf("%s/%s", provider, text));
	json_object_set_new(row, "object", json_string("model"));
	set_count(row, "created", member(model, "created"));
	json_object_set_new(row, "owned_by", json_string(provider));
	set_text(row, "upstream_owned_by", member(model, "owned_by"));
	set_text(row, "name", member(model, "name"));
	set_count(row, "context_length", member(model, "context_length"));
	json_decref(id);
	return row;
}

static bool
add_row(struct buf *rows, const char *provider, struct str model)
{
	json_t *row = row_of(provider, model);
	auto_free char *text = row ? json_dumps(row, JSON_COMPACT) : NULL;
	size_t had = rows->len;
	struct error e;

	json_decref(row);
	if (!text)
		return false;
	if ((!had || buf_add(rows, STR(","), &e)) &&
	    buf_add(rows, str_of(text), &e))
		return true;
	rows->len = had;
	return false;
}

/* The list is the answer itself, or its "data", which may be cut. */
static bool
find_list(struct scan *s)
{
	struct str key, value;

	if (scan_take(s, '['))
		return true;
	if (!scan_take(s, '{'))
		return false;
	do {
		if (!scan_key(s, &key))
			return false;
		if (scan_key_is(key, "data") && scan_take(s, '['))
			return true;
		if (!scan_value(s, &value))
			return false;
	} while (scan_take(s, ','));
	return false;
}

bool
model_list_read(struct buf *rows, const char *provider, struct str answer,
		unsigned *left_out, struct error *e)
{
	struct scan s = scan_of(answer);
	struct str model;

	if (!find_list(&s))
		return fail_with(e, ERR_UPSTREAM, "it sent no list of models");
	*left_out = 0;
	do {
		if (!scan_value(&s, &model))
			break; /* the end, or where it is cut */
		*left_out += !add_row(rows, provider, model);
	} while (scan_take(&s, ','));
	return true;
}
