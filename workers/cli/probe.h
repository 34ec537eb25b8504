#pragma once
/*
 * probe - finds out whether a CLI could work, without spending anything
 *
 * A probe is a few steps, for which the harness names the commands and files:
 * which version is it, does it have what we need, is it logged in, does the
 * server that it needs answer.  The first step that fails ends it, with a
 * detail that says what happened and what to do.  A command that does not
 * answer is killed after PROBE_MS.
 *
 * Only a command that has run, and ended by itself, says anything about the
 * CLI: one that was killed, or could not be run, is HEALTH_ERROR, whatever it
 * was to find out.
 */
#include "workers/cli/harness.h"
#include "workers/executor/program.h"
#include "workers/worker/worker.h"

struct prober {
	struct worker *worker;
	struct executor *executor;
	const struct harness *harness;
	struct program running_command;
	struct timer deadline, next;
	char *const *environment; /* NAME=value, ending with NULL */
	char *program;
	int step;
	bool running;
	bool too_late;	     /* the step's command was killed for its silence */
	bool is_older;	     /* it lacks what its harness needs, as far as its
			      * command says; see has_judged() */
	uint64_t step_began; /* loop_now() */
	char command[128];   /* of the step, as one would type it */
	char last_line[256]; /* that the command has printed */
	char version[MAX_NAME + 1];
	char unfit[256]; /* why the executor's reader does not work, in its
			  * own words; "": it does, or there is none */

	/* MUST be set: what was found.  `detail` is NULL if it is ready. */
	void (*found)(struct prober *, enum health, const char *detail);
};

void prober_init(struct prober *, struct worker *, struct executor *);
void prober_fini(struct prober *);

/*
 * Goes through all steps; `found` follows.  If it is at it already, that
 * counts.  Copies `program`, and borrows the rest for good.
 */
void prober_start(struct prober *, const struct harness *, const char *program,
		  char *const *environment);

/* Whether one of the files that show a login has been written since, in Unix
 * ms. */
bool prober_login_changed(const struct prober *, uint64_t since);

/* When the CLI has last renewed its login, in Unix ms; 0: not known. */
uint64_t prober_login_renewed(const struct prober *);

/* While it runs: which command has not answered, and for how long. */
void prober_describe(const struct prober *, char *to, size_t size);
