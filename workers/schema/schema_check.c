#include "workers/schema/check.h"

#include <stdarg.h>
#include <stdio.h>

#include "workers/io/json.h"

/* A schema while it is read. */
struct reading {
	const json_t *root;
	const char *where; /* what an error calls the root */
	bool is_strict;
	unsigned depth, steps;
	struct error *e;
};

/* A keyword, or what is in it. */
struct said {
	const json_t *value;
	const struct place *place;
};

typedef bool shape_fn(struct reading *, const struct said *);

static bool read_schema(struct reading *, const struct said *);

static bool wrong(struct reading *, const struct place *, const char *fmt, ...)
	printf_like(3);

static bool
wrong(struct reading *r, const struct place *place, const char *fmt, ...)
{
	auto_free char *where = place_text(r->where, place);
	char text[MAX_ERROR_TEXT];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	return fail_about(r->e, ERR_INVALID, "%s: %s", where, text);
}

/* What is in an object or a list. */

static bool
read_members(struct reading *r, const struct said *s, shape_fn *read)
{
	const char *key;
	json_t *value;

	if (!json_is_object(s->value))
		return wrong(r, s->place, "must be an object");
	json_object_foreach ((json_t *)s->value, key, value) {
		const struct place place = { .above = s->place, .key = key };

		if (!read(r, &(struct said){ value, &place }))
			return false;
	}
	return true;
}

static bool
read_elements(struct reading *r, const struct said *s, shape_fn *read)
{
	struct place place = { .above = s->place };

	if (!json_is_array(s->value))
		return wrong(r, s->place, "must be an array");
	for (; place.index < json_array_size(s->value); place.index++)
		if (!read(r,
			  &(struct said){ json_array_get(s->value, place.index),
					  &place }))
			return false;
	return true;
}

/* The shapes of keywords.def. */

static bool
is_anything(struct reading *r, const struct said *s)
{
	return true;
}

static bool
is_schema(struct reading *r, const struct said *s)
{
	return read_schema(r, s);
}

static bool
is_schema_map(struct reading *r, const struct said *s)
{
	return read_members(r, s, read_schema);
}

static bool
is_schemas(struct reading *r, const struct said *s)
{
	if (json_is_array(s->value) && !json_array_size(s->value))
		return wrong(r, s->place, "must not be empty");
	return read_elements(r, s, read_schema);
}

static bool
is_items(struct reading *r, const struct said *s)
{
	return json_is_array(s->value) ? read_elements(r, s, read_schema)
				       : read_schema(r, s);
}

static bool
is_type(struct reading *r, const struct said *s)
{
	static const char *const types[] = { "string",	"number", "integer",
					     "boolean", "object", "array",
					     "null" };
	const char *name = json_string_value(s->value);

	for (size_t i = 0; name && i < sizeof types / sizeof *types; i++)
		if (!strcmp(name, types[i]))
			return true;
	return wrong(r, s->place,
		     "must be one of string, number, integer, boolean, "
		     "object, array, null");
}

static bool
is_types(struct reading *r, const struct said *s)
{
	if (!json_is_array(s->value))
		return is_type(r, s);
	if (!json_array_size(s->value))
		return wrong(r, s->place, "must not be empty");
	return read_elements(r, s, is_type);
}

static bool
is_values(struct reading *r, const struct said *s)
{
	if (!json_is_array(s->value) || !json_array_size(s->value))
		return wrong(r, s->place, "must be an array of values");
	return true;
}

static bool
is_name(struct reading *r, const struct said *s)
{
	return json_is_string(s->value) ||
	       wrong(r, s->place, "must be a string");
}

static bool
is_names(struct reading *r, const struct said *s)
{
	return read_elements(r, s, is_name);
}

static bool
is_names_map(struct reading *r, const struct said *s)
{
	return read_members(r, s, is_names);
}

static bool
is_dependency(struct reading *r, const struct said *s)
{
	return json_is_array(s->value) ? is_names(r, s) : read_schema(r, s);
}

static bool
is_dependencies(struct reading *r, const struct said *s)
{
	return read_members(r, s, is_dependency);
}

static bool
is_pattern_text(struct reading *r, const struct place *place, struct str text)
{
	struct error why = { 0 };

	if (memchr(text.ptr, '\0', text.len))
		return wrong(r, place, "must have no NUL character");
	return pattern_check(text.ptr, &why) ||
	       wrong(r, place, "is no regular expression: %.200s", why.text);
}

static bool
is_pattern(struct reading *r, const struct said *s)
{
	const struct str text = { json_string_value(s->value),
				  json_string_length(s->value) };

	return is_name(r, s) && is_pattern_text(r, s->place, text);
}

static bool
is_pattern_member(struct reading *r, const struct said *s)
{
	return is_pattern_text(r, s->place, str_of(s->place->key)) &&
	       read_schema(r, s);
}

static bool
is_pattern_map(struct reading *r, const struct said *s)
{
	return read_members(r, s, is_pattern_member);
}

static bool
is_number(struct reading *r, const struct said *s)
{
	return json_is_number(s->value) ||
	       wrong(r, s->place, "must be a number");
}

static bool
is_positive(struct reading *r, const struct said *s)
{
	return json_number_value(s->value) > 0 ||
	       wrong(r, s->place, "must be a number above 0");
}

static bool
is_count(struct reading *r, const struct said *s)
{
	return (is_whole(s->value) && json_number_value(s->value) >= 0) ||
	       wrong(r, s->place, "must be a whole number from 0 up");
}

static bool
is_flag(struct reading *r, const struct said *s)
{
	return json_is_boolean(s->value) ||
	       wrong(r, s->place, "must be true or false");
}

static bool
is_format(struct reading *r, const struct said *s)
{
	const char *name = json_string_value(s->value);

	if (!name)
		return wrong(r, s->place, "must be a string");
	return !r->is_strict || format_named(name) ||
	       wrong(r, s->place,
		     "\"%.40s\" is not known, and the schema is strict", name);
}

/* References may go in a circle only by way of a part of the value. */

static bool
goes_round(struct reading *r, const json_t *schema, unsigned depth)
{
	static const char *const in_place[] = { "allOf", "anyOf", "oneOf",
						"not",	 "if",	  "then",
						"else" };
	const char *reference = json_text(schema, "$ref");
	const json_t *part;
	size_t k;

	if (depth > MAX_SCHEMA_CIRCLE || ++r->steps > MAX_SCHEMA_STEPS)
		return true;
	if (reference &&
	    goes_round(r, schema_at(r->root, reference), depth + 1))
		return true;
	for (size_t i = 0; i < sizeof in_place / sizeof *in_place; i++) {
		const json_t *said = json_object_get(schema, in_place[i]);

		if (json_is_object(said) && goes_round(r, said, depth + 1))
			return true;
		json_array_foreach (said, k, part)
			if (goes_round(r, part, depth + 1))
				return true;
	}
	return false;
}

static bool
is_reference(struct reading *r, const struct said *s)
{
	const char *name = json_string_value(s->value);
	const json_t *to = name ? schema_at(r->root, name) : NULL;

	if (!name)
		return wrong(r, s->place, "must be a string");
	if (*name != '#' || (name[1] && name[1] != '/'))
		return wrong(
			r, s->place,
			"\"%.80s\" must begin with \"#/\": only what is in "
			"the schema itself can be referred to",
			name);
	if (!json_is_object(to) && !json_is_boolean(to))
		return wrong(r, s->place, "there is no schema at \"%.80s\"",
			     name);
	return !goes_round(r, to, 0) ||
	       wrong(r, s->place, "\"%.80s\" refers to itself without end",
		     name);
}

static shape_fn *const shapes[KEYWORDS] = {
#define KEYWORD(ID, name, shape, of, test) is_##shape,
#include "workers/schema/keywords.def"
};

static bool
is_unchecked(const char *name)
{
	static const char *const names[] = {
#define UNCHECKED(name) name,
#include "workers/schema/keywords.def"
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

static bool
read_keyword(struct reading *r, const struct said *s)
{
	const char *name = s->place->key;
	enum keyword k = keyword_of(name);

	if (k != KEYWORDS)
		return shapes[k](r, s);
	if (is_unchecked(name))
		return wrong(r, s->place,
			     "this keyword is not supported, and cannot be "
			     "passed over: it narrows what is valid");
	return !r->is_strict ||
	       wrong(r, s->place,
		     "this keyword is not known, and the schema is strict");
}

static bool
read_schema(struct reading *r, const struct said *s)
{
	bool ok;

	if (json_is_boolean(s->value))
		return true;
	if (!json_is_object(s->value))
		return wrong(r, s->place,
			     "must be a schema: an object, true "
			     "or false");
	if (r->depth == MAX_SCHEMA_DEPTH)
		return wrong(r, s->place, "nests deeper than %d levels",
			     MAX_SCHEMA_DEPTH);
	r->depth++;
	ok = read_members(r, s, read_keyword);
	r->depth--;
	return ok;
}

bool
schema_check(const json_t *schema, const char *where, bool is_strict,
	     struct error *e)
{
	struct reading r = {
		.root = schema, .where = where, .is_strict = is_strict, .e = e
	};

	return read_schema(&r, &(struct said){ .value = schema });
}

/* OpenAI's subset */

static bool
names_all(const json_t *schema)
{
	const json_t *properties = json_object_get(schema, "properties");
	const json_t *required = json_object_get(schema, "required"), *name;
	size_t i, found = 0;

	json_array_foreach (required, i, name)
		found += json_object_get(properties, json_string_value(name)) !=
			 NULL;
	return json_is_false(json_object_get(schema, "additionalProperties")) &&
	       found == json_object_size(properties) &&
	       found == json_array_size(required);
}

static bool
is_for_objects(const json_t *schema)
{
	const json_t *type = json_object_get(schema, "type"), *one;
	const char *name = json_string_value(type);
	size_t i;

	json_array_foreach (type, i, one)
		if (!strcmp(json_string_value(one), "object"))
			return true;
	return (name && !strcmp(name, "object")) ||
	       json_object_get(schema, "properties");
}

static bool is_in_subset(const json_t *schema, unsigned depth);

static bool
are_in_subset(const json_t *schemas, unsigned depth)
{
	const char *key;
	json_t *schema;
	size_t i;

	json_object_foreach ((json_t *)schemas, key, schema)
		if (!is_in_subset(schema, depth))
			return false;
	json_array_foreach (schemas, i, schema)
		if (!is_in_subset(schema, depth))
			return false;
	return true;
}

static bool
is_in_subset(const json_t *schema, unsigned depth)
{
	static const char *const refused[] = {
		"allOf",
		"oneOf",
		"not",
		"if",
		"then",
		"else",
		"patternProperties",
		"propertyNames",
		"minProperties",
		"maxProperties",
		"dependentRequired",
		"dependentSchemas",
		"dependencies",
		"prefixItems",
		"contains",
		"uniqueItems",
		"additionalItems",
	};
	enum { MAX_OPENAI_DEPTH = 32 }; /* their limit is 10, of objects */
	const json_t *items = json_object_get(schema, "items");

	if (!json_is_object(schema) || depth > MAX_OPENAI_DEPTH)
		return false;
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		if (json_object_get(schema, refused[i]))
			return false;
	if (is_for_objects(schema) && !names_all(schema))
		return false;
	return (!items || is_in_subset(items, depth + 1)) &&
	       are_in_subset(json_object_get(schema, "properties"),
			     depth + 1) &&
	       are_in_subset(json_object_get(schema, "anyOf"), depth + 1) &&
	       are_in_subset(json_object_get(schema, "$defs"), depth + 1) &&
	       are_in_subset(json_object_get(schema, "definitions"), depth + 1);
}

bool
schema_is_openai_strict(const json_t *schema)
{
	const char *type = json_text(schema, "type");

	return type && !strcmp(type, "object") && is_in_subset(schema, 0);
}
