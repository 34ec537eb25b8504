#include "workers/codex/codex.h"

/*
 * Codex has no option to leave out the user's settings, hooks and instructions:
 * it loads them from CODEX_HOME.  So it gets a CODEX_HOME of ours, with links
 * to the user's login, which Codex refreshes through the link, and to the
 * user's conversations, so that they can be resumed with any value of
 * CODEX_LOADS.  The providers in the user's config.toml are missing then.
 * settings.c leaves out what lies elsewhere.
 */

static bool
link_to(struct executor *x, const char *home, const char *own, const char *name,
	struct error *e)
{
	auto_free char *target = copy_format("%s/%s", home, name);
	auto_free char *path = copy_format("%s/%s", own, name);

	return x->link(x, target, path, e);
}

bool
codex_private_home(const struct instance *inst, struct words *env,
		   struct error *e)
{
	struct executor *x = inst->executor;
	const char *users = words_value(env, "CODEX_HOME");
	const char *home = words_value(env, "HOME");
	auto_free char *theirs =
		users ? copy(str_of(users))
		      : copy_format("%s/.codex", home ? home : "");
	auto_free char *sessions = copy_format("%s/sessions", theirs);
	auto_free char *own = copy_format("%s/codex-home", inst->scratch);
	auto_free char *variable = copy_format("CODEX_HOME=%s", own);

	if (!x->make_directory(x, theirs, e) ||
	    !x->make_directory(x, sessions, e) ||
	    !x->make_directory(x, own, e) ||
	    !link_to(x, theirs, own, "auth.json", e) ||
	    !link_to(x, theirs, own, "sessions", e))
		return false;
	words_set(env, variable);
	return true;
}
