#pragma once
/*
 * eviction - which conversations and instances end because they are idle
 *
 * There may be max_idle idle conversations, as many that work by themselves (in
 * the background, or in a turn for which nobody has asked), as many shared
 * instances without a conversation, and max_parked that wait for results of the
 * caller's tools; of each kind the one goes first whose last turn ended longest
 * ago.  When the machine is short of memory, or no more processes are allowed,
 * idle ones go before their time, spares among them, then those that work by
 * themselves, and last those that wait for results.  The next turn of a session
 * whose conversation was ended resumes it in a new one.
 */
#include "workers/cli/pool.h"

/* MiB that are available without swapping; UINT64_MAX if that is unknown. */
uint64_t free_memory(void);

/* The conversation has become idle, works by itself, or waits for results. */
void evict_behind(struct conversation *);

/* Ends those that are more than the settings allow: conversations... */
void evict_surplus(struct pool *);
/* ...and instances. */
void evict_surplus_instances(struct pool *);

/* Ends the instance or the conversation that has been idle longest, if memory
 * is short.  False if it is not, or nothing is idle. */
bool evict_for_memory(struct pool *);

/* Ends all that does nothing. */
void evict_idle(struct pool *);

/* Makes room for another process.  True as long as one is ending.
 */
bool evict_for_room(struct pool *);
