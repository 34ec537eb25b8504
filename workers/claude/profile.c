#include "workers/claude/claude.h"

/*
 * A profile, as Claude Code takes it: skills, subagents and commands are a
 * plugin of this process, and what is forbidden are rules in settings of this
 * process.  Both are files of the conversation's; nothing of the caller's is in
 * an argument.
 */

/* The names of a tool in other CLIs, and what it is here. */
static const struct {
	const char *name;
	const char *tools[4];
} aliases[] = {
	{ "bash", { "Bash" } },
	{ "edit", { "Edit", "Write", "NotebookEdit" } },
	{ "write", { "Write" } },
	{ "read", { "Read" } },
	{ "glob", { "Glob" } },
	{ "grep", { "Grep" } },
	{ "webfetch", { "WebFetch" } },
	{ "websearch", { "WebSearch" } },
	{ "task", { "Agent", "Task" } },
	{ "skill", { "Skill" } },
	{ "todowrite", { "TodoWrite" } },
};

static void
deny(json_t *rules, const char *tool, const char *pattern)
{
	auto_free char *rule = strcmp(pattern, "*")
				       ? copy_format("%s(%s)", tool, pattern)
				       : copy(str_of(tool));

	json_array_append_new(rules, json_string(rule));
}

static void
deny_by_name(json_t *rules, const char *name, const char *pattern)
{
	for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++) {
		if (strcasecmp(aliases[i].name, name) != 0)
			continue;
		for (size_t k = 0; k < 4 && aliases[i].tools[k]; k++)
			deny(rules, aliases[i].tools[k], pattern);
		return;
	}
	deny(rules, name, pattern);
}

/* A rule that allows something would give the caller more than the operator
 * does: nothing is made of it.  NULL: nothing is forbidden. */
static json_t *
rules_of(const json_t *profile)
{
	json_t *all = profile_rules(profile), *denied = json_array(), *rule;
	size_t i;

	json_array_foreach (all, i, rule)
		if (json_is_false(json_object_get(rule, "allow")))
			deny_by_name(denied, json_text(rule, "tool"),
				     json_text(rule, "pattern"));
	json_decref(all);
	if (json_array_size(denied))
		return denied;
	json_decref(denied);
	return NULL;
}

/* Those that are the same for all processes share one file.  The caller frees
 * its path. */
static char *
settings_path(struct conversation *c, bool are_its_own)
{
	struct claude *own = c->own;

	if (!are_its_own)
		return copy_format("%s/settings.json", c->scratch);
	free(own->settings);
	own->settings =
		copy_format("%s/%s.settings.jsonl", c->scratch, c->cli_id);
	return copy(str_of(own->settings));
}

bool
claude_add_settings(struct conversation *c, struct words *argv,
		    json_t *settings, struct error *e)
{
	struct executor *x = c->executor;
	json_t *denied = rules_of(c->options.profile);
	auto_free char *text = NULL, *path = NULL;
	bool ok = true;

	if (denied)
		json_object_set_new(settings, "permissions",
				    json_pack("{s:o}", "deny", denied));
	text = json_dumps(settings, JSON_COMPACT);
	if (json_object_size(settings)) {
		path = settings_path(c, denied != NULL);
		ok = x->write(x, path, str_of(text), e);
		words_add(argv, "--settings");
		words_add(argv, path);
	}
	json_decref(settings);
	return ok;
}

/* Plugins have more kinds of files, but of these there are none: what else is
 * in the directory is not looked at. */
static bool
has_plugin(const struct conversation *c)
{
	json_t *files = profile_files(c->options.profile), *file;
	bool found = false;
	size_t i;

	json_array_foreach (files, i, file)
		found |= json_integer_value(json_object_get(file, "part")) !=
			 PART_FILES;
	json_decref(files);
	return found;
}

bool
claude_add_plugin(const struct conversation *c, struct words *argv,
		  struct error *e)
{
	static const char manifest[] = "{\"name\":\"profile\"}";
	struct executor *x = c->executor;
	auto_free char *directory = NULL, *path = NULL;

	if (!c->directory || c->options.mode == MODE_SAFE || !has_plugin(c))
		return true;
	directory = copy_format("%s/.claude-plugin", c->directory);
	path = copy_format("%s/plugin.json", directory);
	words_add(argv, "--plugin-dir");
	words_add(argv, c->directory);
	return x->make_directory(x, directory, e) &&
	       x->write(x, path, str_of(manifest), e);
}

void
claude_remove_settings(struct conversation *c)
{
	struct claude *own = c->own;

	if (own->settings)
		c->executor->remove(c->executor, own->settings);
	free(own->settings);
	own->settings = NULL;
}
