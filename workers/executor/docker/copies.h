#pragma once
/*
 * copies - files of this machine that a container has copies of
 *
 * A CLI replaces a file of its own by renaming another one.  Such a file cannot
 * be mounted: in the container it could not be replaced, and when it is
 * replaced here the container would still have the old one.  So the container's
 * home has a copy, which the CLI may change there.  It is copied again when the
 * file here has changed since.
 */
#include <stddef.h>
#include <sys/stat.h>

#include "workers/executor/docker/settings.h"

enum { MAX_COPIES = 4 };

struct copies {
	size_t count;
	struct copied {
		char *from, *to;
		struct stat was; /* `from`, when it was copied last */
	} of[MAX_COPIES];
};

void copies_fini(struct copies *);

/* Copies the names. */
void copies_add(struct copies *, const char *from, const char *to);

/* Copies what is new, for whom programs run as.  A file that is not there is
 * none in the container; one that cannot be copied is logged, and stays as it
 * was in there. */
void copies_renew(struct copies *, const struct docker_settings *);
