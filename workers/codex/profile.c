#include "workers/codex/codex.h"

/*
 * A profile, as Codex takes it: it cannot be forbidden single tools, but groups
 * of them can be left out of a thread, and its sandbox can be read-only.
 */

static bool
denies(const json_t *rules, const char *tools)
{
	const json_t *rule;
	size_t i;

	json_array_foreach (rules, i, rule)
		if (json_is_false(json_object_get(rule, "allow")) &&
		    !strcmp(json_text(rule, "pattern"), "*") &&
		    str_list_has(str_of(tools), json_str(rule, "tool")))
			return true;
	return false;
}

void
codex_add_rules(const struct conversation *c, json_t *settings)
{
	json_t *rules = profile_rules(c->options.profile);

	if (denies(rules, "bash")) {
		json_object_set_new(settings, "features.shell_tool",
				    json_false());
		json_object_set_new(settings, "features.unified_exec",
				    json_false());
	}
	if (denies(rules, "webfetch websearch"))
		json_object_set_new(settings, "web_search",
				    json_string("disabled"));
	json_decref(rules);
}

const char *
codex_sandbox(const struct conversation *c)
{
	json_t *rules = profile_rules(c->options.profile);
	bool may_write =
		c->options.mode != MODE_SAFE && !denies(rules, "edit write");

	json_decref(rules);
	return may_write ? c->permission_mode : "read-only";
}
