#pragma once
/*
 * slot_proof - kills what is left over, and proves that nothing is
 *
 * Every process of the container dies but PID 1 and those of live runs: the
 * runs that are named, and those that the engine starts after the first look.
 * A process belongs to the run in its environment; if it has none there, as
 * after "env -i", it belongs where its parent does, and if PID 1 has adopted
 * it, where the leader of its session does.  So a process that belongs nowhere
 * has left its session, its parent and its environment, and dies.
 *
 * One look at /proc can miss a process that is just being made, so there are
 * rounds of looking and killing until a look finds nothing.  If a look takes
 * long, or a later round finds new ones, somebody may fork faster than we look:
 * then all processes are stopped for the time of a look (about 30 microseconds
 * for each), which no fork can escape, and those of live runs go on.
 *
 * A process about which nothing can be told yet, as it is being started, gets
 * time.  What is left after PROOF_LIMIT_MS can't be killed: another user's
 * process, or one that the kernel does not let go.
 */
#include "workers/executor/docker/slot_runs.h"

struct proof {
	struct loop *loop;
	struct runs *runs;
	struct proc_list first;	       /* of the first round */
	struct proc_list list, before; /* of this round, and of the last one */
	struct buf live; /* the runs to be spared, each with a blank behind it;
			    at most an order and what the engine can start in
			    the time of a proof */
	uint64_t began;	 /* in ms */
	uint64_t pause;	 /* before the next round, in ms */
	unsigned rounds, killed, left;
	bool is_running;
	struct timer next;
	void (*proved)(struct proof *); /* `left` is 0: it is clean */
};

must_check bool proof_init(struct proof *, struct loop *, struct runs *,
			   void (*proved)(struct proof *), struct error *);
void proof_fini(struct proof *);

/* `runs` are separated by blanks.  None may be running. */
void proof_start(struct proof *, struct str runs);
