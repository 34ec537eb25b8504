#include "workers/schema/check.h"

#include <math.h>
#include <stdio.h>

#include "proto/utf8.h"

/* Values */

bool
is_whole(const json_t *number)
{
	double n = json_real_value(number);

	return json_is_integer(number) ||
	       (json_is_real(number) && isfinite(n) && n == floor(n));
}

static bool
same_number(const json_t *a, const json_t *b)
{
	if (json_is_integer(a) && json_is_integer(b))
		return json_integer_value(a) == json_integer_value(b);
	return json_number_value(a) == json_number_value(b);
}

/* As JSON Schema has it: 1 and 1.0 are the same, and the order of an object's
 * members means nothing. */
bool
same_value(const json_t *a, const json_t *b)
{
	const char *key;
	json_t *value;
	size_t i;

	if (json_is_number(a) && json_is_number(b))
		return same_number(a, b);
	if (json_typeof(a) != json_typeof(b))
		return false;
	if (json_is_array(a)) {
		json_array_foreach (a, i, value)
			if (i >= json_array_size(b) ||
			    !same_value(value, json_array_get(b, i)))
				return false;
		return json_array_size(a) == json_array_size(b);
	}
	if (!json_is_object(a))
		return json_equal(a, b);
	json_object_foreach ((json_t *)a, key, value) {
		const json_t *other = json_object_get(b, key);

		if (!other || !same_value(value, other))
			return false;
	}
	return json_object_size(a) == json_object_size(b);
}

/* The text is the same for the same values. */
static json_t *
plain_form(const json_t *value)
{
	json_t *form, *part;
	const char *key;
	size_t i;

	if (json_is_real(value) && is_whole(value) &&
	    fabs(json_real_value(value)) < 9e15)
		return json_integer((json_int_t)json_real_value(value));
	if (json_is_array(value)) {
		form = json_array();
		json_array_foreach (value, i, part)
			json_array_append_new(form, plain_form(part));
		return form;
	}
	if (!json_is_object(value))
		return json_incref((json_t *)value);
	form = json_object();
	json_object_foreach ((json_t *)value, key, part)
		json_object_set_new_nocheck(form, key, plain_form(part));
	return form;
}

static const char *
kind_of(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
	case JSON_REAL:
		return "a number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "a boolean";
	case JSON_NULL:
		return "null";
	}
	abort();
}

/* How a value is shown in an error: what is large, only by its kind. */
static void
show(const json_t *value, char *to, size_t size)
{
	struct str s = { json_string_value(value), json_string_length(value) };
	bool is_long = s.len > size - 8;
	auto_free char *text = NULL;
	json_auto_t *part = NULL;

	if (json_is_object(value) || json_is_array(value)) {
		snprintf(to, size, "%s", kind_of(value));
		return;
	}
	if (is_long) {
		s.len = size - 8;
		s.len = utf8_whole(s);
		part = json_stringn(s.ptr, s.len);
	}
	text = json_dumps(is_long ? part : value, JSON_ENCODE_ANY);
	snprintf(to, size, "%s%s", text ? text : "?", is_long ? "..." : "");
}

/* As many of them as have room in an error.  The caller frees it. */
static char *
show_all(const json_t *values)
{
	enum { ROOM = 200 };
	struct buf all = BUF_INIT(2 * ROOM);
	const json_t *value;
	char one[60], *text;
	size_t i;

	json_array_foreach (values, i, value) {
		show(value, one, sizeof one);
		if (all.len + strlen(one) > ROOM) {
			buf_print(&all, ", ...");
			break;
		}
		buf_print(&all, "%s%s", i ? ", " : "", one);
	}
	text = copy(buf_str(&all));
	buf_fini(&all);
	return text;
}

/* Any value */

static bool
is_of_type(const json_t *value, const char *type)
{
	switch (type[0]) {
	case 'o':
		return json_is_object(value);
	case 'a':
		return json_is_array(value);
	case 's':
		return json_is_string(value);
	case 'i':
		return is_whole(value);
	case 'b':
		return json_is_boolean(value);
	case 'n':
		return type[2] == 'm' ? json_is_number(value)
				      : json_is_null(value);
	default:
		return false;
	}
}

bool
has_type(struct check *c, const struct test *t)
{
	auto_free char *types = NULL;
	const json_t *type;
	size_t i;

	if (json_is_string(t->says)) {
		const char *name = json_string_value(t->says);

		return is_of_type(t->value, name) ||
		       misfits(c, t->place, "must be of the type %s, and is %s",
			       name, kind_of(t->value));
	}
	json_array_foreach (t->says, i, type)
		if (is_of_type(t->value, json_string_value(type)))
			return true;
	types = show_all(t->says);
	return misfits(c, t->place, "must be of one of the types %s, and is %s",
		       types, kind_of(t->value));
}

bool
is_in_enum(struct check *c, const struct test *t)
{
	auto_free char *all = NULL;
	const json_t *value;
	char is[80];
	size_t i;

	json_array_foreach (t->says, i, value)
		if (same_value(t->value, value))
			return true;
	c->steps += (unsigned)(i / 16);
	all = show_all(t->says);
	show(t->value, is, sizeof is);
	return misfits(c, t->place, "must be one of %s, and is %s", all, is);
}

bool
is_const(struct check *c, const struct test *t)
{
	char must[120], is[80];

	if (same_value(t->value, t->says))
		return true;
	show(t->says, must, sizeof must);
	show(t->value, is, sizeof is);
	return misfits(c, t->place, "must be %s, and is %s", must, is);
}

/* A count must be in a range: of members, elements or characters. */

static bool
is_least(struct check *c, const struct test *t, size_t n, const char *what)
{
	double least = json_number_value(t->says);

	return (double)n >= least ||
	       misfits(c, t->place, "must have %.0f or more %s, and has %zu",
		       least, what, n);
}

static bool
is_most(struct check *c, const struct test *t, size_t n, const char *what)
{
	double most = json_number_value(t->says);

	return (double)n <= most ||
	       misfits(c, t->place, "must have at most %.0f %s, and has %zu",
		       most, what, n);
}

/* Objects */

bool
has_required(struct check *c, const struct test *t)
{
	const json_t *name;
	size_t i;

	json_array_foreach (t->says, i, name) {
		const char *key = json_string_value(name);

		if (!json_object_get(t->value, key))
			return misfits(c, t->place,
				       "must have a member \"%.80s\"", key);
	}
	return true;
}

bool
has_min_properties(struct check *c, const struct test *t)
{
	return is_least(c, t, json_object_size(t->value), "members");
}

bool
has_max_properties(struct check *c, const struct test *t)
{
	return is_most(c, t, json_object_size(t->value), "members");
}

bool
has_dependent_names(struct check *c, const struct test *t)
{
	const char *key;
	json_t *names;

	json_object_foreach ((json_t *)t->says, key, names) {
		const struct test other = { .schema = t->schema,
					    .says = names,
					    .value = t->value,
					    .place = t->place };

		if (json_object_get(t->value, key) && !has_required(c, &other))
			return false;
	}
	return true;
}

/* Lists */

bool
has_min_items(struct check *c, const struct test *t)
{
	return is_least(c, t, json_array_size(t->value), "elements");
}

bool
has_max_items(struct check *c, const struct test *t)
{
	return is_most(c, t, json_array_size(t->value), "elements");
}

bool
is_unique(struct check *c, const struct test *t)
{
	json_t *seen = json_object(), *value;
	bool ok = true;
	size_t i;

	if (json_is_true(t->says))
		json_array_foreach (t->value, i, value) {
			json_auto_t *form = plain_form(value);
			auto_free char *text =
				json_dumps(form, JSON_COMPACT | JSON_SORT_KEYS |
							 JSON_ENCODE_ANY);

			ok = text && !json_object_get(seen, text);
			if (!ok) {
				misfits(c, t->place,
					"must not have the same element twice: "
					"%.80s, at [%zu]",
					text, i);
				break;
			}
			json_object_set_new_nocheck(seen, text, json_true());
		}
	json_decref(seen);
	return ok;
}

/* Numbers */

/* Integers are compared as such: a double has no room for all their digits. */
static int
compare(const json_t *a, const json_t *b)
{
	double x = json_number_value(a), y = json_number_value(b);

	if (json_is_integer(a) && json_is_integer(b)) {
		json_int_t i = json_integer_value(a), k = json_integer_value(b);

		return i < k ? -1 : i > k;
	}
	return x < y ? -1 : x > y;
}

static bool
is_in_range(struct check *c, const struct test *t, bool ok, const char *must)
{
	char limit[40], is[40];

	if (ok)
		return true;
	show(t->says, limit, sizeof limit);
	show(t->value, is, sizeof is);
	return misfits(c, t->place, "must be %s %s, and is %s", must, limit,
		       is);
}

bool
is_minimum(struct check *c, const struct test *t)
{
	return is_in_range(c, t, compare(t->value, t->says) >= 0, "at least");
}

bool
is_maximum(struct check *c, const struct test *t)
{
	return is_in_range(c, t, compare(t->value, t->says) <= 0, "at most");
}

bool
is_above(struct check *c, const struct test *t)
{
	return is_in_range(c, t, compare(t->value, t->says) > 0, "more than");
}

bool
is_below(struct check *c, const struct test *t)
{
	return is_in_range(c, t, compare(t->value, t->says) < 0, "less than");
}

/* 0.07 is a multiple of 0.01 for whoever wrote the schema, but not for their
 * nearest doubles: so the quotient need only be next to a whole number. */
static bool
is_quotient_whole(const json_t *value, const json_t *of)
{
	double quotient = json_number_value(value) / json_number_value(of);

	if (json_is_integer(value) && json_is_integer(of))
		return json_integer_value(value) % json_integer_value(of) == 0;
	return isfinite(quotient) &&
	       fabs(quotient - round(quotient)) <=
		       1e-9 * fmax(1, fabs(quotient)) * 1e-3 + 1e-9;
}

bool
is_multiple(struct check *c, const struct test *t)
{
	return is_in_range(c, t, is_quotient_whole(t->value, t->says),
			   "a multiple of");
}

/* Texts */

/* In characters, which need no more than their first bytes to be counted. */
static size_t
length_of(const json_t *text)
{
	const char *s = json_string_value(text);
	size_t n = 0;

	for (size_t i = 0; i < json_string_length(text); i++)
		n += ((unsigned char)s[i] & 0xc0) != 0x80;
	return n;
}

bool
has_min_length(struct check *c, const struct test *t)
{
	return is_least(c, t, length_of(t->value), "characters");
}

bool
has_max_length(struct check *c, const struct test *t)
{
	return is_most(c, t, length_of(t->value), "characters");
}

bool
matches_pattern(struct check *c, const struct test *t)
{
	char is[80];
	const struct str text = { json_string_value(t->value),
				  json_string_length(t->value) };
	enum match m =
		pattern_find(c->patterns, json_string_value(t->says), text);

	if (m == MATCH_GAVE_UP)
		return gives_up(c, TOO_LONG_TO_MATCH);
	if (m == MATCH)
		return true;
	show(t->value, is, sizeof is);
	return misfits(c, t->place, "must match the pattern %.160s, and is %s",
		       json_string_value(t->says), is);
}

bool
has_format(struct check *c, const struct test *t)
{
	const struct format *f = format_named(json_string_value(t->says));
	char is[80];

	if (!f || format_fits(f, json_string_value(t->value),
			      json_string_length(t->value)))
		return true;
	show(t->value, is, sizeof is);
	return misfits(c, t->place, "must have the format %.40s, and is %s",
		       json_string_value(t->says), is);
}
