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
 * Under which names a CLI tells its tokens; NULL: it does not tell them, and
 * they stay unknown.  A name is a key of the object, or several, as in
 * "cache.read".  A CLI leaves out what is 0, so a number that has a name and is
 * not there is 0.
 */
struct usage_names {
	const char *input, *cached, *written, *output, *reasoning;
	bool caches_are_apart;	 /* not counted in the CLI's input */
	bool reasoning_is_apart; /* not counted in its output */
};

/* Adds what the object tells.  What is no object tells nothing. */
void usage_read(struct usage *, const json_t *object,
		const struct usage_names *);

void usage_add(struct usage *sum, const struct usage *more);

/*
 * What was used between two sums that a CLI told.  A number that has become
 * smaller has been counted anew since.
 */
struct usage usage_since(const struct usage *now, const struct usage *before);

/* The cost, as CLIs tell it: in dollars, with fractions. */
struct amount usage_dollars(double);

/* A CLI's word for a reason; the table ends with a row of zeros. */
struct finish_word {
	const char *word;
	enum finish_reason reason;
};

/* FINISH_NONE if there is no word, or another one. */
enum finish_reason finish_reason_of(const struct finish_word *table,
				    const char *word);
