#include "workers/opencode/opencode.h"

/* The rules of a session say what its tools may do: the last that fits counts.
 */

static void
add_rule(json_t *rules, const char *tool, const char *pattern,
	 const char *action)
{
	json_array_append_new(rules,
			      json_pack("{s:s, s:s, s:s}", "permission", tool,
					"pattern", pattern, "action", action));
}

static bool
is_restricted(const json_t *rules, const char *tool)
{
	const json_t *rule;
	size_t i;

	json_array_foreach (rules, i, rule)
		if (json_is_false(json_object_get(rule, "allow")) &&
		    !strcmp(json_text(rule, "tool"), tool))
			return true;
	return false;
}

/* Those of the profile.  What it allows counts only for a tool that it forbids
 * otherwise: a caller gets no more than the operator gives; in the mode
 * hosted-safe it never counts. */
static void
add_profile(const json_t *profile, bool is_safe, json_t *rules)
{
	json_t *all = profile_rules(profile), *rule;
	size_t i;

	json_array_foreach (all, i, rule) {
		const char *tool = json_text(rule, "tool");
		bool allows = json_is_true(json_object_get(rule, "allow"));

		if (!allows || (!is_safe && is_restricted(all, tool)))
			add_rule(rules, tool, json_text(rule, "pattern"),
				 allows ? "allow" : "deny");
	}
	json_decref(all);
}

/* Only tools that look at files, and in the working directory: another one
 * would ask for external_directory. */
static json_t *
safe_rules(void)
{
	static const char *const looks[] = { "read", "glob", "grep", "list" };
	json_t *rules = json_array();

	add_rule(rules, "*", "*", "deny");
	for (size_t i = 0; i < sizeof looks / sizeof *looks; i++)
		add_rule(rules, looks[i], "*", "allow");
	/* its own rules keep these from the model, unless it asks */
	add_rule(rules, "read", "*.env", "deny");
	add_rule(rules, "read", "*.env.*", "deny");
	return rules;
}

/*
 * The session's rules.  Nobody could answer a question, so asking is denied.
 * The user's own rules apply besides.
 */
static json_t *
mode_rules(const struct conversation *c)
{
	bool is_safe = c->options.mode == MODE_SAFE;
	json_t *rules = is_safe ? safe_rules() : json_array();

	add_rule(rules, "question", "*", "deny");
	add_profile(c->options.profile, is_safe, rules);
	if (text_is(c->permission_mode, "deny") ||
	    options_replace_tools(&c->options))
		add_rule(rules, "*", "*", "deny");
	return rules;
}

json_t *
rules_of(const struct conversation *c)
{
	json_t *rules = mode_rules(c), *more = servers_rules(c, NULL);

	json_array_extend(rules, more);
	json_decref(more);
	return rules;
}

/* Without the rules for servers, which each session has for itself. */
bool
rules_are(const struct conversation *c, const json_t *had)
{
	json_t *wanted = mode_rules(c), *rest = json_array(), *rule;
	size_t i;
	bool ok;

	json_array_foreach ((json_t *)had, i, rule)
		if (!servers_have_rule(rule))
			json_array_append(rest, rule);
	ok = json_equal(wanted, rest);
	json_decref(wanted);
	json_decref(rest);
	return ok;
}
