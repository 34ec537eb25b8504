#pragma once
/*
 * usage - what a turn has used, as OpenAI's chat completions say it
 *
 * The only place where that object is written.  (A provider's own answer is
 * passed on as it is, with the object that it has.)  A number that is not known
 * is left out.  Clients with types want all of the three numbers in `usage`, so
 * without these there is none, and what is known is in `bridge.usage`.
 */
#include "proto/buf.h"
#include "proto/msg.h"

/* Whether there is a `usage`. */
bool usage_is_whole(const struct msg_finish *);

/* Appends it, or null. */
void usage_write(struct buf *, const struct msg_finish *);

/* Appends to an object, which may be empty so far, the members "usage", if
 * something is known and no `usage` says it, and "cache".  `cache` is what is
 * known of that from the beginning, as in ACCEPTED; NULL: nothing. */
void usage_write_bridge(struct buf *, const struct msg_finish *,
			const char *cache);

/* The same as a member "bridge" of its own, if there is anything. */
void usage_write_extension(struct buf *, const struct msg_finish *,
			   const char *cache);

/* What is known of the cache, as the header X-Bridge-Cache: "warm", and behind
 * it the numbers, if they are known; `m` may be NULL.  The caller frees it. */
char *usage_cache_header(const char *cache, const struct msg_finish *m);
