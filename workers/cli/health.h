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
 * There is one CLI in a process, hence one of these.
 */
#include "workers/cli/pool.h"

/* Before pool_init(), which it gives its callbacks to; then the pool can be
 * looked at. */
void health_init(struct pool *, struct worker *);
void health_begin(void);

/* The settings have changed, and with them the pool: looks again. */
void health_configure(void);
void health_fini(void); /* also after a failed init */

/* As engine->probe has it. */
void health_probe(bool asked);

/*
 * The settings let the CLI be asked at all: ERR_NOT_SET_UP says what is
 * missing.  Whatever it did otherwise would not be what was meant.
 */
must_check bool health_is_set_up(struct error *);

/* Takes the harness for the version of the CLI that was found, if no process
 * of it runs. */
void health_choose_harness(void);
