#pragma once
/*
 * progress - whether a process that does not answer is at work
 *
 * The main thread gives the answers, so only this thread is looked at.  It is
 * at work if it runs, wants to run or waits for the disk, or if it used much of
 * the time since the last look.  A process that is stopped, or waits for an
 * event that never comes, is not at work.  An endless loop counts as work until
 * it has used `max_ms` of processor time: time on the clock says nothing on a
 * busy machine.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct progress {
	uint64_t first, last; /* ticks of processor time: at progress_begin(),
				 and at the last call */
};

void progress_begin(struct progress *, pid_t pid);

/*
 * Was the process at work since progress_begin() or the last call?  False if it
 * used more than `max_ms` of processor time since progress_begin().
 */
bool progress_goes_on(struct progress *, pid_t pid, uint64_t max_ms);
