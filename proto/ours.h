#pragma once
/*
 * ours - files and directories that nobody else can change
 *
 * What the bridge reads as its configuration, or keeps its data in, must
 * belong to whom the bridge runs as (or to root), and nobody else may be able
 * to write to it: otherwise somebody else could choose which programs run, or
 * where their output goes.  A group that has no other member is not somebody
 * else.  The last part of a path is never followed if it is a symbolic link.
 *
 * What is wrong is said with the path, and with what to do about it.
 */
#include <sys/types.h>

#include "proto/error.h"

enum owner { OURS_ONLY, OURS_OR_ROOTS };

/* `path` is for messages. */
must_check bool ours_check(int fd, enum owner, const char *path,
			   struct error *);

/*
 * Opens the directory `name` in the directory `at` (AT_FDCWD: the working
 * directory), which must be there, and ours only.  -1 on failure.
 */
int ours_open_directory(int at, const char *name, const char *path,
			struct error *);

/* The same, but makes it (0700) if it is not there; and if it is ours, takes
 * the permission to write from others. */
int ours_make_directory(int at, const char *name, const char *path,
			struct error *);

/*
 * Opens the regular file `name` for `flags` (O_CREAT: with 0600).  It must be
 * ours, and have no other name: what is written to it goes nowhere else.  -1
 * on failure.
 */
int ours_open_file(int at, const char *name, int flags, const char *path,
		   struct error *);

/* Makes the directory <data directory>/<what>/<name>, and says its path, which
 * the caller frees; with `name` NULL <data directory>/<what>.  NULL on
 * failure. */
char *ours_make_path(const char *data_dir, const char *what, const char *name,
		     struct error *);
