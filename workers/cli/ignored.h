#pragma once
/*
 * ignored - the fields of a request that no CLI can be told
 *
 * Nothing that a caller says is left out without a word: a field is read, or
 * the request is refused, or the field's name is in this list, which the caller
 * gets with the answer.  A field whose value is null or empty asks for nothing,
 * and is not listed.
 *
 * The names are the keys of an object, in the order in which they are found.
 */
#include <jansson.h>

/* Notes what stands beside the fields that are read at the top of a body. */
void ignored_note(json_t *ignored, const json_t *body);

/*
 * The names in one line, with commas between: "n, seed, and 3 others" if there
 * is no room for all.  What a header cannot have in it is escaped, as in a URL.
 * NULL: there is none.  The caller frees it.
 */
char *ignored_list(const json_t *ignored);
