#pragma once
/*
 * scan - steps through JSON without reading it
 *
 * For text of others' of which we need a part, and must not judge the rest:
 * numbers of any size, lone surrogates, bytes that are no UTF-8 and whatever a
 * parser would refuse are stepped over.  Only strings, brackets and commas are
 * looked at.  What is no JSON is found to end too early, or yields garbage, but
 * nothing outside of it is ever touched.
 */
#include "proto/str.h"

/* What is left. */
struct scan {
	const char *at, *end;
};

/* Without a byte order mark, should there be one. */
struct scan scan_of(struct str);

/* White space, and then this byte; false: it is not there. */
bool scan_take(struct scan *, char);

/* Each yields what it has stepped over, as it is written; false: it is cut. */
bool scan_value(struct scan *, struct str *raw);

/* A key and its colon; the key without its quotes. */
bool scan_key(struct scan *, struct str *raw);

/* Whether a key says this, in letters or as \u escapes; `name` is ASCII. */
bool scan_key_is(struct str raw, const char *name);

/* The value of an object's last member of that name; absent: none. */
struct str scan_member(struct str object, const char *name);
