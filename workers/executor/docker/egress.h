#pragma once
/*
 * egress - the one way out of a pool's containers
 *
 * The containers have no network.  Each has a unix socket, and behind it, on
 * this machine, are two programs: cli-bridge-slot as a relay (slot_relay.h),
 * and tinyproxy, which lets through what is allowed and refuses everything
 * else. Both end with this process, also if it is killed.
 *
 * Whichever of them ends, both are started anew, after a pause that grows if
 * that happens again and again.  What the proxy refuses is logged, so that the
 * operator learns which hosts a CLI wants.
 */
#include "workers/executor/docker/allowed.h"
#include "workers/executor/program.h"

struct egress {
	struct loop *loop;
	const struct allowed *allowed;
	char *mark;	      /* a variable, by which its programs are found */
	char *directory;      /* of the proxy's files */
	struct words sockets; /* one for each container */
	struct words refused_hosts; /* that the proxy must refuse: nobody has
				       the name, or nobody may have the port */

	enum { EGRESS_WAITING, EGRESS_PROXY, EGRESS_RELAY, EGRESS_UP } state;
	struct program proxy, relay;
	unsigned port; /* of the proxy */
	size_t sockets_made;
	struct timer clock;
	unsigned failures;    /* in a row */
	uint64_t up_since;    /* loop_now() */
	struct error trouble; /* code 0: nothing is known against it */
	unsigned refusals;    /* that were logged */
	char *refused;	      /* the last one */

	/* It is up, or no longer. */
	void (*changed)(struct egress *);
};

/* `allowed` and the loop must outlive it; `mark` is that of executor_plan. */
void egress_init(struct egress *, struct loop *, const struct allowed *,
		 const char *mark, const char *directory,
		 void (*changed)(struct egress *));
void egress_fini(struct egress *); /* also if it is zeroed */

/* The path of a socket; before egress_begin(). */
void egress_add_socket(struct egress *, const char *path);

void egress_begin(struct egress *);

static inline bool
egress_is_up(const struct egress *g)
{
	return g->state == EGRESS_UP;
}
