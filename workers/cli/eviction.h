#pragma once
/*
 * eviction - which conversations and instances end because they are idle
 *
 * There may be max_idle idle conversations, and as many shared instances
 * without a conversation; the one that has been idle longest goes first.  When
 * the machine is short of memory, or no more processes are allowed, idle ones
 * go before their time, spares among them.  The next turn of a session whose
 * conversation was ended resumes it in a new one.
 */
#include "workers/cli/pool.h"

/* MiB that are available without swapping; UINT64_MAX if that is unknown. */
uint64_t free_memory(void);

/* The conversation has become idle. */
void evict_behind(struct conversation *);

/* Ends those that are more than the settings allow: conversations... */
void evict_surplus(struct pool *);
/* ...and instances. */
void evict_surplus_instances(struct pool *);

/* Ends the instance or the conversation that has been idle longest, if memory
 * is short.  False if it is not, or nothing is idle. */
bool evict_for_memory(struct pool *);

/* Ends all that is idle. */
void evict_idle(struct pool *);

/* The same, to make room for another process.  True as long as one is ending.
 */
bool evict_for_room(struct pool *);
