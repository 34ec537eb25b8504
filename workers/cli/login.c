#include "workers/cli/login.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "proto/exit_code.h"
#include "proto/log.h"
#include "proto/settings.h"
#include "workers/cli/environment.h"
#include "workers/executor/docker/login.h"
#include "workers/executor/docker/settings.h"
#include "workers/needs.h"

static void
add_words(struct words *argv, const char *arguments)
{
	struct str left = str_of(arguments), word;

	while (str_word(&left, &word)) {
		auto_free char *text = copy(word);

		words_add(argv, text);
	}
}

/* One that has no command for it says what to do instead. */
static bool
find_login(const struct harness *h, const char *name,
	   const struct needs_login **login, struct error *e)
{
	*login = needs_login(name);
	if (*login)
		return true;
	if (h->log_in)
		return fail_with(e, ERR_NOT_SET_UP,
				 "%s has no command to log in: %s", name,
				 h->log_in);
	return fail_with(e, ERR_NOT_SET_UP, "%s needs no login", name);
}

static bool
become(const struct words *argv, const struct words *env, struct error *e)
{
	execve(argv->ptr[0], argv->ptr, env->ptr);
	return fail_errno(e, "%s", argv->ptr[0]);
}

/* True: it has run in a container. */
static bool
run(const struct harness *h, const struct harness_settings *settings,
    const char *name, const char *slot, int *code, struct error *e)
{
	auto_free char *program = needs_program(name);
	const struct needs_login *login;
	struct words argv = { 0 }, env = { 0 };
	bool ok = find_login(h, name, &login, e);
	/* One that all share can be made in any container as well. */
	bool is_in_slot =
		ok &&
		(docker_has_logins(settings, name, e) ||
		 (!program && !slot && docker_is_wanted(settings, name, e)));

	ok = ok && !e->code;
	if (ok && !is_in_slot && slot)
		ok = fail_with(e, ERR_INVALID,
			       "%s has one login, and none for slot %s", name,
			       slot);
	if (ok && !is_in_slot && !program)
		ok = needs_are_met(name, e) &&
		     fail_with(e, ERR_NOT_SET_UP, "%s is not installed", name);
	if (ok) {
		words_add(&argv, is_in_slot ? "" : program);
		add_words(&argv, login->arguments);
		environment_of(h, name, &env);
		if (login->hint)
			log_tell("cli-bridge: %s", login->hint);
		ok = is_in_slot ? docker_login(settings, name, slot, &argv,
					       code, e)
				: become(&argv, &env, e);
	}
	words_fini(&argv);
	words_fini(&env);
	return ok;
}

int
login_run(const char *name, const char *slot)
{
	struct harness_settings settings = { 0 };
	struct error e = { 0 };
	const struct harness *h = harness_of(name, &e);
	int code = EXIT_SUCCESS;
	bool ok = h && harness_settings_read(&settings, name, &e) &&
		  run(h, &settings, name, slot, &code, &e);

	harness_settings_fini(&settings);
	if (ok)
		return code;
	log_tell("cli-bridge: %s", e.text);
	return e.code == ERR_INVALID ? EXIT_WRONG_USE : EXIT_FAILURE;
}
