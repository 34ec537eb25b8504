#pragma once
/*
 * mounts - which folders a container has, and what they are called where
 *
 * A folder has three names: the engine's machine knows it by its source, the
 * programs in the container by its target, and this process by `ours`.  They
 * differ if the CLI's home in the container is another one, and if the bridge
 * runs in a container itself.
 */
#include "proto/error.h"
#include "workers/executor/docker/copies.h"
#include "workers/io/json.h"

enum { MAX_MOUNTS = 24 };

struct mounts {
	size_t count;
	struct mount {
		char *source, *target;
		char *ours;   /* NULL: we do not see it */
		char *volume; /* a named volume with this source; NULL: none */
		bool read_only;
	} of[MAX_MOUNTS];
	struct copies copies; /* what it has of files that are not mounted */
};

void mounts_fini(struct mounts *);

/* Copies the names.  What is mounted at the target already stays. */
void mounts_add(struct mounts *, const char *source, const char *target,
		const char *ours, bool read_only);

/* The last one becomes a named volume. */
void mounts_name_last(struct mounts *, const char *volume);

/* What a program's path is called here; NULL: we do not see it.  The caller
 * frees it. */
char *mounts_ours(const struct mounts *, const char *path);

/* What our path is called by a program; NULL: it does not see it.  The caller
 * frees it. */
char *mounts_target(const struct mounts *, const char *ours);

/* What our path is called by the engine's machine: the path itself, if no mount
 * of `self` has it.  The caller frees it. */
char *mounts_source(const struct mounts *self, const char *ours);

/* The same, of the engine's path; NULL: we do not see it, if we are in a
 * container. */
char *mounts_of_source(const struct mounts *self, const char *source);

/* The one that is a named volume; NULL: none is. */
const struct mount *mounts_volume(const struct mounts *);

/* HostConfig.Mounts; the caller owns it. */
json_t *mounts_json(const struct mounts *);

/* Reads the mounts of a container that the engine describes. */
void mounts_read(struct mounts *, const json_t *container);
