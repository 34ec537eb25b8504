#pragma once
/*
 * cache_use - whether a session's earlier prompt was charged anew
 *
 * A turn that goes on in a session shows the model again all that was shown
 * before.  Vendors keep that in a cache for some minutes, and charge a tenth or
 * so for what they find there.  This compares the tokens of the session's last
 * prompt with those that the first request of the next turn had from a cache.
 *
 * There is no verdict where something is not known, and none on a prompt that
 * is far shorter than the one before: the CLI has summarised the conversation.
 */
#include "proto/finish.h"
#include "workers/cli/session.h"

/*
 * `before`: tokens of the session's last prompt; 0: not known.  `has_caches`:
 * its vendor is known to tell of a cache.  One that does not is told by CLIs
 * like one that has found nothing in it.
 */
struct cache_use cache_use_of(uint64_t before, bool has_caches,
			      const struct prompt_tokens *first);

/* A turn of the session has ended well: says so in `usage`, if the turn went on
 * from what was before, and notes in the row what the next one is compared
 * with. */
void cache_use_judge(struct session *, struct usage *, bool goes_on);
