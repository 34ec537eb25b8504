#pragma once
/*
 * supervisor - starts the gateway and the workers, and keeps them running
 *
 * Holds what must survive them: the listening socket, the configuration, the
 * lock of the data directory.  Does no work that could fail slowly, and holds
 * no turn: whatever dies, it starts again.
 *
 * Hears the command line and the gateway on its control socket.  SIGHUP reads
 * the configuration again and tells whom it concerns, if all of it is
 * right; but if the terminal that it was started from has gone, SIGHUP means
 * that, and ends it.  SIGTERM and SIGINT let what runs finish, first the
 * workers, then the gateway; the second one does not.
 */
#include "proto/link.h"
#include "supervisor/environment.h"
#include "supervisor/instance.h"
#include "supervisor/listener.h"
#include "supervisor/orphans.h"
#include "supervisor/plan.h"
#include "supervisor/service.h"

struct supervisor {
	struct loop loop;
	struct environment *environment;
	struct plan *plan;
	struct instance instance;
	struct listener listener;
	struct server server;
	struct orphans orphans;
	struct timer look, wake; /* whom has a change woken? what CLI is new? */
	struct service *services[MAX_CHILDREN]; /* the gateway is the first */
	size_t service_count;
	uint64_t announce_by; /* loop_now(); 0: it is too early for that */
	bool announced, stopping;
	bool has_terminal;    /* and ends with it */
	struct error failure; /* why it ends; ERR_NONE: it was told to */
};

#define SUPERVISOR_INIT                                  \
	((struct supervisor){ .loop = LOOP_INIT,         \
			      .instance = INSTANCE_INIT, \
			      .listener = LISTENER_INIT, \
			      .server = SERVER_INIT,     \
			      .orphans = ORPHANS_INIT })

/* ERR_INVALID: the configuration is wrong.  Lends the environment. */
must_check bool supervisor_init(struct supervisor *, struct environment *,
				struct error *);
void supervisor_fini(struct supervisor *);

/*
 * Runs until it was told to end.  False if it ended because it can't do its
 * work: nothing works without the gateway, so one that is given up ends all,
 * and whoever started us sees it.  ERR_INVALID: the settings are wrong.
 */
must_check bool supervisor_run(struct supervisor *, struct error *);

/* For its services. */

/* A service has changed: see to what follows, after the running callback. */
void supervisor_look_soon(struct supervisor *);

/* Orphans of services become our children: reaps those that have ended. */
void supervisor_reap(struct supervisor *);
