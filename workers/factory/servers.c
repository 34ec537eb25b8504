#include "workers/factory/factory.h"

#include "workers/cli/mcp.h"
#include "workers/options/tools.h"

/*
 * The MCP servers of the caller's are the session's, and are written nowhere.
 * droid waits for them, and does not say which it has found: but it lists their
 * tools.  Its model is offered their names only, and looks for the rest with a
 * tool of droid's, as it does with MCP servers in general.
 *
 * There are two that droid thinks of as its own, and whose tools it offers as
 * they are.  It knows them by a word in their name, with or without other signs
 * between its letters: "github" is one of them.  So this is what the server of
 * the caller's tools is called.
 */
#define OFFERED_AT_ONCE "digit-hub"

const char *
factory_server_name(const char *name)
{
	return strcmp(name, CLIENT_SERVER) != 0 ? name : OFFERED_AT_ONCE;
}

/* droid would expand "${NAME}" in these, and in the variables. */
static json_t *
pairs_of(const json_t *headers)
{
	return mcp_pairs(headers, MCP_DOLLAR);
}

static json_t *
server_for(const char *name, const json_t *server)
{
	json_t *its = json_copy((json_t *)server);
	json_t *headers = json_object_get(server, "headers");
	json_t *variables = json_object_get(server, "env");

	json_object_set_new(its, "name",
			    json_string(factory_server_name(name)));
	json_object_del(its, "timeout");
	if (headers)
		json_object_set_new(its, "headers", pairs_of(headers));
	if (variables)
		json_object_set_new(its, "env",
				    mcp_quote(variables, MCP_DOLLAR));
	return its;
}

/* Only here droid is told how long to wait for an answer. */
json_t *
factory_server_settings(const json_t *server)
{
	return json_pack("{s:O, s:O, s:I}", "type",
			 json_object_get(server, "type"), "url",
			 json_object_get(server, "url"), "timeout",
			 (json_int_t)mcp_call_ms(server));
}

void
factory_add_servers(const struct conversation *c, json_t *params)
{
	json_t *all = json_array(), *server;
	const char *name;

	json_object_foreach ((json_t *)c->options.servers, name, server)
		json_array_append_new(all, server_for(name, server));
	if (!json_array_size(all)) {
		json_decref(all);
		return;
	}
	json_object_set_new(params, "mcpServers", all);
	/* what is asked for must be heard: some of it is theirs */
	json_object_set_new(params, "autoRejectPermissionRequests",
			    json_false());
}

/* The caller may have tools that may not be called. */
static bool
has_tools(const struct conversation *c, const json_t *tools, const char *name)
{
	const char *server = factory_server_name(name);
	const json_t *tool;
	size_t i;

	if (!strcmp(name, CLIENT_SERVER) && !json_array_size(c->options.tools))
		return true;

	json_array_foreach (tools, i, tool) {
		const char *its = json_text(tool, "serverName");

		if (its && !strcmp(its, server))
			return true;
	}
	return false;
}

static void
on_tools(void *whom, const json_t *result, const json_t *error)
{
	struct conversation *c = whom;
	struct factory *f = c->own;
	const json_t *tools = json_object_get(result, "tools");
	const char *name;
	struct error e = { 0 };
	json_t *server;

	json_object_foreach ((json_t *)c->options.servers, name, server) {
		if (has_tools(c, tools, name))
			continue;
		(void)mcp_fail(&c->options, "factory", name,
			       error ? json_text(error, "message")
				     : "it did not start, or has no tools",
			       &e);
		conversation_fail(c, &e);
		return;
	}
	f->then(f);
}

void
factory_await_servers(struct conversation *c, void (*then)(struct factory *))
{
	struct factory *f = c->own;

	f->then = then;
	if (mcp_is_wanted(&c->options))
		rpc_ask(&f->rpc, "droid.list_mcp_tools", json_object(),
			on_tools, c);
	else
		then(f);
}

static bool
has_server(const struct conversation *c, const char *its_name)
{
	const char *name;
	json_t *server;

	json_object_foreach ((json_t *)c->options.servers, name, server)
		if (!strcmp(factory_server_name(name), its_name))
			return true;
	return false;
}

bool
factory_is_of_server(const struct conversation *c, const json_t *params)
{
	const json_t *uses = json_object_get(params, "toolUses"), *use;
	size_t i;

	json_array_foreach (uses, i, use) {
		const json_t *details = json_object_get(use, "details");
		const char *type = json_text(details, "type");
		const char *server = json_text(details, "serverName");

		if (!type || strcmp(type, "mcp_tool") != 0 || !server ||
		    !has_server(c, server))
			return false;
	}
	return json_array_size(uses) > 0;
}
