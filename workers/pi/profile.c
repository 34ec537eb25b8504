#include "workers/pi/pi.h"

/*
 * A profile, as pi takes it: its own tools can be left out, by their names;
 * skills and templates of prompts are files of the conversation's.
 */

static const struct {
	const char *name, *tools[2];
} tools[] = {
	{ "bash", { "bash" } },	  { "edit", { "edit", "write" } },
	{ "write", { "write" } }, { "read", { "read" } },
	{ "grep", { "grep" } },	  { "find", { "find" } },
	{ "ls", { "ls" } },
};

static bool
is_denied(const json_t *rules, const char *name)
{
	const json_t *rule;
	size_t i;

	json_array_foreach (rules, i, rule)
		if (json_is_false(json_object_get(rule, "allow")) &&
		    !strcmp(json_text(rule, "pattern"), "*") &&
		    !strcasecmp(json_text(rule, "tool"), name))
			return true;
	return false;
}

/* A tool of the caller's, which may have that name, stays. */
static void
exclude(const struct conversation *c, const char *tool, struct buf *list)
{
	if (tool && !pi_is_callers(c, tool))
		buf_print(list, "%s%s", list->len ? "," : "", tool);
}

static void
add_rules(const struct conversation *c, const json_t *profile,
	  struct words *argv)
{
	json_t *rules = profile_rules(profile);
	struct buf list = BUF_INIT(MAX_DETAIL);

	for (size_t i = 0; i < sizeof tools / sizeof *tools; i++)
		for (size_t k = 0; is_denied(rules, tools[i].name) && k < 2;
		     k++)
			exclude(c, tools[i].tools[k], &list);
	if (list.len) {
		words_add(argv, "--exclude-tools");
		words_print(argv, STR_FMT, STR_ARG(buf_str(&list)));
	}
	buf_fini(&list);
	json_decref(rules);
}

static bool
has_files(const json_t *profile, enum profile_part_index part)
{
	json_t *files = profile_files(profile), *file;
	bool found = false;
	size_t i;

	json_array_foreach (files, i, file)
		found |= json_integer_value(json_object_get(file, "part")) ==
			 (json_int_t)part;
	json_decref(files);
	return found;
}

bool
pi_add_profile(struct conversation *c, struct words *argv, struct error *e)
{
	const json_t *profile = c->options.profile;
	struct executor *x = c->executor;
	struct pi *p = c->own;

	if (!profile)
		return true;
	add_rules(c, profile, argv);
	if (c->options.mode != MODE_SAFE && has_files(profile, PART_SKILLS)) {
		words_add(argv, "--skill");
		words_print(argv, "%s/skills", c->directory);
	}
	if (c->options.mode != MODE_SAFE && has_files(profile, PART_COMMANDS)) {
		words_add(argv, "--prompt-template");
		words_print(argv, "%s/commands", c->directory);
	}
	if (!c->instead)
		return true;
	p->instead = copy_format("%s/%s.instead.jsonl", c->scratch, c->cli_id);
	words_add(argv, "--system-prompt");
	words_add(argv, p->instead);
	return x->write(x, p->instead, str_of(c->instead), e);
}
