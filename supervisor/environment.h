#pragma once
/*
 * environment - where the settings come from, and come from again
 *
 * The variables that the program was started with, and those of a file that
 * are not among them.  Loading again begins with the original variables, so
 * that what is taken out of the file is gone.
 *
 * A file that was named must be there and trustworthy (proto/ours.h).  ".env"
 * is whatever lies in the working directory: it is read if it is there, and
 * left alone, with a reason, if somebody else could have written it.
 */
#include "proto/buf.h"

struct environment {
	char **original;      /* a copy; NULL-terminated */
	const char *file;     /* NULL: ".env", if there is one */
	char *read;	      /* path of the file that was read; NULL: none */
	struct error skipped; /* why ".env" was not; code 0: it was, or is not
				 there */
	struct buf before;    /* what `environ` was before the last load */
};

/* Twice what Linux allows: a file may add to it. */
#define ENVIRONMENT_INIT \
	((struct environment){ .before = BUF_INIT(2 * MAX_ENVIRONMENT) })

/* Keeps what `environ` is now; `file` is not copied. */
void environment_keep(struct environment *, const char *file);
void environment_fini(struct environment *);

/* After that `environ` is what it should be; or, on failure (ERR_INVALID),
 * partly. */
must_check bool environment_load(struct environment *, struct error *);

/* After a load that has failed, or led to nothing: `environ` is again what it
 * was before. */
void environment_undo(struct environment *);
