#include "workers/claude/claude.h"

#include "workers/options/tools.h"

/*
 * The caller's tools are those of an MCP server that we are ourselves: Claude
 * Code speaks to it in control requests.  A hook is asked before each call of
 * one, and defers it: at the end of the model's message the CLI then ends its
 * turn, with all its calls, and takes the results of them as the next message.
 * So nothing of it waits, and no clock runs.
 */

#define SERVER CLIENT_SERVER
#define PREFIX "mcp__" SERVER "__"
#define HOOK "client_call"

enum {
	/* Of a whole name.  The CLI drops a tool with a longer one. */
	MAX_NAME_LEFT = 128 - (sizeof PREFIX - 1),
};

void
claude_add_hook(json_t *initialize)
{
	json_object_set_new(initialize, "hooks",
			    json_pack("{s:[{s:s, s:[s]}]}", "PreToolUse",
				      "matcher", PREFIX ".*", "hookCallbackIds",
				      HOOK));
}

/* With a variable it takes descriptions of any length. */
void
claude_expect_tools(const struct conversation *c, struct words *argv,
		    struct words *env)
{
	if (!c->options.tools)
		return;
	words_set(env, "CLAUDE_CODE_MAX_MCP_DESCRIPTION_LENGTH=1000000");
	words_set(env, "ENABLE_TOOL_SEARCH=false");
	if (c->options.keeps_own_tools || c->options.mode == MODE_SAFE)
		return;
	words_add(argv, "--tools");
	words_add(argv, "");
}

void
claude_add_tools(const struct conversation *c, json_t *servers)
{
	if (json_array_size(c->options.tools))
		json_object_set_new(
			servers, SERVER,
			json_pack("{s:s, s:s}", "type", "sdk", "name", SERVER));
}

/* What our server answers */

static json_t *
list_of(const struct conversation *c)
{
	json_t *all = json_array();
	const json_t *tool;
	size_t i;

	json_array_foreach (c->options.tools, i, tool) {
		auto_free char *name =
			tool_told_name(json_text(tool, "name"), MAX_NAME_LEFT);

		json_array_append_new(
			all, json_pack("{s:s, s:O, s:O, s:{s:b}}", "name", name,
				       "description",
				       json_object_get(tool, "description"),
				       "inputSchema",
				       json_object_get(tool, "parameters"),
				       "_meta", "anthropic/alwaysLoad", 1));
	}
	return json_pack("{s:o}", "tools", all);
}

/* A call that was not deferred: the CLI has lost what it was about. */
static json_t *
no_result(void)
{
	return json_pack("{s:[{s:s, s:s}], s:b}", "content", "type", "text",
			 "text", "the result of this call is not known",
			 "isError", 1);
}

static json_t *
result_of(struct conversation *c, const char *method, const json_t *params)
{
	struct claude *own = c->own;

	if (!strcmp(method, "initialize"))
		return tools_greeting(params);
	if (!strcmp(method, "tools/list")) {
		own->is_listing = false;
		return list_of(c);
	}
	if (!strcmp(method, "tools/call"))
		return no_result();
	return json_object();
}

json_t *
claude_on_message(struct conversation *c, const json_t *request)
{
	const json_t *message = json_object_get(request, "message");
	const char *method = json_text(message, "method");
	json_t *id = json_object_get(message, "id");
	json_t *result = result_of(c, method ? method : "",
				   json_object_get(message, "params"));

	return json_pack("{s:{s:s, s:O?, s:o}}", "mcp_response", "jsonrpc",
			 "2.0", "id", id, "result", result);
}

static bool
has_tool(const json_t *tools, const json_t *one)
{
	const json_t *tool;
	size_t i;

	json_array_foreach (tools, i, tool)
		if (json_equal(tool, one))
			return true;
	return false;
}

/*
 * The CLI goes on to offer what it has offered, as it was, whatever our list
 * says, until there has been a turn in which no server had any tools.
 */
bool
claude_takes_tools(const struct conversation *c, const struct options *wanted)
{
	const struct claude *own = c->own;
	const json_t *tool;
	size_t i;

	if (!json_array_size(wanted->tools) &&
	    !json_object_size(wanted->servers))
		return true;
	json_array_foreach (own->offered, i, tool)
		if (!has_tool(wanted->tools, tool))
			return false;
	return true;
}

static void
note_offered(struct conversation *c)
{
	struct claude *own = c->own;
	json_t *tool;
	size_t i;

	if (!own->offered)
		own->offered = json_array();
	if (!json_array_size(c->options.tools) &&
	    !json_object_size(c->options.servers))
		json_array_clear(own->offered);
	json_array_foreach (c->options.tools, i, tool)
		if (!has_tool(own->offered, tool))
			json_array_append(own->offered, tool);
}

/* A list that has changed in a live conversation. */
void
claude_tell_tools(struct conversation *c)
{
	struct claude *own = c->own;

	note_offered(c);
	if (json_equal(own->said_tools, c->options.tools))
		return;
	json_decref(own->said_tools);
	own->said_tools = json_incref(c->options.tools);
	if (!json_object_get(own->said_servers, SERVER))
		return;
	own->is_listing = true;
	claude_ask(c, "tools",
		   json_pack("{s:s, s:s, s:{s:s, s:s}}", "subtype",
			     "mcp_message", "server_name", SERVER, "message",
			     "jsonrpc", "2.0", "method",
			     "notifications/tools/list_changed"));
}

/* Calls */

bool
claude_is_call(const char *name)
{
	return name && !strncmp(name, PREFIX, sizeof PREFIX - 1);
}

/* False: it is a call of no tool that the caller has now. */
static bool
note_call(struct conversation *c, const json_t *input)
{
	struct claude *own = c->own;
	const char *told = json_text(input, "tool_name");
	const char *id = json_text(input, "tool_use_id");
	const json_t *tool = claude_is_call(told)
				     ? tools_find_told(c->options.tools,
						       told + sizeof PREFIX - 1,
						       MAX_NAME_LEFT)
				     : NULL;
	auto_free char *arguments =
		call_arguments(json_object_get(input, "tool_input"));

	if (!id || !tool)
		return false;
	if (!own->calls)
		own->calls = json_array();
	json_array_append_new(own->calls,
			      json_pack("{s:s, s:O, s:s}", "cli", id, "name",
					json_object_get(tool, "name"),
					"arguments", arguments));
	return true;
}

/* To defer a call ends the agent that makes it: a sub-agent would never go on.
 * In a turn that the CLI has begun by itself nobody is there to run it. */
static const char *
refusal_of(const struct conversation *c, const json_t *input)
{
	const struct claude *own = c->own;

	if (json_text(input, "agent_id"))
		return "Only the main agent can call this tool: hand back what "
		       "it should be called with.";
	if (own->under_way == CLAUDE_OWN_TURN)
		return "Nobody is there to run this tool before the user's "
		       "next message.";
	return NULL;
}

json_t *
claude_on_hook(struct conversation *c, const json_t *request)
{
	const json_t *input = json_object_get(request, "input");
	const char *refusal = refusal_of(c, input);

	if (!refusal && note_call(c, input))
		return json_pack("{s:{s:s, s:s}}", "hookSpecificOutput",
				 "hookEventName", "PreToolUse",
				 "permissionDecision", "defer");
	return json_pack("{s:{s:s, s:s, s:s}}", "hookSpecificOutput",
			 "hookEventName", "PreToolUse", "permissionDecision",
			 "deny", "permissionDecisionReason",
			 refusal ? refusal : "There is no such tool any more.");
}

bool
claude_is_deferred(const struct claude *own, const json_t *result)
{
	const char *reason = json_text(result, "terminal_reason");

	return own->calls && reason && !strcmp(reason, "tool_deferred");
}

/* Results */

static json_t *
block_of(const json_t *result)
{
	json_t *content =
		parts_plain(history_blocks(json_object_get(result, "content")));

	return json_pack("{s:s, s:O, s:o, s:O*}", "type", "tool_result",
			 "tool_use_id", json_object_get(result, "id"),
			 "content", content, "is_error",
			 json_object_get(result, "is_error"));
}

json_t *
claude_result_blocks(const struct conversation *c)
{
	json_t *all = json_array(), *said = json_array();
	const json_t *result;
	size_t i;

	json_array_foreach (c->results, i, result)
		json_array_append_new(all, block_of(result));
	if (json_array_size(c->messages)) {
		json_decref(said);
		said = inert_blocks(c);
	}
	json_array_extend(all, said);
	json_decref(said);
	return all;
}
