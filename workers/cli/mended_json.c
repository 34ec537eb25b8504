#include "workers/cli/mended_json.h"

#include <ctype.h>

#include "proto/buf.h"
#include "workers/io/json_read.h"

/* The number in "\\ud83d", of which "ud83d" is at `at`; -1: it is none. */
static int
escaped_unit(const char *at, const char *end)
{
	char digits[5] = "";
	char *rest;
	long unit;

	if (end - at < 5 || *at != 'u')
		return -1;
	memcpy(digits, at + 1, 4);
	unit = strtol(digits, &rest, 16);
	return rest == digits + 4 && isxdigit((unsigned char)*digits)
		       ? (int)unit
		       : -1;
}

static bool
is_pair(int unit, const char *next, const char *end)
{
	int low = end - next >= 6 && *next == '\\' ? escaped_unit(next + 1, end)
						   : -1;

	return unit >= 0xd800 && unit < 0xdc00 && low >= 0xdc00 && low < 0xe000;
}

/*
 * Clients cut texts between the two halves of a character, and send the half
 * as an escape.  That is no text, but no reason to refuse all the others: each
 * half becomes U+FFFD.
 */
static void
mend_halves(char *json, size_t len)
{
	const char *end = json + len;
	char *at = json;

	while (at < end && (at = memchr(at, '\\', (size_t)(end - at)))) {
		int unit = escaped_unit(at + 1, end);

		if (unit < 0) {
			at += 2;
		} else if (is_pair(unit, at + 6, end)) {
			at += 12;
		} else {
			if (unit >= 0xd800 && unit < 0xe000)
				memcpy(at + 2, "fffd", 4);
			at += 6;
		}
	}
}

/* Integers stay integers, unless one of them is larger than any of ours. */
static json_t *
load(struct str body, json_error_t *why)
{
	json_t *root = json_read(body);

	if (!root)
		root = json_loadb(body.ptr, body.len, JSON_ALLOW_NUL, why);
	if (!root && json_error_code(why) == json_error_numeric_overflow)
		root = json_loadb(body.ptr, body.len,
				  JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL,
				  why);
	return root;
}

json_t *
mended_json(struct str body, json_error_t *why)
{
	json_t *root = load(body, why);
	auto_free char *mended = NULL;

	if (root || !strstr(why->text, "Unicode"))
		return root;
	mended = copy(body);
	mend_halves(mended, body.len);
	return load((struct str){ mended, body.len }, why);
}
