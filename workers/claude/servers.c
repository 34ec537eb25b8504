#include "workers/claude/claude.h"

#include <stdio.h>

#include "workers/cli/mcp.h"

/*
 * The MCP servers of the caller's are told over the CLI's input: so what is
 * secret in them is in no argument, no variable and no file, and they can be
 * others in a later turn.  The reply comes when all of them were tried.
 *
 * Claude Code would hide their tools behind a search, and go on offering those
 * of a server that is gone, as long as there are tools that it searches: in a
 * process that begins with servers it searches none.
 */

void
claude_expect_servers(struct conversation *c, struct words *env)
{
	struct claude *own = c->own;

	own->offers_all = mcp_is_wanted(&c->options);
	if (!own->offers_all)
		return;
	words_set(env, "ENABLE_TOOL_SEARCH=false");
	if (!words_value(env, "MCP_TIMEOUT"))
		words_print(env, "MCP_TIMEOUT=%d", MCP_START_MS);
}

unsigned
claude_takes_anew(const struct conversation *c)
{
	return ((const struct claude *)c->own)->offers_all ? BINDS_MCP : 0;
}

/* NULL and {} are the same; JSON's null is like nothing else. */
static bool
same_servers(const json_t *had, const json_t *wanted)
{
	if (json_is_null(had))
		return false;
	return json_equal(had, wanted) ||
	       json_object_size(had) + json_object_size(wanted) == 0;
}

/* Claude Code would expand "${NAME}" in headers. */
static json_t *
told_of(const json_t *server)
{
	json_t *its = json_copy((json_t *)server);
	json_t *headers = json_object_get(server, "headers");

	if (headers)
		json_object_set_new(its, "headers",
				    mcp_quote(headers, MCP_DOLLAR));
	json_object_set_new(its, "timeout",
			    json_integer((json_int_t)mcp_call_ms(server)));
	json_object_set_new(its, "alwaysLoad", json_true());
	return its;
}

/* Those of the caller's, and ours, which has the caller's tools. */
static json_t *
wanted_by(const struct conversation *c)
{
	json_t *all = json_object(), *server;
	const char *name;

	json_object_foreach ((json_t *)c->options.servers, name, server)
		json_object_set_new(all, name, told_of(server));
	claude_add_tools(c, all);
	return all;
}

bool
claude_has_servers(const struct conversation *c)
{
	const struct claude *own = c->own;
	json_t *wanted = wanted_by(c);
	bool is_same = same_servers(own->said_servers, wanted);

	json_decref(wanted);
	return !own->is_asked_for_servers && is_same;
}

/* The user's own rules do not know them.  In the modes that only read, the CLI
 * refuses their tools nevertheless. */
static void
allow(struct conversation *c)
{
	json_t *rules = json_array(), *server;
	const char *name;

	json_object_foreach ((json_t *)c->options.servers, name, server) {
		auto_free char *rule = copy_format("mcp__%s", name);

		json_array_append_new(rules, json_string(rule));
	}
	claude_ask(c, "permissions",
		   json_pack("{s:s, s:{s:{s:o}}}", "subtype",
			     "apply_flag_settings", "settings", "permissions",
			     "allow", rules));
}

void
claude_ask_for_servers(struct conversation *c)
{
	struct claude *own = c->own;
	char id[32];

	if (!claude_may_do_all(c))
		allow(c);
	json_decref(own->asked_servers);
	own->asked_servers = wanted_by(c);
	json_decref(own->said_tools); /* ours are listed with it */
	own->said_tools = json_incref(c->options.tools);
	own->is_asked_for_servers = true;
	snprintf(id, sizeof id, CLAUDE_SERVERS_REQUEST,
		 (uintmax_t)++own->asked);
	own->servers_request = own->asked;
	claude_ask(c, id,
		   json_pack("{s:s, s:o}", "subtype", "mcp_set_servers",
			     "servers", json_incref(own->asked_servers)));
}

/* What the CLI has after a failure is not what was asked for. */
bool
claude_on_servers(struct conversation *c, const json_t *response,
		  struct error *e)
{
	struct claude *own = c->own;
	json_t *errors = json_object_get(json_object_get(response, "response"),
					 "errors");
	const char *refusal = json_text(response, "error");
	const char *name;
	json_t *why;

	own->is_asked_for_servers = false;
	json_decref(own->said_servers);
	own->said_servers = json_null();
	if (refusal)
		return fail_with(e, ERR_HARNESS, "%s: %s", c->instance->name,
				 refusal);
	json_object_foreach (errors, name, why)
		return mcp_fail(&c->options, c->instance->name, name,
				json_string_value(why), e);
	own->said_servers = own->asked_servers;
	own->asked_servers = NULL;
	return true;
}
