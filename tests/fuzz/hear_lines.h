#pragma once
/*
 * hear_lines - lets a harness hear any bytes, as the lines of its CLI
 *
 * For harnesses with a process for each conversation.  The conversation is
 * begun as the engine begins it; its turn is said as soon as it is ready.
 */
#include "tests/unit/conversation_notes.h"

void hear_lines(const struct harness *, struct conversation *,
		const uint8_t *bytes, size_t len);

/* Results of calls, as answer() of a harness has them: the caller
 * json_decref()s them. */
json_t *some_results(void);
