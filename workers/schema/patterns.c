/*
 * Regular expressions are ECMA 262's in JSON Schema.  PCRE2 is told to read
 * them so: \u00e9 and \x41, empty classes, and a $ that does not match before
 * a line's end at the end of the text.  What PCRE2 knows beyond that is taken
 * as well.  A match may look at any part of the text.
 */
#include "workers/schema/check.h"

#include <time.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum {
	KEPT = 256, /* patterns; others are compiled whenever they are used */
	MAX_PATTERN_BYTES = 16 << 10,
	MAX_HEAP_KIB = 8 << 10, /* of one match */
};

struct patterns {
	size_t len;
	struct {
		const char *pattern;
		pcre2_code *code;
	} kept[KEPT];
	pcre2_match_context *limits;
	uint64_t spent_ms; /* of this thread, for compiling and matching */
};

struct patterns *
patterns_new(void)
{
	struct patterns *p = xcalloc(1, sizeof *p);

	p->limits = pcre2_match_context_create(NULL);
	if (!p->limits)
		abort();
	pcre2_set_match_limit(p->limits, MAX_PATTERN_STEPS);
	pcre2_set_heap_limit(p->limits, MAX_HEAP_KIB);
	return p;
}

void
patterns_free(struct patterns *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->len; i++)
		pcre2_code_free(p->kept[i].code);
	pcre2_match_context_free(p->limits);
	free(p);
}

static pcre2_code *
compile(const char *pattern, int *error, size_t *at)
{
	return pcre2_compile(
		(PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
		PCRE2_UTF | PCRE2_ALT_BSUX | PCRE2_ALLOW_EMPTY_CLASS |
			PCRE2_DOLLAR_ENDONLY | PCRE2_MATCH_UNSET_BACKREF |
			PCRE2_NEVER_BACKSLASH_C,
		error, at, NULL);
}

bool
pattern_check(const char *pattern, struct error *why)
{
	PCRE2_UCHAR text[200];
	int error = 0;
	size_t at = 0;
	pcre2_code *code;

	if (strlen(pattern) > MAX_PATTERN_BYTES)
		return fail_with(why, ERR_INVALID, "it is longer than %d bytes",
				 MAX_PATTERN_BYTES);
	code = compile(pattern, &error, &at);
	if (code) {
		pcre2_code_free(code);
		return true;
	}
	pcre2_get_error_message(error, text, sizeof text);
	return fail_with(why, ERR_INVALID, "%s, at byte %zu", (char *)text, at);
}

static pcre2_code *
find_kept(const struct patterns *p, const char *pattern)
{
	for (size_t i = 0; i < p->len; i++)
		if (p->kept[i].pattern == pattern)
			return p->kept[i].code;
	return NULL;
}

uint64_t
schema_clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static enum match
match(const struct patterns *p, const pcre2_code *code, struct str text)
{
	pcre2_match_data *found =
		pcre2_match_data_create_from_pattern(code, NULL);
	int n;

	if (!found)
		abort();
	n = pcre2_match(code, (PCRE2_SPTR)text.ptr, text.len, 0, 0, found,
			p->limits);
	pcre2_match_data_free(found);
	return n >= 0			  ? MATCH
	       : n == PCRE2_ERROR_NOMATCH ? NO_MATCH
					  : MATCH_GAVE_UP;
}

static enum match
find(struct patterns *p, const char *pattern, struct str text)
{
	pcre2_code *code = find_kept(p, pattern);
	bool is_kept = code != NULL;
	enum match m;
	size_t at;
	int error;

	if (!code)
		code = compile(pattern, &error, &at);
	if (!code)
		return MATCH_GAVE_UP;
	m = match(p, code, text);
	if (is_kept)
		return m;
	if (p->len == KEPT) {
		pcre2_code_free(code);
		return m;
	}
	p->kept[p->len].pattern = pattern;
	p->kept[p->len++].code = code;
	return m;
}

enum match
pattern_find(struct patterns *p, const char *pattern, struct str text)
{
	uint64_t began = schema_clock_ms();
	enum match m = find(p, pattern, text);

	p->spent_ms += schema_clock_ms() - began;
	return p->spent_ms > MAX_PATTERNS_MS ? MATCH_GAVE_UP : m;
}
