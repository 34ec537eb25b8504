#pragma once
/*
 * instance - one data directory, and the one daemon that may use it
 *
 * The real path of the data directory determines everything else: the id of the
 * instance, the mark of the processes that it starts, and where its sockets
 * are.  The daemon holds a lock in the directory as long as it lives, however
 * it dies.  The next daemon that takes the lock ends the processes that an
 * earlier one left.
 *
 * The directory is opened once, must be ours (proto/ours.h), and the files in
 * it are opened relative to it.  The sockets are in it as well, and not below
 * $XDG_RUNTIME_DIR, which vanishes when its user logs out.
 */
#include <stddef.h>

#include "proto/error.h"

enum { INSTANCE_ID = 16 /* hex digits */ };

struct instance {
	char *data_dir; /* absolute, without symbolic links */
	char *run_dir;	/* of the sockets */
	char id[INSTANCE_ID + 1];
	int dir;  /* the data directory, open; -1: it is only looked up */
	int lock; /* -1: this process does not hold the lock */
};

#define INSTANCE_INIT ((struct instance){ .dir = -1, .lock = -1 })

/*
 * Locks the data directory, and makes it if it does not exist; NULL means the
 * default one.  ERR_CONFLICT: another daemon holds the lock.  ERR_INVALID:
 * other users can change the directory.
 */
must_check bool instance_take(struct instance *, const char *data_dir,
			      struct error *);

/* Finds the daemon that runs; ERR_UNAVAILABLE if there is none. */
must_check bool instance_find(struct instance *, const char *data_dir,
			      struct error *);

/* Gives the caller the mark "<instance>/", or "<instance>/<name>/". */
char *instance_mark(const struct instance *, const char *name);

void instance_fini(struct instance *);
