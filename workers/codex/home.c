#include "workers/codex/codex.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Codex has no option to leave out the user's settings, hooks and instructions:
 * it loads them from CODEX_HOME.  So it gets a CODEX_HOME of ours, with links
 * to the user's login, which Codex refreshes through the link, and to the
 * user's conversations, so that they can be resumed with any value of
 * CODEX_LOADS.  The providers in the user's config.toml are missing then.
 * settings.c leaves out what lies elsewhere.
 */

static bool
make_directory(const char *path, struct error *e)
{
	if (mkdir(path, 0700) == 0 || errno == EEXIST)
		return true;
	return fail_errno(e, "mkdir %s", path);
}

static bool
link_to(const char *home, const char *own, const char *name, struct error *e)
{
	auto_free char *target = copy_format("%s/%s", home, name);
	auto_free char *path = copy_format("%s/%s", own, name);

	if (symlink(target, path) == 0 || errno == EEXIST)
		return true;
	return fail_errno(e, "symlink %s", path);
}

bool
codex_private_home(const struct instance *inst, struct words *env,
		   struct error *e)
{
	const char *users = words_value(env, "CODEX_HOME");
	const char *home = words_value(env, "HOME");
	auto_free char *theirs =
		users ? copy(str_of(users))
		      : copy_format("%s/.codex", home ? home : "");
	auto_free char *sessions = copy_format("%s/sessions", theirs);
	auto_free char *own = copy_format("%s/codex-home", inst->scratch);
	auto_free char *variable = copy_format("CODEX_HOME=%s", own);

	if (!make_directory(theirs, e) || !make_directory(sessions, e) ||
	    !make_directory(own, e) || !link_to(theirs, own, "auth.json", e) ||
	    !link_to(theirs, own, "sessions", e))
		return false;
	words_set(env, variable);
	return true;
}
