#pragma once
/*
 * structured - an answer that is to be JSON, because the request wants so
 *
 * A CLI that can be told so in its own way is told so (harness.h, `formats`);
 * any other one is asked for it in words, at the end of the question.  Neither
 * is to be relied on.  So what is said is held back until the turn has ended,
 * and then the JSON in it is looked for, and held against the schema.  If it
 * does not fit, the CLI is asked again, once, in the same conversation, and
 * told what was wrong and where.  If it does not fit then, the turn fails with
 * that.
 *
 * Only here are code fences and words around an answer taken off.
 */
#include "workers/options/options.h"

enum { MAX_HELD_ANSWER = 16 << 20 /* bytes that are held back */ };

/* The JSON in an answer, as the model has written it: the last that fits.
 * Fails with ERR_INVALID_OUTPUT. */
must_check bool structured_find(struct str answer, const struct options *,
				struct str *json, struct error *);

/* A copy of the messages, with words at the end of the last one that say what
 * the answer must be.  The caller json_decref()s it. */
json_t *structured_ask(const json_t *messages, const struct options *);

/* The message of the user's that asks again.  With `told`, the CLI has been
 * told the schema, and is told so at each turn. */
json_t *structured_ask_again(const struct options *, const struct error *why,
			     bool told);
