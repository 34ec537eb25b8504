#pragma once
/*
 * below - opens a caller's file in the directory of its session
 *
 * The kernel itself keeps to the directory (openat2 with RESOLVE_BENEATH), so
 * there is no moment between a check and the opening in which somebody could
 * put a link in the way.  The directory is opened first and is then checked by
 * the path that it really has.  What is found is looked at before it is opened
 * to be read, which some devices would notice.
 */
#include "workers/executor/executor.h"

/* As struct executor has it; of every executor that has the files of its
 * working directories on this machine. */
int below_open(struct executor *, const char *cwd, const char *path,
	       struct error *);
