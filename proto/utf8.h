#pragma once
/* utf8 - text is UTF-8, or it is not text */
#include "proto/str.h"

/* No overlong forms, no surrogates, nothing beyond U+10FFFF. */
bool utf8_valid(struct str);

/* The length of the character that `s` begins with; 0 if that is none. */
size_t utf8_first(struct str s);

/*
 * How many bytes of `s` there are before a character that is cut off at its
 * end: s.len if none is.  Looks at the last three bytes only.
 */
size_t utf8_whole(struct str s);

/*
 * A copy of at most `max` bytes that is UTF-8: bytes that are none become
 * U+FFFD, and what does not fit is cut off between two characters.  The caller
 * frees it.
 */
char *utf8_mend(struct str s, size_t max, size_t *len);
