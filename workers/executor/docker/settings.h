#pragma once
/*
 * docker_settings - what the operator has chosen for the containers of a
 * harness
 *
 * The text of the settings is in proto/settings.def.  A value that is of no use
 * is an error that gives the variable, the value and what would be right.
 */
#include "proto/settings.h"
#include "workers/executor/docker/allowed.h"

struct docker_settings {
	unsigned size; /* of the pool */
	char *image;
	char *network;		/* NULL: the engine's own */
	struct allowed allowed; /* hosts; none: they have that network */
	uint64_t memory, pids;	/* bytes, and processes; 0: no limit */
	uint64_t nano_cpus;	/* 10^-9 processors; 0: no limit */
	unsigned uid, gid;	/* whom programs run as */
	bool is_per_slot;	/* each container has a login of its own */
	char *prefix;		/* of the containers' names */
	char *root;		/* NULL: the default */
	char *host_config;	/* as the engine's machine names it; NULL: the
				 * default */
	char *container_config; /* NULL: the default */
};

/* Copies the strings.  The caller needs docker_settings_fini() even if reading
 * failed. */
must_check bool docker_settings_read(struct docker_settings *,
				     const struct harness_settings *from,
				     const char *name, struct error *);
void docker_settings_fini(struct docker_settings *);

/* Gives what is open to whom programs run as; false, with errno, if that
 * failed.
 */
must_check bool docker_settings_give(const struct docker_settings *, int fd);

/* Does the harness run in containers?  False, with `e`, also if the setting is
 * neither "host" nor "docker", or another one does not go with it; without, if
 * the harness has no program of its own. */
bool docker_is_wanted(const struct harness_settings *, const char *name,
		      struct error *);

/* The path of the engine's socket, which the caller frees; NULL, and why, if
 * DOCKER_HOST is anything else.  MAY be given NULL: the usual one. */
char *docker_host_socket(const char *docker_host, struct error *);
