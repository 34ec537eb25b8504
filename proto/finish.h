#pragma once
/*
 * finish - how a turn ends well: the reason, and what the turn has used
 *
 * All of it is numbers that belong to no dialect.  A worker fills them in from
 * what its CLI tells, FINISH carries them, and the gateway writes them in the
 * words of the dialect that the client speaks.
 */
#include <stdbool.h>
#include <stdint.h>

enum finish_reason {
#define FINISH_REASON(NAME, chat) FINISH_##NAME,
#include "proto/finish_reasons.def"
	FINISH_REASONS
};

/* "stop": the word of OpenAI's chat completions. */
const char *finish_reason_chat(enum finish_reason);

/* A number that may be not known, which is not the same as 0.  A zeroed one is
 * not known. */
struct amount {
	bool is_known;
	uint64_t count;
};

static inline struct amount
amount_of(uint64_t count)
{
	return (struct amount){ .is_known = true, .count = count };
}

/* The tokens of what one request of a turn has shown its model. */
struct prompt_tokens {
	struct amount all;    /* with those of caches */
	struct amount cached; /* a part of all: read from a cache */
};

/*
 * Whether a turn has found in its vendor's cache what its session had shown the
 * model before.  All four are known, or none.
 */
struct cache_use {
	struct amount expected; /* tokens of the session's last prompt */
	struct amount cached; /* of the turn's first request: from a cache... */
	struct amount fresh;  /* ...and not */
	struct amount rebilled; /* 1: what was expected was charged anew; 0 */
};

/* What one turn has used.  Nothing is known of a zeroed one. */
struct usage {
	/* Tokens. */
	struct amount input;	 /* all, with those of caches */
	struct amount cached;	 /* a part of input: read from a cache */
	struct amount written;	 /* a part of input: written to a cache */
	struct amount output;	 /* all, with reasoning */
	struct amount reasoning; /* a part of output */

	struct amount cost;	 /* in nanodollars: 1e9 are one US dollar */
	const char *cost_source; /* whose reckoning that is, for programs to
				    read; static; NULL: no cost is known */

	/* The prompts of the turn's first request and of its last one.  They
	 * are not known of a CLI that tells only the sum of several. */
	struct prompt_tokens first, last;

	struct cache_use cache;
};
