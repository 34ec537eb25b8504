#pragma once
/*
 * message_call - calls of tools in messages, and their results
 *
 * OpenAI's calls stand beside a message's content, and its results are messages
 * of their own; Anthropic's calls and results are parts of the content. Clients
 * bring ids and names that other vendors' models have made up: each id becomes
 * one that every vendor takes and no other call has, the same whenever the same
 * messages are read.
 */
#include "workers/cli/reading.h"

/* Appends the calls that an assistant's message makes. */
void message_calls(struct reading *, json_t *parts, const json_t *message);

/*
 * Makes the `parts` of a tool's message the result of its call.  If there is no
 * such call, they are told as text.
 */
json_t *message_result(struct reading *, json_t *parts, const json_t *message);

/* Append what a part of the content says that is a call, or a result. */
must_check bool calls_read_use(struct reading *, json_t *parts,
			       const json_t *part, struct error *);
must_check bool calls_read_result(struct reading *, json_t *parts,
				  const json_t *part, struct error *);
