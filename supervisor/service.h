#pragma once
/*
 * service - one process of which the supervisor takes care
 *
 * The body of a child: its process, and the conversation with it.  HELLO is
 * asked again and again; what READY says is kept for whoever wants to know.
 * When the process has ended, everything it had started is ended as well.
 */
#include "proto/link.h"
#include "proto/spawn.h"
#include "supervisor/child.h"
#include "supervisor/plan.h"
#include "supervisor/progress.h"

struct supervisor;

/* What a process has last said of itself. */
struct report {
	uint64_t running, queued, warm, health, probes;
	char harness[MAX_NAME + 1];
	char detail[MAX_DETAIL + 1];
};

/*
 * A worker whose harness is not set up is dormant: wanted, but not started
 * before what it needs is there.  Its report says what that is.
 */
struct service {
	struct supervisor *supervisor;
	const struct planned *planned; /* NULL: to be gone once it is down */
	char *name;
	bool is_worker, is_dormant;
	uint64_t looked_at; /* whether it must be dormant; loop_now() */
	struct child child;
	struct process process;
	struct progress progress;
	struct client client; /* while the process runs */
	struct ask hello, farewell, probe, configuring;
	struct timer next_hello;
	bool wants_probe;   /* somebody has asked for one... */
	uint64_t answer_at; /* ...which this many of report.probes answer */
	unsigned wanted; /* which settings it is to have: counts changes... */
	unsigned told;	 /* ...which it has... */
	unsigned asked;	 /* ...and which it is being told */
	struct report report;
	unsigned starts;
	char last_exit[128]; /* for people; "": has never ended */
};

struct service *service_new(struct supervisor *, const struct planned *);
void service_free(struct service *); /* kills, if it must */

/*
 * What is planned for it may have moved, or changed: then it is told, and goes
 * on with its work.  Only what can't change while it runs has it restarted,
 * and one that is not wanted any more is stopped.
 */
void service_replan(struct service *, const struct planned *);

/* The intervals in the supervisor's settings may have changed. */
void service_retime(struct service *);

/* False, with what is missing, if it can only become dormant. */
bool service_start(struct service *, struct error *);

/* Somebody asks for it, if it is dormant: starts it if it need not be any more.
 * Looks once in a second at most. */
void service_look(struct service *);

/* Also one that is dormant: it stays stopped then. */
void service_stop(struct service *);
void service_restart(struct service *);

/* Did it end because its settings are wrong? */
bool service_has_wrong_settings(const struct service *);

/*
 * Has a worker look at its harness; ERR_UNAVAILABLE if it is not up.  The
 * answer is in its report as soon as it is not verifying any more.  For one
 * that is dormant we look ourselves.
 */
must_check bool service_probe(struct service *, struct error *);
bool service_is_verifying(const struct service *);
