#include "workers/cli/cache_use.h"

struct cache_use
cache_use_of(uint64_t before, bool has_caches,
	     const struct prompt_tokens *first)
{
	const struct prompt_tokens *p = first;
	uint64_t fresh = p->all.count - p->cached.count;

	if (!before || !has_caches || !p->all.is_known || !p->cached.is_known ||
	    p->cached.count > p->all.count || p->all.count < before / 2)
		return (struct cache_use){ 0 };
	/* What all conversations of a CLI begin with may be in the cache still:
	 * so some tokens from there do not mean that the session was found. */
	return (struct cache_use){
		.expected = amount_of(before),
		.cached = p->cached,
		.fresh = amount_of(fresh),
		.rebilled = amount_of(p->cached.count < before / 2 &&
				      fresh >= before / 2),
	};
}

void
cache_use_judge(struct session *s, struct usage *u, bool goes_on)
{
	s->has_caches |= u->cached.count || u->written.count;
	if (goes_on)
		u->cache = cache_use_of(s->prompt_tokens, s->has_caches,
					&u->first);
	if (u->last.all.is_known || !goes_on)
		s->prompt_tokens = u->last.all.count;
}
