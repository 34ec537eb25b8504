#include "workers/codex/codex.h"

/*
 * The mode hosted-safe.  Codex reads files by commands alone, so it gets no
 * tools at all: what a model can do is to answer.  Whatever a version might
 * offer all the same runs in its read-only sandbox, without a network.
 *
 * What of the user's and the project's configuration runs programs is switched
 * off: hooks and the program that is notified for the whole process, MCP
 * servers for the thread, by their names.  The rest of the configuration has
 * the user's providers, and is read.
 */

void
codex_safe_arguments(const struct instance *inst, struct words *argv)
{
	static const char *const settings[] = {
		"notify=[]",
		"features.hooks=false",
		"features.plugins=false",
		"features.apps=false",
		"features.shell_snapshot=false",
		"features.memories=false",
	};

	if (inst->options.mode != MODE_SAFE)
		return;
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
		words_add(argv, "-c");
		words_add(argv, settings[i]);
	}
}

static void
add_features(json_t *settings)
{
	static const char *const off[] = {
		"shell_tool",	  "unified_exec",
		"view_image",	  "goals",
		"multi_agent",	  "multi_agent_v2",
		"plugins",	  "apps",
		"hooks",	  "image_generation",
		"skill_search",	  "tool_suggest",
		"sleep_tool",	  "code_mode_host",
		"browser_use",	  "computer_use",
		"in_app_browser", "memories",
		"js_repl",	  "request_permissions_tool",
	};

	for (size_t i = 0; i < sizeof off / sizeof *off; i++) {
		auto_free char *path = copy_format("features.%s", off[i]);

		json_object_set_new(settings, path, json_false());
	}
	json_object_set_new(settings, "web_search", json_string("disabled"));
	json_object_set_new(settings, "skills.include_instructions",
			    json_false());
}

/* A server that is not known cannot be switched off. */
bool
codex_can_be_safe(const struct conversation *c, struct error *e)
{
	const struct codex *own = c->own;

	return c->options.mode != MODE_SAFE || own->config ||
	       fail_with(e, ERR_HARNESS,
			 "codex: it does not say which MCP servers it has, and "
			 "the mode %s is without them",
			 mode_name(MODE_SAFE));
}

/* All that it has been configured with in that directory. */
static void
add_servers(const json_t *config, json_t *settings)
{
	const json_t *servers = json_object_get(config, "mcp_servers");
	json_t *off = json_object(), *server;
	const char *name;

	json_object_foreach ((json_t *)servers, name, server)
		json_object_set_new(off, name,
				    json_pack("{s:b}", "enabled", 0));
	json_object_set_new(settings, "mcp_servers", off);
}

void
codex_add_safe(const struct conversation *c, json_t *params, json_t *settings)
{
	const struct codex *own = c->own;

	if (c->options.mode != MODE_SAFE)
		return;
	add_features(settings);
	add_servers(own->config, settings);
	json_object_set_new(params, "environments", json_array());
}
