#pragma once
/*
 * transcript - a conversation that began elsewhere, told in words
 *
 * For CLIs that have no other means to be given a system prompt, or what was
 * said before: it becomes plainly marked text that goes before the first
 * message of a talk.  Images stay images, in their places.  All of it is made
 * of parts, as in conversation.h, so that a harness passes it on as it does
 * the parts of messages.
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

/* Both in an array, which is empty if there is neither. */
json_t *transcript_preface(const struct conversation *);

/* Parts as one JSON string, which is empty for NULL.  NULL: there is an image
 * among them, which no text can stand for. */
json_t *transcript_text(const json_t *parts);
