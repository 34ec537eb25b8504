#pragma once
/*
 * mended_json - a body as JSON, although a client has cut a character in two
 *
 * Clients cut texts between the two halves of a character, and send the half as
 * an escape.  That is no text, but no reason to refuse all the others: each
 * half becomes U+FFFD.  Integers stay integers, unless one of them is larger
 * than any of ours.
 */
#include <jansson.h>

#include "proto/str.h"

/* The caller json_decref()s it; NULL: it is no JSON, and *why says why. */
json_t *mended_json(struct str body, json_error_t *why);
