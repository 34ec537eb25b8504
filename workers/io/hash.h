#pragma once
/*
 * hash - a 64-bit hash of bytes that come in pieces
 *
 * It tells texts apart that nobody has made alike on purpose: a caller that
 * makes two of its own texts alike harms only itself.  It makes no difference
 * where the pieces were cut.  A value is the same in every run of the program
 * on one machine, so it may be stored there.
 */
#include <stdbool.h>
#include <stdint.h>

#include "proto/str.h"

struct hash {
	uint64_t state;
	unsigned char rest[8]; /* bytes that are no whole word yet */
	size_t len;	       /* of all bytes so far */
};

#define HASH_INIT ((struct hash){ .state = UINT64_C(0xcbf29ce484222325) })

void hash_add(struct hash *, struct str bytes);

/* Adds the bytes that are no white space: blanks, tabs and line ends. */
void hash_add_words(struct hash *, struct str text);

/* Adds the length, too: what follows cannot be taken for a part of it. */
void hash_add_field(struct hash *, struct str bytes);

/* Of all bytes that were added; it is never 0. */
uint64_t hash_value(const struct hash *);
