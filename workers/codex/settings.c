#include "workers/codex/codex.h"

/* The parameters of a new thread beside its model: directory, permissions,
 * instructions, and settings that override the user's. */

/*
 * The settings say whether the user trusts a directory.  If they do not, the
 * server writes into them that the user does, whenever commands may change
 * files there.  So we set the same for this thread alone.  A read-only thread
 * does not trust its directory, and one that loads nothing must not.
 */
static bool
is_in(struct str path, struct str directory)
{
	return str_starts(path, directory) &&
	       (path.len == directory.len || path.ptr[directory.len] == '/' ||
		str_is(directory, "/"));
}

static bool
is_known(const json_t *projects, struct str cwd)
{
	const char *path;
	json_t *project;

	json_object_foreach ((json_t *)projects, path, project)
		if (is_in(cwd, str_of(path)))
			return true;
	return false;
}

static json_t *
trust_in(const struct conversation *c, const struct codex *own)
{
	bool nothing = c->instance->loads == LOADS_NOTHING ||
		       c->options.mode == MODE_SAFE;

	if (!nothing && (!strcmp(c->permission_mode, "read-only") ||
			 is_known(json_object_get(own->config, "projects"),
				  str_of(c->cwd))))
		return NULL;
	return json_pack("{s:{s:s}}", c->cwd, "trust_level",
			 nothing ? "untrusted" : "trusted");
}

/* Such a name can be a part of the path of a setting. */
static bool
is_plain(const char *id)
{
	return *id && !id[strspn(id, "abcdefghijklmnopqrstuvwxyz"
				     "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "0123456789_-")];
}

static void
set_retries(json_t *settings, const char *provider, const char *what)
{
	auto_free char *path =
		copy_format("model_providers.%s.%s", provider, what);

	json_object_set_new(settings, path, json_integer(0));
}

/*
 * The CLI must not ask the vendor again: it would repeat the text of a stream
 * that broke off from its start, so retries are the caller's.  The settings of
 * the built-in providers cannot be changed; see codex_on_error().
 */
static void
add_patience(const struct codex *c, json_t *settings)
{
	const json_t *list = json_object_get(c->providers, "data"), *provider;
	size_t i;

	json_array_foreach (list, i, provider) {
		const char *id = json_text(provider, "id");
		const char *type = json_text(
			json_object_get(provider, "settings"), "type");

		if (!id || !type || strcmp(type, "customGateway") != 0 ||
		    !is_plain(id))
			continue;
		set_retries(settings, id, "request_max_retries");
		set_retries(settings, id, "stream_max_retries");
	}
}

/* The thread's memory must be freed as soon as it is closed. */
static json_t *
settings_for(const struct conversation *c, const struct codex *own)
{
	json_t *settings = json_pack(
		"{s:i, s:o*, s:o*}", "thread_unload_delay_secs", 0, "projects",
		trust_in(c, own), "mcp_servers", codex_servers(c));

	add_patience(own, settings);
	codex_add_rules(c, settings);
	codex_set_up_tools(c, settings);
	if (c->instance->loads != LOADS_NOTHING)
		return settings;
	json_object_set_new(settings, "project_doc_max_bytes", json_integer(0));
	json_object_set_new(settings, "skills.include_instructions",
			    json_false());
	return settings;
}

/* Appends ours to the instructions in the settings, which they would replace.
 */
static json_t *
instructions_for(const struct conversation *c, const struct codex *own)
{
	struct str mine = codex_system(c);
	struct str theirs = json_str(own->config, "developer_instructions");
	struct buf both = BUF_INIT(mine.len + theirs.len + 2);
	struct error e = { 0 };
	json_t *text = NULL;

	if (!mine.len)
		return NULL;
	if (!theirs.len)
		return json_stringn(mine.ptr, mine.len);
	if (buf_add(&both, theirs, &e) && buf_add(&both, STR("\n\n"), &e) &&
	    buf_add(&both, mine, &e))
		text = json_stringn(both.ptr, both.len);
	buf_fini(&both);
	return text;
}

/* A thread keeps what it was begun with unless it is told another: and there is
 * no word for Codex's own. */
static const char *
base_for(const struct conversation *c)
{
	return c->resumed && c->drops_instead ? "" : c->instead;
}

/* There are no approvals: what the sandbox does not allow fails, and the model
 * is told so. */
json_t *
codex_settings(const struct conversation *c)
{
	const struct codex *own = c->own;
	json_t *settings = settings_for(c, own);
	json_t *params = json_pack(
		"{s:s, s:s, s:s, s:o, s:s*, s:o*}", "cwd", c->cwd,
		"approvalPolicy", "never", "sandbox", codex_sandbox(c),
		"config", settings, "baseInstructions", base_for(c),
		"developerInstructions", instructions_for(c, own));

	codex_add_safe(c, params, settings);
	return params;
}
