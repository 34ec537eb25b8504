#pragma once
/* utf8 - checks that text is UTF-8 */
#include "proto/str.h"

/* Refuses overlong forms, surrogates, and code points beyond U+10FFFF. */
bool utf8_valid(struct str);

/* The length of the character at the start of `s`; 0 if there is none. */
size_t utf8_first(struct str s);

/*
 * How many bytes of `s` come before a character that is cut off at its end;
 * s.len if none is cut off.  Looks at the last three bytes only.
 */
size_t utf8_whole(struct str s);

/*
 * A copy of at most `max` bytes that is UTF-8: wrong bytes become U+FFFD, and a
 * text that is too long is cut between two characters.  The caller frees it.
 */
char *utf8_mend(struct str s, size_t max, size_t *len);
