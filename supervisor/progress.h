#pragma once
/*
 * progress - whether a process that does not answer is at work
 *
 * Its main thread answers, so that is what is looked at: it works if it runs,
 * wants to run or waits for the disk, or has used much of the time since the
 * last look.  One that was stopped, or waits for what will never come, does
 * not; one that turns in a circle does, so there must be an end to that.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct progress {
	uint64_t ticks; /* of its processor time, when it was last looked at */
};

/* Looks, and says what has become of it since the last look. */
bool progress_look(struct progress *, pid_t pid);
