#pragma once
/*
 * probe - finds out whether a CLI could work, without spending anything
 *
 * Is it there, which version is it, is it logged in, does what it needs
 * answer: by what its harness names for that.
 */
#include "workers/cli.h"
#include "workers/harness.h"
#include "workers/worker.h"

struct prober {
	struct worker *worker;
	const struct harness *harness;
	struct cli cli;
	struct timer deadline, next;
	char *const *environment; /* NAME=value, ending with NULL */
	char *program;
	int step;
	bool running;
	bool too_late;
	bool is_older; /* it lacks what its harness needs */
	char version[MAX_NAME + 1];

	/* MUST be set: what was found.  `detail` is NULL if it is ready. */
	void (*found)(struct prober *, enum health, const char *detail);
};

void prober_init(struct prober *, struct worker *);
void prober_fini(struct prober *);

/*
 * Goes through all steps; `found` follows.  If it is at it already, that
 * counts.  Copies `program`, and borrows the rest for good.
 */
void prober_start(struct prober *, const struct harness *, const char *program,
		  char *const *environment);
