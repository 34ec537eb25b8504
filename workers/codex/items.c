#include "workers/codex/codex.h"

#include <stdio.h>

/*
 * An item is a message, a thought, or the use of a tool.  It begins, comes in
 * deltas, and is completed by an event that repeats all of it.  The length and
 * the hash of the deltas are kept, so that only text that was missing in them
 * is said at the end.
 */

static json_t *
heard_of(struct codex *c, const char *id)
{
	if (!c->items)
		c->items = json_object();
	return json_object_get(c->items, id);
}

/* An empty line separates the messages of a turn. */
static json_t *
begin_message(struct conversation *c, const char *id)
{
	struct codex *own = c->own;
	json_t *heard =
		json_pack("[I, I]", (json_int_t)0, (json_int_t)CODEX_NOTHING);

	json_object_set_new(own->items, id, heard);
	if (own->has_text)
		conversation_text(c, STR("\n\n"));
	return heard;
}

static void
say_of(struct conversation *c, json_t *heard, struct str text)
{
	struct codex *own = c->own;
	json_t *len = json_array_get(heard, 0);
	json_t *hash = json_array_get(heard, 1);
	uint64_t so_far = (uint64_t)json_integer_value(hash);

	json_integer_set(len, json_integer_value(len) + (json_int_t)text.len);
	json_integer_set(hash, (json_int_t)codex_hash(so_far, text));
	own->has_text = true;
	conversation_text(c, text);
}

void
codex_on_text(struct conversation *c, const json_t *params)
{
	struct codex *own = c->own;
	const char *id = json_text(params, "itemId");
	struct str delta = json_str(params, "delta");
	json_t *heard;

	if (!id || !delta.len)
		return;
	heard = heard_of(own, id);
	if (!heard)
		heard = begin_message(c, id);
	say_of(c, heard, delta);
}

static void
on_message(struct conversation *c, const char *id, const json_t *item)
{
	struct codex *own = c->own;
	struct str all = json_str(item, "text");
	json_t *heard = heard_of(own, id);
	size_t len;
	uint64_t hash;

	if (!heard && !all.len)
		return;
	if (!heard)
		heard = begin_message(c, id);
	len = (size_t)json_integer_value(json_array_get(heard, 0));
	hash = (uint64_t)json_integer_value(json_array_get(heard, 1));
	if (len > all.len ||
	    codex_hash(CODEX_NOTHING, (struct str){ all.ptr, len }) != hash)
		instance_unknown(c->instance, "text", "other than its deltas");
	else if (len < all.len)
		say_of(c, heard, str_from(all, len));
}

/* Thoughts come as a summary in parts, or as they are, or both. */

static void
begin_thought(struct conversation *c, const char *part)
{
	struct codex *own = c->own;

	if (!strcmp(own->reasoning, part))
		return;
	snprintf(own->reasoning, sizeof own->reasoning, "%s", part);
	if (own->has_reasoning)
		conversation_reasoning(c, STR("\n\n"));
	own->has_reasoning = true;
}

void
codex_on_reasoning(struct conversation *c, const json_t *params)
{
	struct codex *own = c->own;
	const char *id = json_text(params, "itemId");
	const json_t *summary = json_object_get(params, "summaryIndex");
	const json_t *raw = json_object_get(params, "contentIndex");
	struct str delta = json_str(params, "delta");
	char part[sizeof own->reasoning];

	if (!id || !delta.len)
		return;
	if (!heard_of(own, id))
		json_object_set_new(own->items, id, json_true());
	snprintf(part, sizeof part, "%c%lld %s", summary ? 's' : 'r',
		 (long long)json_integer_value(summary ? summary : raw), id);
	begin_thought(c, part);
	conversation_reasoning(c, delta);
}

static void
say_thoughts(struct conversation *c, const char *id, char kind,
	     const json_t *parts)
{
	const json_t *text;
	char part[sizeof((struct codex *)c->own)->reasoning];
	size_t i;

	json_array_foreach (parts, i, text) {
		struct str s = { json_string_value(text),
				 json_string_length(text) };

		if (!s.len)
			continue;
		snprintf(part, sizeof part, "%c%zu %s", kind, i, id);
		begin_thought(c, part);
		conversation_reasoning(c, s);
	}
}

/* A thought without deltas is said as a whole. */
static void
on_thought(struct conversation *c, const char *id, const json_t *item)
{
	struct codex *own = c->own;

	if (heard_of(own, id))
		return;
	json_object_set_new(own->items, id, json_true());
	say_thoughts(c, id, 's', json_object_get(item, "summary"));
	say_thoughts(c, id, 'r', json_object_get(item, "content"));
}

/* Tools */

enum { MAX_PARTS = 4 };

/* The fields of an item that are told at its beginning and at its end. */
static const struct tool {
	const char *type, *name; /* `codex exec` calls it so */
	const char *arguments[MAX_PARTS], *results[MAX_PARTS];
} tools[] = {
	{ "commandExecution",
	  "command_execution",
	  { "command", "cwd" },
	  { "aggregatedOutput", "status" } },
	{ "fileChange", "file_change", { "changes" }, { "status" } },
	{ "mcpToolCall",
	  "mcp_tool_call",
	  { "server", "tool", "arguments" },
	  { "result", "error" } },
	{ "collabAgentToolCall",
	  "collab_tool_call",
	  { "tool", "prompt" },
	  { "agentsStates", "status" } },
	{ "webSearch", "web_search", { "query" }, { "action", "query" } },
	{ "imageView", "image_view", { "path" }, { "path" } },
	{ "imageGeneration", "image_generation", { "prompt" }, { "status" } },
};

/* Items that are neither text nor tools, or that also come in another form, as
 * calls of the caller's tools do. */
static const char *const other_items[] = {
	"dynamicToolCall",
	"userMessage",
	"hookPrompt",
	"functionCallOutput",
	"plan",
	"subAgentActivity",
	"sleep",
	"enteredReviewMode",
	"exitedReviewMode",
	"contextCompaction",
};

static const struct tool *
find_tool(const char *type)
{
	for (size_t i = 0; i < sizeof tools / sizeof *tools; i++)
		if (!strcmp(type, tools[i].type))
			return &tools[i];
	return NULL;
}

static bool
is_other_item(const char *type)
{
	for (size_t i = 0; i < sizeof other_items / sizeof *other_items; i++)
		if (!strcmp(type, other_items[i]))
			return true;
	return false;
}

static void
on_tool_started(struct conversation *c, const struct tool *tool,
		const json_t *item)
{
	json_t *arguments = json_object();

	for (size_t i = 0; i < MAX_PARTS && tool->arguments[i]; i++)
		json_object_set(arguments, tool->arguments[i],
				json_object_get(item, tool->arguments[i]));
	conversation_tool(c, json_pack("{s:s?, s:s, s:o}", "id",
				       json_text(item, "id"), "name",
				       tool->name, "arguments", arguments));
}

/* The first of the fields that is there. */
static json_t *
result_of(const struct tool *tool, const json_t *item)
{
	for (size_t i = 0; i < MAX_PARTS && tool->results[i]; i++) {
		json_t *result = json_object_get(item, tool->results[i]);

		if (result && !json_is_null(result))
			return result;
	}
	return NULL;
}

static void
on_tool_completed(struct conversation *c, const struct tool *tool,
		  const json_t *item)
{
	const char *status = json_text(item, "status");
	bool is_error = status && (!strcmp(status, "failed") ||
				   !strcmp(status, "declined"));

	conversation_tool(c, json_pack("{s:s?, s:O?, s:O*, s:b}", "id",
				       json_text(item, "id"), "result",
				       result_of(tool, item), "exit_code",
				       json_object_get(item, "exitCode"),
				       "is_error", is_error));
}

void
codex_note_command(struct conversation *c, const char *method,
		   const json_t *params)
{
	struct codex *own = c->own;
	const json_t *item = json_object_get(params, "item");
	const char *type = json_text(item, "type"), *id = json_text(item, "id");

	if (!type || !id || strcmp(type, "commandExecution") != 0)
		return;
	if (!own->commands)
		own->commands = json_object();
	if (!strcmp(method, "item/started"))
		json_object_set_new(own->commands, id, json_true());
	else
		json_object_del(own->commands, id);
	conversation_background(c, (unsigned)json_object_size(own->commands));
}

void
codex_on_item_started(struct conversation *c, const json_t *params)
{
	const json_t *item = json_object_get(params, "item");
	const char *type = json_text(item, "type");
	const struct tool *tool = type ? find_tool(type) : NULL;

	if (tool)
		on_tool_started(c, tool, item);
}

void
codex_on_item_completed(struct conversation *c, const json_t *params)
{
	const json_t *item = json_object_get(params, "item");
	const char *type = json_text(item, "type");
	const char *id = json_text(item, "id");
	const struct tool *tool = type ? find_tool(type) : NULL;

	if (!type || !id)
		instance_unknown(c->instance, "item", "without type and id");
	else if (!strcmp(type, "agentMessage"))
		on_message(c, id, item);
	else if (!strcmp(type, "reasoning"))
		on_thought(c, id, item);
	else if (tool)
		on_tool_completed(c, tool, item);
	else if (!is_other_item(type))
		instance_unknown(c->instance, "item", type);
}
