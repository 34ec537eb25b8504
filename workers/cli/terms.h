#pragma once
/*
 * terms - all that a conversation runs under
 *
 * What a request leaves out stays as it was before: the terms of a conversation
 * are kept with its session (sessions.h), and come back with it.  Two terms are
 * the same if, and only if, their hashes are.
 *
 * The strings are owned.  NULL stands for none, or for the default.
 */
#include <stddef.h>
#include <stdint.h>

struct terms {
	char *system; /* MAY hold NULs */
	size_t system_len;
	char *cwd;
	char *model;
	char *permission_mode;
	char *options; /* as struct options has its text */
	char *loads;   /* which of the user's own files the CLI loads */
};

/* `to` is overwritten, not freed. */
void terms_copy(struct terms *to, const struct terms *from);
void terms_fini(struct terms *);

/* Never 0.  A field that is absent differs from an empty one. */
uint64_t terms_hash(const struct terms *);
