#pragma once
/* pool - what the files of the docker executor share about the whole of it */
#include "workers/executor/docker/affinity.h"
#include "workers/executor/docker/docker.h"
#include "workers/executor/docker/egress.h"
#include "workers/executor/docker/slot.h"

struct docker {
	struct executor executor;
	struct slot_terms terms;
	char *home, *root, *data_dir;
	char *host;	    /* as DOCKER_HOST has it; NULL: the usual one */
	struct mounts self; /* our own, if we are in a container */
	struct docker_call *call; /* under way; NULL: none */
	struct tidying *tidying;  /* under way; NULL: not */
	struct timer again;	  /* until the engine is asked who we are */
	struct slot *slots;
	size_t count;
	struct affinity affinity;

	struct egress egress; /* if terms.egress is it */
	struct reach {
		bool *fails;   /* of each host that is allowed */
		bool *is_told; /* ...by the round that is under way */
		bool has_begun;
		struct timer clock;
	} reach;
};

static inline struct docker *
docker_of(const struct executor *x)
{
	return container_of(x, struct docker, executor);
}

static inline struct slot *
slot_of_place(const struct executor *x)
{
	return container_of(x, struct slot, executor);
}

/* files.c: the files of a slot, and of the whole, which are those of the first.
 */
extern const struct executor docker_slot_files, docker_files;

/* places.c: which session has which slot. */
extern const struct executor docker_places;
bool docker_place_is_free(struct executor *place, const char *session);

/* net.c: what the containers may reach, if the settings say that. */
bool docker_net_init(struct docker *, struct error *);
void docker_net_fini(struct docker *);
bool docker_net_begin(struct docker *, struct error *);
/* A slot may be up now that can look for the hosts. */
void docker_net_look(struct docker *);
/* As executor.h has it. */
char *docker_net_warning(const struct executor *);

/* folders.c: what is mounted into slot number `n`. */
bool docker_mounts(struct docker *, unsigned n, struct mounts *,
		   struct error *);
/* Makes what all slots need; sets data_dir, home and root. */
bool docker_folders(struct docker *, const struct executor_plan *,
		    struct error *);
