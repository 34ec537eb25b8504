#pragma once
/*
 * ours - files and directories that no other user can change
 *
 * The files that configure the bridge, and its data, must belong to the user
 * that the bridge runs as (or to root), and no other user may be able to write
 * to them: otherwise another user could choose which programs run, or where
 * their output goes.  A group without another member is allowed to write.  The
 * last part of a path is never followed if it is a symbolic link.
 *
 * An error gives the path and says what to do about it.
 */
#include <sys/types.h>

#include "proto/error.h"

enum owner { OURS_ONLY, OURS_OR_ROOTS };

/* `path` is for error messages. */
must_check bool ours_check(int fd, enum owner, const char *path,
			   struct error *);

/*
 * Opens the directory `name` in the directory `at` (AT_FDCWD: the working
 * directory).  It must exist and be ours only.  -1 on failure.
 */
int ours_open_directory(int at, const char *name, const char *path,
			struct error *);

/*
 * The same, but makes the directory (0700) if it does not exist; if it is ours,
 * removes write permission from other users.
 */
int ours_make_directory(int at, const char *name, const char *path,
			struct error *);

/*
 * Opens the regular file `name` with `flags` (O_CREAT: with 0600).  It must be
 * ours and have no second hard link, so that what is written to it goes nowhere
 * else.  -1 on failure.
 */
int ours_open_file(int at, const char *name, int flags, const char *path,
		   struct error *);

/*
 * Makes the directory <data directory>/<what>/<name>, or <data
 * directory>/<what> if `name` is NULL.  Returns its path, which the caller
 * frees; NULL on failure.
 */
char *ours_make_path(const char *data_dir, const char *what, const char *name,
		     struct error *);
