#pragma once
/*
 * cli_health - whether a CLI could work, and what is said of it
 *
 * A look at a CLI is a probe (probe.h), which asks its program and its files,
 * and then, where the harness can do that without its vendor, a trial: a
 * conversation is begun and ended.  The result is the worker's health, with a
 * detail that says what happened and what to do.  While nothing is known yet,
 * the detail says what is being waited for, and for how long.
 *
 * Only a turn asks the vendor, and so only a turn finds out that the vendor
 * refuses the login that is there.  Then the worker is HEALTH_UNAVAILABLE,
 * whatever looks find, until a turn ends well or the login has changed.
 */
#include "workers/cli/pool.h"
#include "workers/cli/probe.h"

struct cli_health {
	struct pool *pool;
	struct prober prober;
	const struct harness *newest; /* and not one to fall back to */
	struct timer refresh;	      /* of the list of models */
	struct timer retry;	      /* of a probe that failed */
	struct timer slow;	      /* while something is waited for */
	unsigned failed_probes;	      /* in a row */

	/* How a turn has failed for its login; code 0: none has. */
	struct error refusal;
	uint64_t refused_at; /* Unix ms */

	/* Trial conversations. */
	struct {
		bool is_asked_for;
		unsigned failures; /* in a row */
		uint64_t next_at;  /* loop_now() before which there is none */
		uint64_t began_at; /* loop_now() of the last one */
	} trial;
};

/* Before pool_init(), which it gives its callbacks to; then the pool can be
 * looked at. */
void health_init(struct cli_health *, struct pool *, struct worker *);
void health_begin(struct cli_health *);

/* The settings have changed, and with them the pool: looks again. */
void health_configure(struct cli_health *);
void health_fini(struct cli_health *); /* also after a failed init */

/* As engine.probe has it. */
void health_probe(struct cli_health *, bool asked);

/* A turn has ended well, or failed with this error. */
void health_learn(struct cli_health *, const struct error *);

/* Whether a turn may do well, as far as is known: what the vendor refuses one
 * turn it may grant another, such as one for another provider's model. */
bool health_may_work(const struct cli_health *);

/*
 * The settings let the CLI be asked at all: ERR_NOT_SET_UP says what is
 * missing.  Whatever it did otherwise would not be what was meant.
 */
must_check bool health_is_set_up(const struct cli_health *, struct error *);

/* Takes the harness for the version of the CLI that was found, if no process
 * of it runs. */
void health_choose_harness(struct cli_health *);
