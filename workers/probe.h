#pragma once
/*
 * probe - finds out whether a CLI could work, without spending anything
 *
 * Is it there, which version is it, is it logged in: by running what its
 * harness names for that.  The result is the worker's health.
 */
#include "workers/cli.h"
#include "workers/worker.h"

struct prober {
	struct worker *worker;
	struct cli cli;
	struct timer deadline, next;
	char *const *environment; /* NAME=value, ending with NULL */
	char *program;
	int step;
	bool running;
	bool too_late;
	char version[MAX_NAME + 1];
};

void prober_init(struct prober *, struct worker *);
void prober_fini(struct prober *);

/*
 * Goes through all steps and then calls worker_set_health(); if it is at it
 * already, that counts.  Copies `program`, and borrows `environment` for good.
 */
void prober_start(struct prober *, const char *program,
		  char *const *environment);
