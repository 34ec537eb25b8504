#pragma once
/*
 * schema - whether a JSON value is what a JSON Schema describes
 *
 *   keywords.def    every keyword that is understood
 *   schema_check.c  a schema is read before it is used: what is wrong with it
 *   schema.c        a value is held against it: the keywords with schemas in
 * them tests.c         the keywords about a value alone formats.c "format"
 *   patterns.c      regular expressions, which PCRE2 matches as ECMAScript
 * would
 *
 * A value fits, or the error names the first place in it that does not, as in
 * "$.items[2].price: must be a number, and is a string".
 *
 * Nothing that a schema or a value says costs more than the limits in
 * schema_limits: what would is refused.  Schemas nest and refer to themselves;
 * regular expressions may go back and forth only so often.  A single keyword
 * can be as long as the schema, so it is the time that counts in the end.
 */
#include <jansson.h>

#include "proto/error.h"

enum schema_limits {
	MAX_SCHEMA_DEPTH = 512,	    /* levels of schemas that are applied */
	MAX_SCHEMA_STEPS = 4000000, /* keywords that are applied to a value */
	MAX_SCHEMA_CIRCLE = 64, /* references, without a step into the value */
	MAX_PATTERN_STEPS = 200000, /* of one match, as PCRE2 counts them */
	MAX_PATTERNS_MS = 1000,	    /* of all patterns of a value */
	MAX_SCHEMA_MS = 2000,	    /* of the processor, for a value */
};

/* What this thread has had of the processor. */
uint64_t schema_clock_ms(void);

/*
 * Finds what makes it no schema: `where` is what the error calls it.  If
 * `is_strict`, a keyword or a format that is not known is such an error as
 * well; otherwise it says nothing, as JSON Schema has it.  What is known, and
 * cannot be checked here, is an error in both cases.
 */
must_check bool schema_check(const json_t *schema, const char *where,
			     bool is_strict, struct error *);

/* Of a schema that was checked.  Fails with ERR_INVALID_OUTPUT. */
must_check bool schema_fits(const json_t *schema, const json_t *value,
			    struct error *);

/*
 * Whether the schema is in the subset that OpenAI's API takes as strict: it
 * says of an object all that the object has.  See
 * https://platform.openai.com/docs/guides/structured-outputs.
 */
bool schema_is_openai_strict(const json_t *schema);
