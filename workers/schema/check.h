#pragma once
/* check - what the parts of the validator share; for this folder only */
#include "proto/buf.h"
#include "workers/schema/schema.h"

enum keyword {
#define KEYWORD(ID, name, shape, of, test) KEYWORD_##ID,
#include "workers/schema/keywords.def"
	KEYWORDS
};

/* A place in a value: a member or an element of what is above it. */
struct place {
	const struct place *above; /* NULL: the value itself */
	const char *key;	   /* NULL: an element */
	size_t index;
};

/* "$.items[2].price", behind `root`.  The caller frees it. */
char *place_text(const char *root, const struct place *);

struct patterns;

/* A value, or a part of it, while it is held against a schema. */
struct check {
	const json_t *root;	   /* of the schema */
	struct patterns *patterns; /* that were compiled so far */
	unsigned steps, depth;
	unsigned applied;  /* keywords, since the clock was read */
	uint64_t began_ms; /* by schema_clock_ms() */
	bool gave_up;	   /* a limit was reached: nothing is known any more */
	struct error *why;
};

/* A keyword: the schema that it stands in, what it says, and about what. */
struct test {
	const json_t *schema, *says, *value;
	const struct place *place;
};

typedef bool test_fn(struct check *, const struct test *);

/* KEYWORDS: it is none. */
enum keyword keyword_of(const char *name);

/* The schema that "#/$defs/x" names; NULL: there is none. */
const json_t *schema_at(const json_t *root, const char *reference);

/* False, with the place and the text in check->why. */
bool misfits(struct check *, const struct place *, const char *fmt, ...)
	printf_like(3);

/* False: a limit was reached. */
bool gives_up(struct check *, const char *limit);

/* tests.c */
bool same_value(const json_t *, const json_t *);
bool is_whole(const json_t *number); /* 3, or 3.0 */
test_fn has_type, is_in_enum, is_const, has_required, has_min_properties,
	has_max_properties, has_dependent_names, has_min_items, has_max_items,
	is_unique, is_minimum, is_maximum, is_above, is_below, is_multiple,
	has_min_length, has_max_length, matches_pattern, has_format;

/* patterns.c */
struct patterns *patterns_new(void);
void patterns_free(struct patterns *);

enum match { MATCH, NO_MATCH, MATCH_GAVE_UP };

/* `pattern` MUST be one that pattern_check() takes, and is lent until
 * patterns_free(). */
enum match pattern_find(struct patterns *, const char *pattern,
			struct str text);
must_check bool pattern_check(const char *pattern, struct error *why);

#define TOO_LONG_TO_MATCH "a pattern takes too long to match"

/* formats.c: NULL if there is no such format; whether a text is of it. */
struct format;
const struct format *format_named(const char *name);
bool format_fits(const struct format *, const char *text, size_t len);
