#pragma once
/*
 * crashes - how long a session whose CLI crashes must wait for the next one
 *
 * A CLI that crashes again and again must not keep the machine busy, and one
 * session's crashes must not keep another waiting.  So crashes in a row are
 * counted for each session, and for all turns without one together; of the
 * MAX_CRASHING that crashed last.  After the second the next process waits for
 * FIRST_PAUSE_MS, and twice as long after each further one, up to
 * LONGEST_PAUSE_MS.
 */
#include <stdint.h>

enum {
	MAX_CRASHING = 32,
	FIRST_PAUSE_MS = 100,
	LONGEST_PAUSE_MS = 2000,
};

struct crashes {
	struct crash_count {
		uint64_t session; /* its hash; 0: turns without one */
		unsigned count;	  /* in a row; 0: free */
		uint64_t at;	  /* loop_now() of the last */
	} of[MAX_CRASHING];
};

/* A process that began at that time crashed under a turn of the session; NULL:
 * of none.  Processes that began before its last crash count with that. */
void crashes_note(struct crashes *, const char *session, uint64_t began);

/* A turn of the session has ended well. */
void crashes_forget(struct crashes *, const char *session);

/* How many ms the session's next process must wait. */
uint64_t crashes_pause(const struct crashes *, const char *session);
