#pragma once
/*
 * slot - one container of a pool: its life, from its creation to the next one
 *
 * The container's only process of its own is our program cli-bridge-slot
 * (slot_main.c), bind-mounted into it, so any image will do.  It obeys orders
 * that come by the container's standard input, which we are attached to
 * (control.h).  When we end, for whatever reason, that input ends,
 * cli-bridge-slot exits, the kernel kills all that is left in the container,
 * and the engine removes it.
 *
 * A process of a CLI is a run (run.h): one exec, whose bytes do not pass
 * cli-bridge-slot.
 *
 * A slot that cannot be proven clean (control.h), whose container ends or does
 * not answer, or whose engine goes away, is made anew, after a pause that
 * grows.  Its runs have ended then.
 *
 * While no slot of a pool is up, one of them, the scout, finds out whether
 * slots can work at all, and the others rest until it is up: an engine that is
 * not there, or an image without the CLI, costs one request now and then, and
 * not a pool of containers.  A scout that fails for a cause of its own makes
 * room for the next.  An image without the CLI is not tried again until it is
 * another one, or until a long time is over.
 */
#include "workers/executor/docker/api.h"
#include "workers/executor/docker/mounts.h"
#include "workers/executor/docker/settings.h"
#include "workers/executor/program.h"

/* Where our program is in the container. */
#define SLOT_PROGRAM "/cli-bridge-slot"

/* Where sockets of this machine are, which its programs reach by ports: they
 * can change nothing there. */
#define SLOT_SOCKETS "/cli-bridge-net"

/* What a login is marked with, as runs are by their numbers: a slot that is
 * proven clean lets it live. */
#define LOGIN_RUN "login"

/* What all slots of a pool have in common. */
struct slot_terms {
	struct docker_settings settings;
	struct docker_api *api;
	struct loop *loop;
	struct executor *whole; /* the pool, as an executor */
	const char *name;	/* of the worker */
	char *mark;		/* the value of the containers' label */
	char *program;		/* of the CLI, as it is to be looked up */
	char *home;		/* of programs in the container */
	char *uid_gid;		/* "1000:1000" */
	uint64_t last_run;	/* counts the runs of all slots */

	size_t up;	     /* slots that are */
	bool is_in_trouble;  /* one of them has trouble that all may have */
	struct slot *scout;  /* NULL: nobody need look, or nobody has begun */
	struct list resting; /* the slots that wait for it */
	char *lacking;	     /* id of an image without the program... */
	uint64_t lacking_until; /* ...which is not tried again before */
	/* The one way out of the containers; NULL: they have a network. */
	struct egress *egress;
	struct words variables; /* that programs find it by */

	/* A turn may begin in it now, or can no longer. */
	void (*changed)(struct slot_terms *);

	/* What the proxy answers to a slot that has asked for a host. */
	void (*probed)(struct slot_terms *, struct str host, struct str status);
};

/* How far the proof of its way out is: see way.h. */
enum slot_way {
	WAY_UNKNOWN,
	WAY_LOOKING, /* its program looks for networks, and makes the port */
	WAY_EXPOSED, /* the proxy is not up */
	WAY_PROVING, /* it has to refuse */
	WAY_PROVEN,
};

enum slot_state {
	SLOT_WAITING,	/* until it is tried again */
	SLOT_RESTING,	/* until the scout is up */
	SLOT_CHECKING,	/* the image */
	SLOT_LOOKING,	/* for an earlier container of its name */
	SLOT_CLEARING,	/* which is removed */
	SLOT_COMPARING, /* a volume of its name with what it should be */
	SLOT_CREATING,	/* the container is made... */
	SLOT_ATTACHING, /* ...its input becomes ours... */
	SLOT_STARTING,	/* ...and it is started */
	SLOT_GREETING,	/* it has not said yet that it can work */
	SLOT_UP,
	SLOT_STATES
};

struct slot {
	struct executor executor; /* what engine and harness see of it */
	struct slot_terms *terms;
	unsigned number;
	char *name; /* of the container */
	struct mounts mounts;

	/* slot.c and making.c: its life */
	enum slot_state state;
	struct node resting;	  /* in terms->resting */
	char *image;		  /* the id of the image; NULL: not known */
	char *container;	  /* its id; NULL: there is none */
	struct docker_call *call; /* under way; NULL: none */
	struct timer clock;	  /* the time of the state */
	unsigned failures;	  /* in a row */
	struct error trouble;	  /* why it is not up; code 0: nothing is */
	bool is_pools_trouble;	  /* no other slot can be up either */
	uint64_t up_since;	  /* loop_now() */
	uint64_t going_since; /* an earlier container of its name; 0: none */

	/* control.c: the orders, what it tells, and proofs */
	struct executor attacher; /* starts `control` */
	struct program control;
	struct docker_stream *attached;
	struct process *control_process;
	struct error detached; /* how the attachment has ended */
	bool is_ready;	       /* cli-bridge-slot has said so */
	bool is_proving, wants_proof;
	struct timer proof_due;
	struct timer beat;	   /* see control_watch() */
	uint64_t asked_at;	   /* it has not answered since; 0: it has */
	struct docker_call *doubt; /* what has become of it; NULL: none */
	unsigned killed; /* for want of memory, as far as it was told */

	struct list runs;

	/* places.c: its turns */
	unsigned turns;	  /* under way: those of one session only */
	char *holder;	  /* their session; NULL: none, or it has none */
	uint64_t held_at; /* loop_now() */
	size_t sessions;  /* that have this slot */

	struct inlet *inlet; /* to what listens here; NULL: not asked for yet */
	unsigned inlet_port; /* of the container; 0: it has none now */

	/* way.c */
	enum slot_way way;
	bool is_cut_off;   /* it has said that it has no network */
	unsigned refusals; /* of the proof */
};

/* Before the slots. */
void slot_terms_init(struct slot_terms *);

/* The terms must outlive it.  `mounts` are taken. */
void slot_init(struct slot *, struct slot_terms *, unsigned number,
	       struct mounts *mounts);
void slot_fini(struct slot *);

/* Makes the container, and keeps it there from now on. */
void slot_begin(struct slot *);

/* Tries what it waits for at once: something may have changed. */
void slot_hurry(struct slot *);

/* A turn of the session can begin in it; NULL: of none. */
bool slot_is_free(const struct slot *, const char *session);

/* Programs can run in it, also if a turn cannot begin now. */
bool slot_is_up(const struct slot *);

/* Nothing is known against it: it will be up soon. */
bool slot_is_coming(const struct slot *);

/* The engine may have a container of it that would not end with us. */
bool slot_is_being_made(const struct slot *);

/* The slot whose trouble keeps it from being up: itself, or the scout. */
const struct slot *slot_in_trouble(const struct slot *);
/* Its container has the CLI, or its image has none. */
void slot_found_program(struct slot *);
void slot_lacks_program(struct slot *);

/* Its container is of no use any more; of the second kind, no other slot's
 * would be either. */
void slot_fail(struct slot *, const struct error *);
void slot_fail_all(struct slot *, const struct error *);

/* It is in this state for so long; 0: for as long as it takes. */
void slot_enter(struct slot *, enum slot_state, uint64_t ms);
