#include "workers/schema/check.h"

#include <stdarg.h>
#include <stdio.h>

/* What a keyword says something about. */
enum of { OF_any, OF_number, OF_text, OF_list, OF_object };

/* The tests below, of keywords that have schemas in them. */
static test_fn has_properties, has_additional, has_patterns, has_names,
	has_dependent_schemas, has_dependencies, has_prefix, has_items,
	contains, fits_all, fits_any, fits_one, fits_not, fits_if,
	fits_reference;

static const struct {
	const char *name;
	enum of of;
	test_fn *test;
} keywords[KEYWORDS] = {
#define KEYWORD(ID, name, shape, of, test) { name, OF_##of, test },
#include "workers/schema/keywords.def"
};

enum keyword
keyword_of(const char *name)
{
	for (int i = 0; i < KEYWORDS; i++)
		if (keywords[i].name[0] == name[0] &&
		    !strcmp(keywords[i].name, name))
			return (enum keyword)i;
	return KEYWORDS;
}

static const json_t *
said(const struct test *t, enum keyword k)
{
	return json_object_get(t->schema, keywords[k].name);
}

/* Places */

enum { MAX_PLACE = 200 /* bytes of one that is shown */ };

static bool
is_plain_key(const char *key)
{
	return *key && !key[strspn(key, "abcdefghijklmnopqrstuvwxyz"
					"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
					"0123456789_-$")];
}

static char *
step_text(const struct place *p)
{
	if (!p->key)
		return copy_format("[%zu]", p->index);
	return copy_format(is_plain_key(p->key) ? ".%.80s" : "[\"%.80s\"]",
			   p->key);
}

/* Of a deep place the beginning is left out. */
char *
place_text(const char *root, const struct place *p)
{
	auto_free char *rest = copy(STR(""));

	for (; p && strlen(rest) < MAX_PLACE; p = p->above) {
		auto_free char *step = step_text(p), *before = rest;

		rest = copy_format("%s%s", step, before);
	}
	return copy_format("%s%s%s", root, p ? "..." : "", rest);
}

bool
misfits(struct check *c, const struct place *place, const char *fmt, ...)
{
	auto_free char *where = place_text("$", place);
	char text[MAX_ERROR_TEXT];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	return fail_with(c->why, ERR_INVALID_OUTPUT, "%s: %s", where, text);
}

bool
gives_up(struct check *c, const char *limit)
{
	c->gave_up = true;
	return fail_with(c->why, ERR_INVALID_OUTPUT,
			 "it is too much to check: %s", limit);
}

/* A schema is applied */

static bool
is_about(enum of of, const json_t *value)
{
	switch (of) {
	case OF_any:
		return true;
	case OF_number:
		return json_is_number(value);
	case OF_text:
		return json_is_string(value);
	case OF_list:
		return json_is_array(value);
	case OF_object:
		return json_is_object(value);
	}
	abort();
}

enum { CLOCK_EVERY = 16 /* keywords: it costs as much as some of them */ };

static bool
has_time(struct check *c)
{
	if (++c->applied < CLOCK_EVERY)
		return true;
	c->applied = 0;
	return schema_clock_ms() - c->began_ms <= MAX_SCHEMA_MS;
}

static bool
applies(struct check *c, const json_t *schema, const json_t *value,
	const struct place *place)
{
	struct test t = { .schema = schema, .value = value, .place = place };
	const char *name;
	json_t *says;

	json_object_foreach ((json_t *)schema, name, says) {
		enum keyword k = keyword_of(name);

		if (++c->steps > MAX_SCHEMA_STEPS || !has_time(c))
			return gives_up(c, "the value and its schema are too "
					   "large");
		t.says = says;
		if (k != KEYWORDS && keywords[k].test &&
		    is_about(keywords[k].of, value) && !keywords[k].test(c, &t))
			return false;
	}
	return true;
}

static bool
fits(struct check *c, const json_t *schema, const json_t *value,
     const struct place *place)
{
	bool ok;

	if (json_is_false(schema))
		return misfits(c, place, "must not be there");
	if (!json_is_object(schema))
		return true;
	if (c->depth == MAX_SCHEMA_DEPTH)
		return gives_up(c, "it nests too deep");
	c->depth++;
	ok = applies(c, schema, value, place);
	c->depth--;
	return ok;
}

/* The same, where it is no failure if it does not fit. */
static bool
fits_tried(struct check *c, const json_t *schema, const json_t *value,
	   const struct place *place, struct error *why)
{
	struct error *before = c->why;
	bool ok;

	c->why = why;
	ok = fits(c, schema, value, place);
	c->why = before;
	return ok;
}

/* A limit was reached within what was tried. */
static bool
pass_on(struct check *c, const struct error *why)
{
	*c->why = *why;
	return false;
}

/* Objects */

static bool
member_fits(struct check *c, const struct test *t, const json_t *schema,
	    const char *key, const json_t *value)
{
	const struct place place = { .above = t->place, .key = key };

	return fits(c, schema, value, &place);
}

static bool
has_properties(struct check *c, const struct test *t)
{
	bool by_value = json_object_size(t->value) < json_object_size(t->says);
	const char *key;
	json_t *walked;

	json_object_foreach ((json_t *)(by_value ? t->value : t->says), key,
			     walked) {
		const json_t *schema = json_object_get(t->says, key);
		const json_t *value = json_object_get(t->value, key);

		c->steps++;
		if (schema && value && !member_fits(c, t, schema, key, value))
			return false;
	}
	return true;
}

/* Holds the members whose keys match against the schemas of their patterns. */
static bool
has_patterns(struct check *c, const struct test *t)
{
	const char *pattern, *key;
	json_t *schema, *value;

	json_object_foreach ((json_t *)t->says, pattern, schema)
		json_object_foreach ((json_t *)t->value, key, value) {
			enum match m =
				pattern_find(c->patterns, pattern, str_of(key));

			c->steps++;
			if (m == MATCH_GAVE_UP)
				return gives_up(c, TOO_LONG_TO_MATCH);
			if (m == MATCH &&
			    !member_fits(c, t, schema, key, value))
				return false;
		}
	return true;
}

static bool
is_in_patterns(struct check *c, const struct test *t, const char *key)
{
	const char *pattern;
	json_t *schema;

	json_object_foreach ((json_t *)said(t, KEYWORD_PATTERNS), pattern,
			     schema) {
		c->steps++;
		if (pattern_find(c->patterns, pattern, str_of(key)) != NO_MATCH)
			return true;
	}
	return false;
}

static bool
has_additional(struct check *c, const struct test *t)
{
	const json_t *named = said(t, KEYWORD_PROPERTIES);
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)t->value, key, value) {
		if (json_object_get(named, key) || is_in_patterns(c, t, key))
			continue;
		if (json_is_false(t->says))
			return misfits(c, t->place,
				       "must not have a member \"%.80s\"", key);
		if (!member_fits(c, t, t->says, key, value))
			return false;
	}
	return true;
}

static bool
has_names(struct check *c, const struct test *t)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)t->value, key, value) {
		json_auto_t *name = json_string(key);

		if (!member_fits(c, t, t->says, key, name))
			return false;
	}
	return true;
}

static bool
has_dependent_schemas(struct check *c, const struct test *t)
{
	const char *key;
	json_t *schema;

	json_object_foreach ((json_t *)t->says, key, schema)
		if (json_object_get(t->value, key) &&
		    !fits(c, schema, t->value, t->place))
			return false;
	return true;
}

/* Of draft 7: each is a schema, or a list of names. */
static bool
has_dependencies(struct check *c, const struct test *t)
{
	const char *key;
	json_t *says;

	json_object_foreach ((json_t *)t->says, key, says) {
		json_auto_t *one = json_pack("{s:O}", key, says);
		const struct test other = { .schema = t->schema,
					    .says = one,
					    .value = t->value,
					    .place = t->place };

		if (!(json_is_array(says) ? has_dependent_names(c, &other)
					  : has_dependent_schemas(c, &other)))
			return false;
	}
	return true;
}

/* Lists */

static bool
elements_fit(struct check *c, const struct test *t, const json_t *schema,
	     size_t from)
{
	struct place place = { .above = t->place };
	size_t n = json_array_size(t->value);

	for (place.index = from; place.index < n; place.index++)
		if (!fits(c, schema, json_array_get(t->value, place.index),
			  &place))
			return false;
	return true;
}

static bool
begins_with(struct check *c, const struct test *t, const json_t *schemas)
{
	struct place place = { .above = t->place };
	size_t n = json_array_size(t->value);

	for (; place.index < json_array_size(schemas) && place.index < n;
	     place.index++)
		if (!fits(c, json_array_get(schemas, place.index),
			  json_array_get(t->value, place.index), &place))
			return false;
	return true;
}

static bool
has_prefix(struct check *c, const struct test *t)
{
	return begins_with(c, t, t->says);
}

/* Before 2020-12 a list of schemas was what prefixItems is, and
 * additionalItems what items is. */
static bool
has_items(struct check *c, const struct test *t)
{
	const json_t *rest = said(t, KEYWORD_ADDITIONAL_ITEMS);

	if (!json_is_array(t->says))
		return elements_fit(
			c, t, t->says,
			json_array_size(said(t, KEYWORD_PREFIX_ITEMS)));
	return begins_with(c, t, t->says) &&
	       elements_fit(c, t, rest, json_array_size(t->says));
}

static size_t
count_of(const json_t *says, size_t otherwise)
{
	double n = json_number_value(says);

	return !says ? otherwise : n < (double)SIZE_MAX ? (size_t)n : SIZE_MAX;
}

static bool
contains(struct check *c, const struct test *t)
{
	size_t least = count_of(said(t, KEYWORD_MIN_CONTAINS), 1);
	size_t most = count_of(said(t, KEYWORD_MAX_CONTAINS), SIZE_MAX);
	struct place place = { .above = t->place };
	struct error why = { 0 };
	size_t found = 0;

	for (; place.index < json_array_size(t->value); place.index++) {
		found += fits_tried(c, t->says,
				    json_array_get(t->value, place.index),
				    &place, &why);
		if (c->gave_up)
			return pass_on(c, &why);
	}
	if (found < least)
		return misfits(c, t->place,
			       "must have %zu or more elements that fit "
			       "\"contains\", and has %zu",
			       least, found);
	return found <= most ||
	       misfits(c, t->place,
		       "must have at most %zu elements that fit "
		       "\"contains\", and has %zu",
		       most, found);
}

/* Several schemas */

static bool
fits_all(struct check *c, const struct test *t)
{
	const json_t *schema;
	size_t i;

	json_array_foreach (t->says, i, schema)
		if (!fits(c, schema, t->value, t->place))
			return false;
	return true;
}

/*
 * Counts the schemas that fit, up to `most`.  `why` is the failure that came
 * furthest: of several kinds of objects that is the one that was meant.
 */
static size_t
count_fits(struct check *c, const struct test *t, size_t most,
	   struct error *why)
{
	struct error failure = { 0 };
	unsigned furthest = 0, before;
	const json_t *schema;
	size_t i, found = 0;

	json_array_foreach (t->says, i, schema) {
		before = c->steps;
		if (fits_tried(c, schema, t->value, t->place, &failure)) {
			if (++found == most)
				break;
		} else if (c->gave_up || i == 0 ||
			   c->steps - before > furthest) {
			furthest = c->steps - before;
			*why = failure;
		}
		if (c->gave_up)
			break;
	}
	return found;
}

static bool
fits_any(struct check *c, const struct test *t)
{
	struct error why = { 0 };

	if (count_fits(c, t, 1, &why))
		return true;
	if (c->gave_up || json_array_size(t->says) == 1)
		return pass_on(c, &why);
	return misfits(c, t->place,
		       "fits none of the %zu alternatives; closest: %.300s",
		       json_array_size(t->says), why.text);
}

static bool
fits_one(struct check *c, const struct test *t)
{
	struct error why = { 0 };
	size_t found = count_fits(c, t, 2, &why);

	if (c->gave_up)
		return pass_on(c, &why);
	if (found == 1)
		return true;
	if (found)
		return misfits(c, t->place,
			       "fits more than one of the %zu alternatives",
			       json_array_size(t->says));
	return misfits(c, t->place,
		       "fits none of the %zu alternatives; closest: %.300s",
		       json_array_size(t->says), why.text);
}

static bool
fits_not(struct check *c, const struct test *t)
{
	struct error why = { 0 };
	bool fitted = fits_tried(c, t->says, t->value, t->place, &why);

	if (c->gave_up)
		return pass_on(c, &why);
	return !fitted ||
	       misfits(c, t->place, "must not be what \"not\" describes");
}

static bool
fits_if(struct check *c, const struct test *t)
{
	struct error why = { 0 };
	bool fitted = fits_tried(c, t->says, t->value, t->place, &why);

	if (c->gave_up)
		return pass_on(c, &why);
	return fits(c, said(t, fitted ? KEYWORD_THEN : KEYWORD_ELSE), t->value,
		    t->place);
}

/* References */

static int
hex(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* A step of a JSON pointer in a fragment: "%25" is "%", "~1" is "/" and "~0"
 * is "~". */
static char *
unescape(struct str s)
{
	struct buf b = BUF_INIT(s.len + 1);

	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (c == '%' && i + 2 < s.len && hex(s.ptr[i + 1]) >= 0 &&
		    hex(s.ptr[i + 2]) >= 0) {
			c = (char)(hex(s.ptr[i + 1]) * 16 + hex(s.ptr[i + 2]));
			i += 2;
		} else if (c == '~' && i + 1 < s.len) {
			c = s.ptr[++i] == '1' ? '/' : '~';
		}
		buf_put(&b, (struct str){ &c, 1 });
	}
	buf_put(&b, (struct str){ "", 1 });
	return b.ptr;
}

static const json_t *
step_into(const json_t *from, const char *step)
{
	char *end;
	unsigned long index;

	if (json_is_object(from))
		return json_object_get(from, step);
	index = strtoul(step, &end, 10);
	return *step && !*end ? json_array_get(from, index) : NULL;
}

const json_t *
schema_at(const json_t *root, const char *reference)
{
	const json_t *at = root;
	struct str rest = str_of(reference), step;

	if (rest.len < 1 || *rest.ptr != '#')
		return NULL;
	rest = str_from(rest, 1);
	if (!rest.len)
		return root;
	if (*rest.ptr != '/')
		return NULL;
	rest = str_from(rest, 1);
	while (at && rest.ptr) {
		auto_free char *name = NULL;

		step = str_cut(rest, '/', &rest);
		name = unescape(step);
		at = step_into(at, name);
	}
	return at;
}

static bool
fits_reference(struct check *c, const struct test *t)
{
	return fits(c, schema_at(c->root, json_string_value(t->says)), t->value,
		    t->place);
}

bool
schema_fits(const json_t *schema, const json_t *value, struct error *e)
{
	struct check c = { .root = schema,
			   .patterns = patterns_new(),
			   .began_ms = schema_clock_ms(),
			   .why = e };
	bool ok = fits(&c, schema, value, NULL);

	patterns_free(c.patterns);
	return ok;
}
