#pragma once
/*
 * message - what one message of a chat request says, as a list of parts
 *
 * Clients say the same thing in many shapes: a string or an array of parts,
 * OpenAI's parts or Anthropic's, calls of functions or of custom tools, with
 * and without ids.  Here each becomes one of the parts that parts.h describes.
 *
 * Everything that a message says becomes a part, or is refused, or is noted by
 * name as ignored: see reading.h.
 */
#include "workers/cli/reading.h"

/* Appends what the message's content says: nothing if it is null. */
must_check bool message_content(struct reading *, json_t *parts,
				const json_t *message, struct error *);

/* The same of content that is not a message's own, such as a result's. */
must_check bool message_parts(struct reading *, json_t *parts,
			      const json_t *content, struct error *);

/* All text of the parts, one after the other.  The caller frees it. */
char *parts_text(const json_t *parts, const char *between, size_t *len);
