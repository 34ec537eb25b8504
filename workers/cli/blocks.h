#pragma once
/*
 * blocks - what a CLI says, in blocks as Anthropic's API has them, and in
 * paragraphs
 *
 * A turn is one answer for its client, while a CLI says it as several messages
 * with the use of tools in between.  So a text that follows the use of a tool
 * begins a new paragraph, with every CLI whose messages can't be told apart
 * otherwise.
 */
#include "workers/cli/harness.h"

/* Of one turn; zeroed when it begins. */
struct paragraphs {
	bool has_text;	/* the turn has said some */
	bool used_tool; /* since its last text */
};

/* Says the text; nothing if it is empty. */
void paragraphs_say(struct paragraphs *, struct conversation *, struct str);

/* Tells of {"type":"tool_use","id","name","input"}. */
void block_tool_use(struct paragraphs *, struct conversation *,
		    const json_t *block);

/* Tells of {"type":"tool_result","tool_use_id","content","is_error"}. */
void block_tool_result(struct conversation *, const json_t *block);
