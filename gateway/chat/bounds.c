#include "gateway/chat/bounds.h"

/* Where a string ends that begins at `at`; behind the end if it doesn't. */
static size_t
skip_string(struct str s, size_t at)
{
	size_t slashes;
	const char *quote;

	for (size_t from = at + 1; from < s.len;) {
		quote = memchr(s.ptr + from, '"', s.len - from);
		if (!quote)
			break;
		slashes = 0;
		while (quote[-1 - (ptrdiff_t)slashes] == '\\')
			slashes++;
		from = (size_t)(quote - s.ptr) + 1;
		if (slashes % 2 == 0)
			return from;
	}
	return s.len;
}

static bool
check(size_t depth, size_t values, struct error *e)
{
	if (depth > MAX_BODY_DEPTH)
		return fail_with(e, ERR_INVALID,
				 "the body is nested deeper than %d levels",
				 MAX_BODY_DEPTH);
	return values <= MAX_BODY_VALUES ||
	       fail_with(e, ERR_TOO_LARGE, "the body has more than %u values",
			 MAX_BODY_VALUES);
}

bool
bounds_check(struct str json, struct error *e)
{
	size_t depth = 0, values = 0, at = 0;

	while (at < json.len) {
		switch (json.ptr[at]) {
		case '"':
			at = skip_string(json, at);
			continue;
		case '[':
		case '{':
			depth++;
			values++;
			break;
		case ']':
		case '}':
			depth -= depth > 0;
			break;
		case ',':
			values++;
			break;
		default:
			break;
		}
		if (!check(depth, values, e))
			return false;
		at++;
	}
	return true;
}
