#include "workers/cli/environment.h"

#include "proto/settings.h"

extern char **environ;

static bool
may_see(const struct harness *harness, const char *variable)
{
	struct str value, name = str_cut(str_of(variable), '=', &value);
	const char *const *allowed = harness->may_see;

	for (; allowed && *allowed; allowed++) {
		struct str a = str_of(*allowed);
		bool is_prefix = a.len && a.ptr[a.len - 1] == '_';

		if (is_prefix ? str_starts(name, a) : str_eq(name, a))
			return true;
	}
	return settings_is_ordinary(name);
}

void
environment_of(const struct harness *harness, const char *name,
	       struct words *env)
{
	auto_free char *prefix = settings_variable("", name, "ENV_");
	struct str own = str_of(prefix);

	for (char **v = environ; *v; v++)
		if (may_see(harness, *v))
			words_set(env, *v);
	for (const char *const *v = harness->environment; v && *v; v++)
		words_set(env, *v);
	for (char **v = environ; *v; v++)
		if (str_starts(str_of(*v), own))
			words_set(env, *v + own.len);
}
