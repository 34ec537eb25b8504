#include "supervisor/environment.h"

#include <stdlib.h>
#include <unistd.h>

#include "proto/buf.h"
#include "proto/settings.h"

#define DEFAULT_FILE ".env"

void
environment_keep(struct environment *env, const char *file)
{
	size_t n = 0;

	while (environ[n])
		n++;
	env->file = file;
	env->original = xcalloc(n + 1, sizeof *env->original);
	for (size_t i = 0; i < n; i++)
		env->original[i] = copy(str_of(environ[i]));
}

void
environment_fini(struct environment *env)
{
	for (char **v = env->original; v && *v; v++)
		free(*v);
	free(env->original);
	*env = ENVIRONMENT_INIT;
}

static bool
restore(const struct environment *env, struct error *e)
{
	struct str value;

	clearenv();
	for (char **v = env->original; *v; v++) {
		auto_free char *name = copy(str_cut(str_of(*v), '=', &value));

		/* Entries without a name or a value were never variables. */
		if (*name && value.ptr && setenv(name, value.ptr, 1) < 0)
			return fail_errno(e, "%s", name);
	}
	return true;
}

static bool
load_file(const struct environment *env, struct error *e)
{
	if (env->file)
		return settings_load_file(env->file, e);
	return access(DEFAULT_FILE, F_OK) < 0 ||
	       settings_load_file(DEFAULT_FILE, e);
}

bool
environment_load(const struct environment *env, struct error *e)
{
	if (restore(env, e) && load_file(env, e))
		return true;
	e->code = ERR_INVALID; /* whatever it was: it is for the operator */
	return false;
}
