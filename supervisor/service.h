#pragma once
/*
 * service - one process that the supervisor takes care of
 *
 * A service connects a child (child.h) to a real process and talks to it.  It
 * asks HELLO again and again and keeps what READY reports.  When the process
 * has ended, the service kills every process that it left behind.
 */
#include "proto/link.h"
#include "proto/spawn.h"
#include "supervisor/child.h"
#include "supervisor/plan.h"
#include "supervisor/progress.h"
#include "workers/executor/places.h"

struct supervisor;

/* What a process reported in its last READY. */
struct report {
	uint64_t running, queued, warm, background, parked, health, probes;
	struct place_counts slots;
	char harness[MAX_NAME + 1];
	char detail[MAX_DETAIL + 1];
};

/*
 * A worker is dormant while its harness is not set up: it is wanted, but not
 * started before what it needs is there.  `report` says what is missing.
 */
struct service {
	struct supervisor *supervisor;
	const struct planned *planned; /* NULL: freed once it has stopped */
	char *name;
	bool is_worker, is_dormant;
	uint64_t looked_at; /* loop_now() of the last check of its needs */
	struct child child;
	struct process process;
	struct progress progress;
	struct client client; /* connected while the process runs */
	struct ask hello, farewell, probe, configuring;
	struct timer next_hello;
	bool wants_probe;   /* VERIFY waits for a probe... */
	uint64_t answer_at; /* ...answered at this count of report.probes */
	unsigned wanted;    /* counts changes of the settings... */
	unsigned told;	    /* ...up to which the process has them... */
	unsigned asked;	    /* ...and up to which CONFIGURE brings them */
	struct report report;
	unsigned starts;
	char last_exit[128]; /* for people; "": never ended */
};

struct service *service_new(struct supervisor *, const struct planned *);
void service_free(struct service *); /* kills a process that still runs */

/*
 * Gives the service its entry in a new plan.  If only its settings changed, the
 * process is told and goes on with its work.  A process is restarted only for a
 * change that can't be made while it runs; it is stopped if `planned` is NULL.
 */
void service_replan(struct service *, const struct planned *);

/* Takes over drain_ms and hung_ms from the supervisor's settings. */
void service_retime(struct service *);

/* False, and `e` says what is missing, if the service became dormant. */
bool service_start(struct service *, struct error *);

/*
 * A client asked about the service: if it is dormant, checks again what it
 * needs and starts it if nothing is missing.  Checks once a second at most.
 */
void service_look(struct service *);

/* A dormant service is not started any more. */
void service_stop(struct service *);
void service_restart(struct service *);

/* Did the process end because its settings are wrong? */
bool service_has_wrong_settings(const struct service *);

/*
 * Starts a probe of a worker's harness; ERR_UNAVAILABLE if the worker is not
 * up.  The result is in `report` once service_is_verifying() is false.  For a
 * dormant worker the supervisor checks what is missing itself.
 */
must_check bool service_probe(struct service *, struct error *);
bool service_is_verifying(const struct service *);
