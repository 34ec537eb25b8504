#include "workers/codex/codex.h"

#include "workers/cli/mcp.h"

/*
 * The MCP servers of the caller's are settings of the thread: no other thread
 * of the process has them, and they are written nowhere.  A thread that is
 * opened again gets those that it is opened with.
 *
 * Without approvals Codex refuses every tool of a server, unless its settings
 * say that it is approved.  A server that is `required` and does not start
 * keeps the thread from being opened.
 *
 * Codex mixes the settings of two servers with one name: a server of the
 * caller's would get the headers of the user's, and their tokens.  So a name
 * that the user's settings have is refused.
 */
bool
codex_check_servers(const struct conversation *c, struct error *e)
{
	const struct codex *own = c->own;
	const json_t *theirs = json_object_get(own->config, "mcp_servers");
	const char *name;
	json_t *server;

	json_object_foreach ((json_t *)c->options.servers, name, server)
		if (json_object_get(theirs, name))
			return fail_about(
				e, ERR_UNSUPPORTED,
				"mcp.mcpServers.%s: the settings of "
				"codex have a server with this name, "
				"and it would mix the two: give yours "
				"another name",
				name);
	return true;
}

json_t *
codex_servers(const struct conversation *c)
{
	json_t *all = json_object(), *server;
	const char *name;

	json_object_foreach ((json_t *)c->options.servers, name, server) {
		double patience_s = (double)mcp_call_ms(server) / 1000;
		json_t *its = json_pack(
			"{s:f, s:i, s:s, s:b}", "tool_timeout_sec", patience_s,
			"startup_timeout_sec", MCP_START_MS / 1000,
			"default_tools_approval_mode", "approve", "required",
			1);
		static const char *const fields[][2] = {
			{ "command", "command" },
			{ "args", "args" },
			{ "env", "env" },
			{ "url", "url" },
			{ "headers", "http_headers" },
		};

		for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
			json_object_set(its, fields[i][1],
					json_object_get(server, fields[i][0]));
		json_object_set_new(all, name, its);
	}
	if (json_object_size(all))
		return all;
	json_decref(all);
	return NULL;
}

bool
codex_has_failed_for_server(const struct conversation *c, const json_t *error,
			    struct error *e)
{
	static const char words[] = "MCP servers failed to initialize: ";
	const char *message = json_text(error, "message");
	const char *at = message ? strstr(message, words) : NULL;
	struct str name, why;
	auto_free char *its_name = NULL;

	if (!at || !mcp_is_wanted(&c->options))
		return false;
	name = str_cut(str_of(at + strlen(words)), ':', &why);
	its_name = copy(name);
	(void)mcp_fail(&c->options, "codex", its_name,
		       why.ptr ? str_trim(why).ptr : NULL, e);
	return true;
}
