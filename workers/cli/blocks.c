#include "workers/cli/blocks.h"

void
paragraphs_say(struct paragraphs *p, struct conversation *c, struct str text)
{
	if (!text.len)
		return;
	if (p->used_tool && p->has_text)
		conversation_text(c, STR("\n\n"));
	p->used_tool = false;
	p->has_text = true;
	conversation_text(c, text);
}

void
block_tool_use(struct paragraphs *p, struct conversation *c,
	       const json_t *block)
{
	p->used_tool = true;
	conversation_tool(c, json_pack("{s:s?, s:s?, s:O?}", "id",
				       json_text(block, "id"), "name",
				       json_text(block, "name"), "arguments",
				       json_object_get(block, "input")));
}

void
block_tool_result(struct conversation *c, const json_t *block)
{
	bool is_error = json_is_true(json_object_get(block, "is_error"));

	conversation_tool(c,
			  json_pack("{s:s?, s:O?, s:b}", "id",
				    json_text(block, "tool_use_id"), "result",
				    json_object_get(block, "content"),
				    "is_error", is_error));
}
