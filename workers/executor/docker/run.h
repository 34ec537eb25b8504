#pragma once
/*
 * run - one process of a CLI in a slot, as struct process has it
 *
 * It carries its number in its environment, as CLI_BRIDGE_RUN, and so does what
 * it starts.  It begins as soon as the slot lets it: not while the slot is
 * proven clean, for the processes of an exec belong to no run until they have
 * become the program.
 *
 * Where a run was killed by somebody else, or nobody can say how it ended, its
 * owner is told once the engine has said what has become of the container.
 *
 * A run is killed by the slot's program, for the engine has no call for that.
 * It is over for its owner at once then; the exec ends later.
 */
#include "workers/executor/docker/exec.h"
#include "workers/executor/docker/slot.h"

struct run {
	struct node node; /* in slot->runs */
	struct slot *slot;
	uint64_t number;
	struct process *process;  /* NULL: its owner has forgotten it */
	struct docker_exec *exec; /* NULL: not begun, or over */
	struct docker_call *look; /* why it was killed; NULL: none under way */
	int status;		  /* that its owner is told then */
	struct error why;	  /* there is no status */
	struct words argv, env;
	char *cwd;
	int in, out, err; /* the program's; -1: closed */
	bool has_begun;
	bool was_opened; /* the engine starts it */
	bool is_there;	 /* the slot has seen its process */
	bool is_over; /* it has exited, or was killed: nothing of it may live */
	bool has_status, awaits_cause;
	struct timer end;	  /* when its owner is told */
	struct timer last_output; /* when its output is given up */
};

/* The variable that says which run a process belongs to. */
#define RUN_VARIABLE "CLI_BRIDGE_RUN"

bool run_start(struct slot *, struct process *, const struct spawn *,
	       void (*ended)(struct process *), struct error *);
struct run *run_of(const struct slot *, const struct process *);
void run_signal(struct run *, int signal);

/* Its owner forgets it; it is killed. */
void run_forget(struct run *);

/* What the slot lets it do now. */
void run_begin(struct run *);

/* The slot has seen its process, and that it has exited. */
void run_is_there(struct run *);
void run_exited(struct run *);

/* What the container's program says of one that was killed. */
void run_learn_cause(struct run *, bool was_short_of_memory);

/* It ends with its slot; the text is what its standard error says. */
void run_break(struct run *, const struct error *);
void run_free(struct run *);

/* The engine starts it, but the slot has not seen its process yet.  One that
 * the engine does not answer for keeps nobody waiting: if it is started later
 * after all, and is over by then, the slot kills it when it sees it. */
bool run_is_starting(const struct run *);
