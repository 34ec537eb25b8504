#pragma once
/*
 * worker - the process around one harness
 *
 * Hears SUBMIT, CANCEL and CREDIT from the gateway and answers each turn with
 * its events, of which the last is FINISH or FAILED.  Admits so many turns at
 * once, one at a time per session, and lets the rest wait in order.
 *
 * Each order is answered at once, with ACCEPTED or FAILED.  Turns are begun one
 * by one between other events, and what waits is kept as the bytes that came:
 * a large body is read when its turn begins, not before.  The gateway is told
 * when the worker has let go of a body, and sends no more than that.
 *
 * A turn runs at most once: ids that were seen are refused.  When the gateway
 * goes away all turns are cancelled, for nobody is left to read them.  On
 * DRAIN no new turn is taken, and the process ends after the last one; on
 * SIGTERM its turns are told to be cancelled, and it ends at once, and
 * everything it has started with it.
 */
#include "proto/link.h"
#include "proto/settings.h"
#include "workers/worker/engine.h"

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
	struct list ended; /* turns whose last events wait for credit */
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
