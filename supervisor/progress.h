#pragma once
/*
 * progress - whether a process that does not answer is at work
 *
 * Its main thread answers, so that is what is looked at: it works if it runs,
 * wants to run or waits for the disk, or has used much of the time since the
 * last look.  One that was stopped, or waits for what will never come, does
 * not.  One that turns in a circle does, until it has used more processor time
 * than any work takes: time on the clock says nothing on a busy machine.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct progress {
	uint64_t first, last; /* ticks of its processor time, at both looks */
};

void progress_begin(struct progress *, pid_t pid);

/* Since that, or the last call.  False also if it has used more than `max_ms`
 * since it was begun. */
bool progress_goes_on(struct progress *, pid_t pid, uint64_t max_ms);
