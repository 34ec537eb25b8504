#pragma once
/* words - a list of arguments, or of NAME=value, that owns its strings */
#include "proto/buf.h"

struct words {
	char **ptr; /* ends with a NULL; NULL itself while there are none */
	size_t len;
};

void words_add(struct words *, const char *);
void words_print(struct words *, const char *fmt, ...) printf_like(2);

/* Takes the place of an earlier NAME=value of the same name. */
void words_set(struct words *, const char *variable);

/* Of NAME=value; NULL if there is none, or an empty one. */
const char *words_value(const struct words *, const char *name);
void words_fini(struct words *);
