#pragma once
/*
 * instance - one data directory, and the one daemon that may use it
 *
 * Everything an instance has is derived from the real path of its data
 * directory: its id, the mark of what it starts, where its sockets are.  The
 * lock in the directory says whether it lives, as long as it does, however it
 * dies; what an earlier one has left behind is ended by who gets it next.
 *
 * The directory is opened once, must be ours (proto/ours.h), and what is in it
 * is opened relative to it.  Sockets are in it as well, and not below
 * $XDG_RUNTIME_DIR, which vanishes when its user logs out.
 */
#include <stddef.h>

#include "proto/error.h"

enum { INSTANCE_ID = 16 /* hex digits */ };

struct instance {
	char *data_dir; /* absolute, and without links */
	char *run_dir;	/* of the sockets */
	char id[INSTANCE_ID + 1];
	int dir;  /* the data directory, open; -1: it is only looked at */
	int lock; /* -1: not ours */
};

#define INSTANCE_INIT ((struct instance){ .dir = -1, .lock = -1 })

/*
 * Becomes the instance of a directory, which is made if need be; NULL is the
 * default one.  ERR_CONFLICT if there already is one, ERR_INVALID if the
 * directory is not ours alone.
 */
must_check bool instance_take(struct instance *, const char *data_dir,
			      struct error *);

/* Finds the instance that is alive; ERR_UNAVAILABLE if there is none. */
must_check bool instance_find(struct instance *, const char *data_dir,
			      struct error *);

/* Gives the caller the mark "<instance>/", or "<instance>/<name>/". */
char *instance_mark(const struct instance *, const char *name);

void instance_fini(struct instance *);
