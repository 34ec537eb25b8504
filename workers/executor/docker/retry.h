#pragma once
/* retry - how long what has failed waits until it is tried again */
#include <stdint.h>

enum {
	RETRY_FIRST_MS = 1000, /* then doubled */
	RETRY_MAX_MS = 10000,
	RETRY_STEADY_MS = 10000, /* what was up that long has not failed in a
				  * row */
};

/* In ms.  Counts the failures in a row; after the first one the next attempt
 * is made at once. */
static inline uint64_t
retry_pause(unsigned *failures)
{
	unsigned before = (*failures)++;
	uint64_t pause = RETRY_FIRST_MS;

	if (!before)
		return 1;
	while (--before && pause < RETRY_MAX_MS)
		pause *= 2;
	return pause < RETRY_MAX_MS ? pause : RETRY_MAX_MS;
}
