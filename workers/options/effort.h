#pragma once
/*
 * effort - how long the model may think, and who can be told so
 *
 * A harness or a model takes some of the words, and what it does not take is
 * refused with the words that it does.  One word is different: OpenAI documents
 * "medium" as what an API does that is told nothing, and some clients say it
 * with every request (Copilot CLI does).  So where there is no such word,
 * "medium" asks for what the CLI does by itself, unless the request wants to be
 * told of whatever is left out.
 */
#include <jansson.h>

#include "workers/options/options.h"

#define EFFORT_BIT(effort) (1u << (effort))

/* All words. */
#define ANY_EFFORT (EFFORT_BIT(EFFORTS) - EFFORT_BIT(EFFORT_NONE))

/* EFFORT_USUAL: it is none of the words.  "off" is EFFORT_NONE, and "ultracode"
 * EFFORT_MAX. */
enum effort effort_named(const char *word);

/* The words in an array of texts, or, with `key`, of objects that have them
 * there; others are left out. */
unsigned effort_set_of(const json_t *words, const char *key);

/*
 * What to tell `who`, who takes the words in the set.  Fails with
 * ERR_UNSUPPORTED.
 */
must_check bool effort_settle(const struct options *, const char *who,
			      unsigned can, enum effort *, struct error *);
