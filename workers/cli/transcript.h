#pragma once
/*
 * transcript - what a CLI has no format for, told in words
 *
 * For CLIs that have no other means to be given a system prompt, what was said
 * before, or the results of a caller's tools: it becomes plainly marked text.
 * Images stay images, in their places.  All of it is an array of parts that
 * are text or images (parts.h), so that a harness says it as it says the parts
 * of messages.
 *
 * Text that marks itself as something else is not looked for: it is all of
 * the same caller.
 */
#include "workers/cli/harness.h"

/* The system prompt as a part; NULL: there is none. */
json_t *transcript_system(const struct conversation *);

/* The history as an array of parts, NULL if there is none; see there for how
 * long there is one. */
json_t *transcript_history(const struct conversation *);

/* Both in an array, but for a system prompt that the conversation knows; it is
 * empty if there is neither. */
json_t *transcript_preface(const struct conversation *);

/*
 * What the CLI is to answer: the parts of conversation->messages from
 * conversation->from on.  A result of a tool is told with the call that it
 * belongs to, for the CLI has not heard that.
 */
json_t *transcript_question(const struct conversation *);

/* One call or result as an array of parts. */
json_t *transcript_of(const json_t *part);

/* Parts as one JSON string, which is empty for NULL.  NULL: there is an image
 * among them, which no text can stand for. */
json_t *transcript_text(const json_t *parts);
