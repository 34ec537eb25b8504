#pragma once
/*
 * environment - the variables that the settings are read from, again and again
 *
 * They are the variables that the program was started with, plus those of a
 * file that the former do not define.  A reload begins with the original
 * variables, so that a variable that was removed from the file disappears.
 *
 * A file that the operator named must exist and be trustworthy (proto/ours.h).
 * The file ".env" in the working directory is read if it exists, and skipped,
 * with a reason, if another user could have written it.
 */
#include "proto/buf.h"

struct environment {
	char **original;      /* a copy; NULL-terminated */
	const char *file;     /* NULL: ".env", if there is one */
	char *read;	      /* path of the file that was read; NULL: none */
	struct error skipped; /* why ".env" was skipped; code 0: it was read, or
				 does not exist */
	struct buf before;    /* `environ` as it was before the last load */
};

/* Twice what Linux allows, because a file may add variables. */
#define ENVIRONMENT_INIT \
	((struct environment){ .before = BUF_INIT(2 * MAX_ENVIRONMENT) })

/* Remembers `environ` as it is now; `file` is not copied. */
void environment_keep(struct environment *, const char *file);
void environment_fini(struct environment *);

/* Sets `environ` for the settings; on failure (ERR_INVALID) only partly. */
must_check bool environment_load(struct environment *, struct error *);

/* For a load that failed, or whose result was refused: restores `environ`. */
void environment_undo(struct environment *);
