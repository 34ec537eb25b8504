#pragma once
/*
 * usage - reads how a turn has ended well: what it has used, and why it ended
 *
 * Every CLI tells the same few numbers and reasons, under names of its own.  A
 * harness gives those names, in a table, and adds up what it is told in one
 * struct usage of the turn's, which it then gives to conversation_finish().
 */
#include <jansson.h>

#include "proto/finish.h"

/*
 * Under which names a CLI tells its tokens; NULL: it does not tell them.  A
 * name is a key of the object, or several, as in "cache.read".  What is not
 * there, or is no number, stays unknown.
 */
struct usage_names {
	const char *input, *cached, *written, *output, *reasoning;
	bool caches_are_apart;	 /* not counted in the CLI's input */
	bool reasoning_is_apart; /* not counted in its output */
	bool is_sum; /* the object is about all requests of a turn, and not
		      * about one */
};

/* Adds what the object tells.  What is no object tells nothing. */
void usage_read(struct usage *, const json_t *object,
		const struct usage_names *);

/* The object is about a request whose tokens are counted in a sum that is told
 * later: only its prompt is taken from it. */
void usage_read_prompt(struct usage *, const json_t *object,
		       const struct usage_names *);

/* Adds tokens, and no cost. */
void usage_add(struct usage *sum, const struct usage *more);

/* Adds the cost of a part of a turn.  What a CLI tells as no cost may be one
 * whose price it does not know: see usage_settle(). */
void usage_add_cost(struct usage *, struct amount cost, const char *source);

/* What is known of a turn beside its tokens, or'ed. */
enum turn_fact {
	TURN_SPOKE = 1,	     /* the model has answered something */
	TURN_USED_TOOLS = 2, /* so it was asked more than once */
};

/*
 * The turn has ended well, and this is what its CLI has told.  Where a vendor
 * tells no numbers, CLIs tell zeros, or those of the request before: these
 * become unknown.  If the turn was one request to the model, the sum tells its
 * prompt.
 */
void usage_settle(struct usage *, unsigned facts);

/* What two have used: a number that is not known of one is not known of both.
 */
struct usage usage_of_both(const struct usage *, const struct usage *);

/*
 * What was used between two sums that a CLI told.  A number that has become
 * smaller has been counted anew since.
 */
struct usage usage_since(const struct usage *now, const struct usage *before);

/* The cost, as CLIs tell it: in dollars, with fractions.  What is no number is
 * not known. */
struct amount usage_dollars(double);
struct amount usage_read_dollars(const json_t *);

/* A CLI's word for a reason; the table ends with a row of zeros. */
struct finish_word {
	const char *word;
	enum finish_reason reason;
};

/* FINISH_NONE if there is no word, or another one. */
enum finish_reason finish_reason_of(const struct finish_word *table,
				    const char *word);
