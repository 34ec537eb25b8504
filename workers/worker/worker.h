#pragma once
/*
 * worker - the process around one harness
 *
 * Hears SUBMIT, CANCEL and CREDIT from the gateway.  Each order begins a turn,
 * or is answered by an earlier one if it asks for the same (repeats.h).  It is
 * answered at once, with ACCEPTED or FAILED, and then with the turn's events,
 * of which the last is FINISH or FAILED (listener.h).  Which turn runs when is
 * queue.h's.  The gateway is told when the worker has let go of a body, and
 * sends no more than that.
 *
 * Ids of orders that were seen are refused.  When the gateway goes away all
 * turns are cancelled, for nobody is left to read them.  On DRAIN no new turn
 * is taken, and the process ends after the last one; on SIGTERM the clients are
 * told that their turns are cancelled, and the process ends at once, and
 * everything it has started with it.
 */
#include "proto/link.h"
#include "proto/settings.h"
#include "workers/worker/engine.h"
#include "workers/worker/repeats.h"

enum { LISTENER_BUCKETS = 256 };

struct worker {
	struct loop loop;
	const char *name;			 /* "claude" */
	char title[MAX_NAME + sizeof "worker."]; /* in the log */
	struct engine_self *self;		 /* the engine's own */
	char *mark; /* "<instance>/claude/": what we start carries it */
	struct settings settings;
	struct harness_settings harness;
	struct server server;
	struct inlet orders;
	struct outlet outlet; /* of events */
	uint64_t id;	      /* of this process: orders for another are void */
	struct list running, waiting;
	struct list listeners[LISTENER_BUCKETS]; /* all, by their ids */
	struct list lingering; /* those whose turn has ended */
	size_t unsent;	       /* bytes in the outboxes of all listeners */
	struct repeats repeats;
	uint64_t seen[MAX_SEEN_TURNS]; /* ids of turns, each at its place */
	bool draining;		       /* no new turns */
	bool stopping;		       /* no turns at all */
	struct chore next;	       /* begins a turn */
	struct timer probe_timer, farewell, pairing;

	enum health health;
	unsigned probes;   /* looks at its health that are over */
	bool is_probing;   /* one is under way... */
	bool probes_again; /* ...and was before somebody asked for one */
	char harness_version[MAX_NAME + 1];
	char detail[MAX_DETAIL + 1];
};

must_check bool worker_init(struct worker *, const char *name, struct error *);

/* Ends every turn and every CLI.  Before worker_fini(), which closes the
 * sockets. */
void worker_end(struct worker *);
void worker_fini(struct worker *);

/* Looks at the harness's health now: after the look that is under way, if
 * there is one and somebody has asked. */
void worker_probe(struct worker *, bool asked);

/* How a look has ended: with this, or as it was before.  `version` and
 * `detail` may be NULL; what is too long is cut. */
void worker_keep_health(struct worker *);

/* A look takes long: as long as nothing is known, this is what is said. */
void worker_wait_for_health(struct worker *, const char *detail);
/* The same, where no look has ended: something else has shown how it is. */
void worker_note_health(struct worker *, enum health, const char *detail);
void worker_set_health(struct worker *, enum health, const char *version,
		       const char *detail);
