#pragma once
/*
 * slot_runs - tells when the first process of a run has exited; signals runs
 *
 * The engine answers before it has started a process, so a run that is to be
 * watched may not be there yet: it is looked for until NOT_FOUND_MS have
 * passed, and then it counts as gone.  Signals for it are kept until it is
 * found.
 */
#include "workers/executor/docker/slot_orders.h"
#include "workers/executor/docker/slot_proc.h"
#include "workers/executor/docker/slot_teller.h"

struct runs {
	struct loop *loop;
	struct teller *teller;
	struct proc_list *list;
	struct list watched; /* of struct watched_run */
	struct timer look;   /* set while a run has not been found yet */
};

void runs_init(struct runs *, struct loop *, struct teller *,
	       struct proc_list *);
void runs_fini(struct runs *);

/*
 * Tells "runs RUN" when it has been found, and "exited RUN" in any case. False:
 * too many runs are watched.
 */
bool runs_watch(struct runs *, struct str run);

/*
 * To the process group of the run's first process; if that is gone, to each
 * process that still has the run's mark.
 */
void runs_signal(struct runs *, struct str run, int signal);

/* The run whose first process this is; absent if that is not known. */
struct str runs_of_leader(const struct runs *, pid_t);
