#include "workers/acp/acp.h"

#include "workers/cli/mcp.h"
#include "workers/options/tools.h"

/*
 * The MCP servers of the caller's.  A session is opened with them, and no other
 * session of the process has them.
 *
 * The protocol does not say whether a server was found.  Qwen and kimi can be
 * asked; until qwen has found all of them it would ask its model without their
 * tools.  The other agents wait for their servers, and then do without those
 * that are missing.
 */

enum {
	LOOK_AGAIN_MS = 150,
	MOST_TRIES = 3,
	MOST_WAITS = 20, /* of LOOK_AGAIN_MS */
};

static json_t *
pairs_of(const struct acp_kind *kind, const json_t *texts)
{
	return mcp_pairs(texts, kind->dollar ? kind->dollar : "$");
}

static json_t *
address_of(const struct acp_kind *kind, const json_t *server)
{
	return mcp_quote(json_object_get(server, "url"),
			 kind->expands_urls ? kind->dollar : "$");
}

static json_t *
server_for(const struct acp_kind *kind, const char *name, const json_t *server)
{
	if (mcp_has_url(server))
		return json_pack(
			"{s:O, s:s, s:o, s:o}", "type",
			json_object_get(server, "type"), "name", name, "url",
			address_of(kind, server), "headers",
			pairs_of(kind, json_object_get(server, "headers")));
	return json_pack("{s:s, s:O, s:O, s:o}", "name", name, "command",
			 json_object_get(server, "command"), "args",
			 json_object_get(server, "args"), "env",
			 pairs_of(kind, json_object_get(server, "env")));
}

json_t *
acp_servers(const struct conversation *c)
{
	const struct acp_kind *kind = acp_agent_of(c)->kind;
	json_t *all = json_array(), *server;
	const char *name;

	json_object_foreach ((json_t *)c->options.servers, name, server)
		json_array_append_new(all, server_for(kind, name, server));
	return all;
}

/* Every agent starts programs; what else it can it tells in its handshake. */
bool
acp_check_servers(const struct conversation *c, struct error *e)
{
	const struct acp_agent *agent = acp_agent_of(c);
	const char *name;
	json_t *server;

	json_object_foreach ((json_t *)c->options.servers, name, server) {
		const char *type = json_text(server, "type");
		bool can = !mcp_has_url(server) ||
			   (!strcmp(type, "sse") ? agent->takes_sse
						 : agent->takes_http);

		if (!can && c->client_tools && !strcmp(name, CLIENT_SERVER))
			return fail_about(e, ERR_UNSUPPORTED,
					  "tools: %s says that it takes no MCP "
					  "servers of the type http, and would "
					  "be told of them as of one: leave "
					  "them out",
					  conversation_name(c));
		if (!can)
			return fail_about(e, ERR_UNSUPPORTED,
					  "mcp.mcpServers.%s: %s says that it "
					  "takes no servers of the type %s",
					  name, conversation_name(c), type);
	}
	return true;
}

/* Whose tool an ask is about */

/* An ask for a permission has another title. */
static bool
is_told_first(const json_t *call)
{
	const char *update = json_text(call, "sessionUpdate");

	return update && !strcmp(update, "tool_call");
}

/* By a sign that the agent makes itself, and the model cannot. */
const char *
acp_sign_of(const struct conversation *c, const json_t *call)
{
	const struct acp *own = c->own;
	const char *id = json_text(call, "toolCallId");
	const char *kind = json_text(call, "kind");

	switch (acp_agent_of(c)->kind->server_sign) {
	case ACP_SIGN_ID:
		return id;
	case ACP_SIGN_TITLE:
		return json_text(call, "title");
	case ACP_SIGN_TOOL:
		return json_text(json_object_get(call, "_meta"), "toolName");
	case ACP_SIGN_CALL:
		if (!id || !kind || strcmp(kind, "other") != 0)
			return NULL;
		return is_told_first(call) ? json_text(call, "title")
					   : json_text(own->tools, id);
	case ACP_SIGN_NONE:
	case ACP_SIGN_ANY:
		break;
	}
	return NULL;
}

bool
acp_is_of_server(const struct conversation *c, const json_t *call)
{
	const struct acp_kind *kind = acp_agent_of(c)->kind;
	const char *sign = acp_sign_of(c, call), *name;
	json_t *server;

	if (!sign)
		return false;
	json_object_foreach ((json_t *)c->options.servers, name, server) {
		auto_free char *tool = copy_format("%s%s%s", kind->server_begin,
						   name, kind->server_end);

		if (!strncmp(sign, tool, strlen(tool)))
			return true;
	}
	return false;
}

/* Waiting for them */

static void ask(struct conversation *);

static void
on_look(struct timer *t)
{
	ask(container_of(t, struct acp, servers_look)->conversation);
}

static void
look_again(struct conversation *c)
{
	struct acp *own = c->own;

	loop_set(c->instance->loop, &own->servers_look, LOOK_AGAIN_MS, on_look);
}

static void
fail_for(struct conversation *c, const char *name, const char *why)
{
	struct error e = { 0 };

	(void)mcp_fail(&c->options, conversation_name(c), name, why, &e);
	conversation_fail(c, &e);
}

/* Qwen: {"mcp":{"discoveryState":S,"servers":[{"name":N,"mcpStatus":T}]}} */

static bool
is_connected(const json_t *rows, const char *name)
{
	const json_t *row;
	size_t i;

	json_array_foreach (rows, i, row) {
		const char *is = json_text(row, "name");
		const char *status = json_text(row, "mcpStatus");

		if (is && !strcmp(is, name))
			return status && !strcmp(status, "connected");
	}
	return false;
}

static void
on_closed_again(void *whom, const json_t *result, const json_t *error)
{
	struct conversation *c = whom;

	acp_forget_models(c->own);
	acp_open(c);
}

/* Qwen gives a server with an address five seconds, which is too little for one
 * that wakes up, and does not let itself be told another time. */
static bool
try_again(struct conversation *c, const json_t *server)
{
	struct acp_agent *agent = acp_agent_of(c);
	struct acp *own = c->own;

	if (!mcp_has_url(server) || ++own->server_tries == MOST_TRIES)
		return false;
	rpc_ask(&agent->rpc, agent->kind->closes_by, acp_params(c, NULL, NULL),
		on_closed_again, c);
	return true;
}

static void
on_resources(void *whom, const json_t *result, const json_t *error)
{
	struct conversation *c = whom;
	const json_t *mcp = json_object_get(result, "mcp");
	const char *state = json_text(mcp, "discoveryState"), *name;
	json_t *server;

	if (!error && (!state || strcmp(state, "completed") != 0)) {
		look_again(c);
		return;
	}
	json_object_foreach ((json_t *)c->options.servers, name, server) {
		if (is_connected(json_object_get(mcp, "servers"), name))
			continue;
		if (error || !try_again(c, server))
			fail_for(c, name, json_text(error, "message"));
		return;
	}
	conversation_ready(c);
}

/*
 * Kimi's command "/mcp" answers at once and asks no model:
 *
 *   MCP servers (2):
 *   - files (stdio): failed, 0 tools — spawn files ENOENT
 *   - web (http): connected, 2 tools
 */

/* What is said of the server, to the end of its line; absent: nothing. */
static struct str
report_of(struct str text, const char *name)
{
	auto_free char *begin = copy_format("- %s (", name);
	struct str line, what;

	while (text.len) {
		line = str_cut(text, '\n', &text);
		if (!str_starts(line, str_of(begin)))
			continue;
		(void)str_cut(line, ':', &what);
		return str_trim(what);
	}
	return (struct str){ 0 };
}

static void
on_report(void *whom, const json_t *result, const json_t *error)
{
	struct conversation *c = whom;
	struct acp *own = c->own;
	struct str text = buf_str(&own->report), what;
	const char *name;
	json_t *server;

	own->is_asking_for_report = false;
	json_object_foreach ((json_t *)c->options.servers, name, server) {
		auto_free char *why = NULL;

		what = report_of(text, name);
		if (str_starts(what, STR("connected")))
			continue;
		if (str_starts(what, STR("pending"))) {
			look_again(c);
			return;
		}
		why = copy(what);
		fail_for(c, name, why);
		return;
	}
	buf_fini(&own->report);
	conversation_ready(c);
}

void
acp_hear_report(struct conversation *c, const json_t *update)
{
	struct acp *own = c->own;
	struct error e;

	(void)!buf_add(&own->report,
		       str_in(json_object_get(
			       json_object_get(update, "content"), "text")),
		       &e);
}

static void
ask(struct conversation *c)
{
	struct acp_agent *agent = acp_agent_of(c);
	struct acp *own = c->own;

	if (agent->kind->servers_tell == ACP_TELLS_RESOURCES) {
		rpc_ask(&agent->rpc, "qwen/status/session/resources",
			acp_params(c, NULL, NULL), on_resources, c);
		return;
	}
	buf_fini(&own->report);
	own->report = BUF_INIT(MAX_LINE);
	own->is_asking_for_report = true;
	rpc_ask(&agent->rpc, "session/prompt",
		acp_params(c, "prompt",
			   json_pack("[{s:s, s:s}]", "type", "text", "text",
				     "/mcp")),
		on_report, c);
}

/* Whether an agent of the operator's own waits for its servers is not known:
 * that it has asked for the caller's tools shows, but it may do that later. */

static void await_tools(struct conversation *);

static void
on_wait(struct timer *t)
{
	await_tools(container_of(t, struct acp, servers_look)->conversation);
}

static void
await_tools(struct conversation *c)
{
	struct acp *own = c->own;

	if (acp_agent_of(c)->kind->server_sign != ACP_SIGN_ANY ||
	    client_tools_are_heard(c) || own->server_tries++ == MOST_WAITS) {
		own->server_tries = 0;
		conversation_ready(c);
		return;
	}
	loop_set(c->instance->loop, &own->servers_look, LOOK_AGAIN_MS, on_wait);
}

void
acp_await_servers(struct conversation *c)
{
	if (mcp_is_wanted(&c->options) && acp_agent_of(c)->kind->servers_tell)
		ask(c);
	else
		await_tools(c);
}

void
acp_forget_servers(struct conversation *c)
{
	struct acp *own = c->own;

	if (c->instance)
		loop_unset(c->instance->loop, &own->servers_look);
	buf_fini(&own->report);
}
