#include "workers/acp/acp.h"

/*
 * The mode hosted-safe.  What an agent is started with takes all tools from it
 * but those that read, and what of its user's and its project's configuration
 * runs programs: agents.def says what that is for each of them.  What it asks
 * for all the same is rejected.
 *
 * And conversations with tools of the caller's in place of the agent's own: the
 * process is started without these.
 */

/* Adds the words of a list, which are separated by single spaces; `add` is
 * words_add() or words_set(). */
static void
add_filled_in(struct words *to, void (*add)(struct words *, const char *),
	      const char *list, const char *path)
{
	struct str rest = str_of(list), after;

	while (rest.len) {
		struct str before =
			str_cut(str_cut(rest, ' ', &rest), '%', &after);
		auto_free char *word =
			copy_format(STR_FMT "%s" STR_FMT, STR_ARG(before),
				    after.ptr ? path : "",
				    STR_ARG(after.ptr ? after : STR("")));

		add(to, word);
	}
}

/* What holds a process to something: see struct acp_kind. */
static bool
hold(const struct instance *inst, const char *what, const char *arguments,
     const char *file, struct words *argv, struct error *e)
{
	auto_free char *path =
		copy_format("%s/%s-%s.toml", inst->scratch, inst->name, what);

	add_filled_in(argv, words_add, arguments, path);
	return !file ||
	       inst->executor->write(inst->executor, path, str_of(file), e);
}

bool
acp_safe_add(const struct instance *inst, const struct acp_kind *kind,
	     struct words *argv, struct words *env, struct error *e)
{
	if (!kind->safe_arguments)
		return fail_with(e, ERR_MODE, "%s does not have the mode %s",
				 kind->name, mode_name(MODE_SAFE));
	if (kind->safe_environment)
		add_filled_in(env, words_set, kind->safe_environment, "");
	return hold(inst, "safe", kind->safe_arguments, kind->safe_file, argv,
		    e);
}

bool
acp_alone_add(const struct instance *inst, const struct acp_kind *kind,
	      struct words *argv, struct words *env, struct error *e)
{
	if (kind->alone_environment)
		add_filled_in(env, words_set, kind->alone_environment, "");
	return !kind->alone_arguments ||
	       hold(inst, "alone", kind->alone_arguments, kind->alone_file,
		    argv, e);
}

/* What keeps an agent to the mode hosted-safe keeps it from MCP servers, too,
 * and the caller's tools would be those of one. */
bool
acp_check_options(const struct options *o, struct error *e)
{
	return o->mode != MODE_SAFE || !o->tools ||
	       fail_about(e, ERR_UNSUPPORTED,
			  "tools: in the mode %s this harness has no tools of "
			  "the caller's: leave them out, or use another mode",
			  mode_name(MODE_SAFE));
}
