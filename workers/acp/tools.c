#include "workers/acp/acp.h"

#include <ctype.h>
#include <stdio.h>

#include "workers/options/tools.h"

/*
 * The caller's tools are an MCP server of the session (../cli/client_tools.h).
 * What an agent tells of their calls is not told as what it does by itself:
 * these calls end the response.
 *
 *   copilot   tells of all calls of a message, with their arguments, and asks
 *             for all results at once, in any order
 *   kimi      does the same, and asks for one result after the other; of two
 *             calls that are the same only once
 *   qwen      tells of all calls, but their arguments one by one, as it asks
 *   gemini    tells of a call when it asks
 *
 * How an agent of the operator's own calls them is not known.  Most put the
 * server's name before that of the tool.
 */

/* The name of the tool in "mcp__client__tool", "client-tool" and the like;
 * NULL: that is no such text. */
static const char *
tool_in(const char *text)
{
	const char *at = text ? strstr(text, CLIENT_SERVER) : NULL;
	const char *tool = at ? at + strlen(CLIENT_SERVER) : NULL;

	if (!at || (at != text && isalnum((unsigned char)at[-1])) ||
	    !ispunct((unsigned char)*tool))
		return NULL;
	return tool + strspn(tool, "_-.:/");
}

static const char *
tool_of_own(const json_t *update)
{
	const char *tool = tool_in(
		json_text(json_object_get(update, "_meta"), "toolName"));

	if (!tool)
		tool = tool_in(json_text(update, "title"));
	return tool ? tool : tool_in(json_text(update, "toolCallId"));
}

/* By the sign of servers.c; NULL: it is no tool of the caller's. */
static const char *
tool_of(const struct conversation *c, const json_t *update)
{
	const struct acp_kind *kind = acp_agent_of(c)->kind;
	const char *sign = acp_sign_of(c, update);
	auto_free char *begin = NULL;
	size_t len;

	if (kind->server_sign == ACP_SIGN_ANY)
		return tool_of_own(update);
	begin = copy_format("%s%s%s", kind->server_begin, CLIENT_SERVER,
			    kind->server_end);
	len = strlen(begin);
	return sign && !strncmp(sign, begin, len) ? sign + len : NULL;
}

static bool
is_over(const json_t *update)
{
	const char *status = json_text(update, "status");

	return status &&
	       (!strcmp(status, "completed") || !strcmp(status, "failed"));
}

/* Later updates of a call need not name its tool. */
static void
remember(struct conversation *c, const json_t *update, const char *id,
	 const char *tool)
{
	struct acp *own = c->own;
	const char *title = json_text(update, "title");

	if (!own->client_calls)
		own->client_calls = json_object();
	if (!own->tools)
		own->tools = json_object();
	json_object_set_new(own->client_calls, id, json_string(tool));
	if (!json_object_get(own->tools, id))
		json_object_set_new(own->tools, id,
				    title ? json_string(title) : json_true());
	acp_say_held(c);
	buf_fini(&own->said);
	own->paragraphs.used_tool = true;
}

bool
acp_hear_client_call(struct conversation *c, const json_t *update)
{
	struct acp *own = c->own;
	const char *id = json_text(update, "toolCallId"), *tool;
	const json_t *arguments = json_object_get(update, "rawInput");

	if (!c->client_tools || !id)
		return false;
	tool = tool_of(c, update);
	if (tool && !json_object_get(own->client_calls, id))
		remember(c, update, id, tool);
	tool = json_text(own->client_calls, id);
	if (!tool)
		return false;
	if (is_over(update))
		client_tools_withdraw(c, id);
	else
		client_tools_announce(c, id, tool,
				      json_object_size(arguments) ? arguments
								  : NULL);
	return true;
}

/* A title may be of the model's making, but what kind of tool it is the agent
 * knows. */
bool
acp_is_client_call(const struct conversation *c, const json_t *call)
{
	const struct acp *own = c->own;
	const char *id = json_text(call, "toolCallId");
	const char *kind = json_text(call, "kind");

	return id && kind && !strcmp(kind, "other") &&
	       json_object_get(own->client_calls, id);
}

void
acp_park(struct conversation *c, json_t *calls)
{
	struct acp *own = c->own;
	struct usage usage = own->usage;

	own->usage = (struct usage){ 0 };
	conversation_park(c, calls, &usage,
			  *own->answering ? own->answering : c->model);
}

/* What follows is another answer. */
void
acp_answer(struct conversation *c)
{
	struct acp *own = c->own;

	own->paragraphs = (struct paragraphs){ 0 };
	client_tools_answer(c);
}
