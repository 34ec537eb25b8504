#pragma once
/*
 * supervisor - starts the gateway and the workers, and keeps them running
 *
 * The supervisor holds what must survive the other processes: the listening
 * socket, the configuration, and the lock of the data directory.  It does no
 * work that could block and holds no turn; it restarts every process that dies.
 *
 * It answers the command line and the gateway on its control socket.  SIGHUP
 * reads the configuration again and, if all of it is right, tells the processes
 * that the changes concern.  If the terminal that the supervisor was started
 * from has gone, SIGHUP means just that, and stops the supervisor, unless it
 * was started with nohup.  SIGTERM and SIGINT let the running turns finish, and
 * stop first the workers, then the gateway; a second signal stops all of them
 * at once.
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
	struct timer look, wake; /* after a change; for dormant services */
	struct service *services[MAX_CHILDREN]; /* the gateway is the first */
	size_t service_count;
	uint64_t announce_by; /* loop_now(); 0: not all have been tried yet */
	bool announced, stopping;
	bool has_terminal;    /* the supervisor ends when its terminal goes */
	struct error failure; /* why it ends; ERR_NONE: it was told to end */
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

/* Kills every process that is left.  Before supervisor_fini(), which closes
 * the sockets. */
void supervisor_end(struct supervisor *);
void supervisor_fini(struct supervisor *);

/*
 * Runs until the supervisor is told to end.  False if it ended because the
 * gateway was given up: nothing works without it, so the exit code says so.
 * ERR_INVALID: the gateway's settings are wrong.
 */
must_check bool supervisor_run(struct supervisor *, struct error *);

/* For service.c. */

/* A service has changed: look at all services after the running callback. */
void supervisor_look_soon(struct supervisor *);

/* Reaps orphans of services, which become children of the supervisor. */
void supervisor_reap(struct supervisor *);
