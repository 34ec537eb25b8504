#include "workers/factory/factory.h"

#include "workers/options/tools.h"

/*
 * What droid may do, and settings for this process alone, which count before
 * its user's and its project's.
 *
 * In the mode hosted-safe droid is restricted to its tools that look at files,
 * may do nothing without asking, and is refused what it asks for.  The settings
 * keep it from hooks and MCP servers, but for that of the caller's tools.
 *
 * A caller with tools of its own wants no others, unless it says so: droid is
 * restricted to these, and to those of the MCP servers of the request.
 */
#define VARIABLE "FACTORY_RUNTIME_SETTINGS_PATH"

const char *
factory_autonomy(const struct conversation *c)
{
	return c->options.mode == MODE_SAFE ? "off" : c->permission_mode;
}

static void
add_servers(const struct conversation *c, json_t *tools)
{
	const char *name;
	json_t *server;

	json_object_foreach ((json_t *)c->options.servers, name, server) {
		auto_free char *all =
			copy_format("MCP:%s", factory_server_name(name));

		json_array_append_new(tools, json_string(all));
	}
}

json_t *
factory_tools(const struct conversation *c)
{
	bool is_safe = c->options.mode == MODE_SAFE;
	bool has_own = !options_replace_tools(&c->options);
	json_t *tools;

	if (!is_safe && has_own)
		return json_array();
	tools = is_safe && has_own ? json_pack("[s, s, s, s]", "Read", "LS",
					       "Grep", "Glob")
				   : json_array();
	add_servers(c, tools);
	return tools;
}

/* The hosts whose servers may be connected to. */
static json_t *
allowed_hosts(const struct conversation *c)
{
	return c->client_tools ? json_pack("[s]", "127.0.0.1") : json_array();
}

static json_t *
settings_of(const struct conversation *c)
{
	json_t *settings = json_object();
	const json_t *client =
		c->client_tools
			? json_object_get(c->options.servers, CLIENT_SERVER)
			: NULL;

	if (c->options.mode == MODE_SAFE) {
		json_object_set_new(settings, "hooks",
				    json_pack("{s:b}", "hooksDisabled", 1));
		json_object_set_new(settings, "hooksDisabled", json_true());
		json_object_set_new(settings, "mcpPolicy",
				    json_pack("{s:b, s:o}", "enabled", 1,
					      "allowlist", allowed_hosts(c)));
	}
	if (client)
		json_object_set_new(
			settings, "mcp",
			json_pack("{s:{s:o}}", "mcpServers",
				  factory_server_name(CLIENT_SERVER),
				  factory_server_settings(client)));
	return settings;
}

/* An operator's own file is not replaced for the sake of a time limit. */
static bool
wants_settings(const struct conversation *c, const struct words *env)
{
	return c->options.mode == MODE_SAFE ||
	       (c->client_tools && !words_value(env, VARIABLE));
}

bool
factory_add_settings(const struct conversation *c, struct words *env,
		     struct error *e)
{
	struct factory *f = c->own;
	auto_free char *variable = NULL, *text = NULL;
	json_t *settings;

	if (!wants_settings(c, env))
		return true;
	f->settings = copy_format("%s/settings-%ju.json", c->scratch,
				  (uintmax_t)c->instance->number);
	variable = copy_format(VARIABLE "=%s", f->settings);
	words_set(env, variable);
	settings = settings_of(c);
	text = json_dumps(settings, JSON_COMPACT);
	json_decref(settings);
	return c->executor->write(c->executor, f->settings, str_of(text), e);
}

void
factory_drop_settings(struct conversation *c)
{
	struct factory *f = c->own;

	if (f->settings)
		c->executor->remove(c->executor, f->settings);
	free(f->settings);
	f->settings = NULL;
}
