/* login - the command that has a CLI log in */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "proto/buf.h"
#include "proto/log.h"
#include "proto/spawn.h"
#include "proto/variables.h"
#include "supervisor/commands.h"
#include "supervisor/instance.h"
#include "supervisor/plan.h"
#include "supervisor/roster.h"
#include "workers/io/words.h"

/* What a login needs to open a browser, and a worker does not. */
static const char *const of_the_screen[] = {
	"DISPLAY",	   "WAYLAND_DISPLAY", "XAUTHORITY",
	"XDG_RUNTIME_DIR", "BROWSER",	      "SSH_CONNECTION",
};

/* As if the operator had set them for the harness. */
static void
add_screen(const char *name, struct words *env)
{
	auto_free char *prefix = settings_variable("", name, "ENV_");

	for (size_t i = 0; i < sizeof of_the_screen / sizeof *of_the_screen;
	     i++) {
		auto_free char *own =
			copy_format("%s%s", prefix, of_the_screen[i]);
		struct str value = variable_value(of_the_screen[i]);

		if (value.len && !variable_is_there(own))
			words_print(env, "%s=" STR_FMT, own, STR_ARG(value));
	}
}

/* No daemon need run: what it would add is left out then.  The mark is
 * nobody's, so that no daemon ends the login. */
static void
furnish(struct plan *p)
{
	struct instance instance = INSTANCE_INIT;
	struct error e = { 0 };
	bool is_found = instance_find(&instance, p->settings.data_dir, &e);
	const struct place place = {
		.instance = "login",
		.run_dir = is_found ? instance.run_dir : "",
		.data_dir = is_found ? instance.data_dir : "",
	};

	plan_furnish(p, &place);
	instance_fini(&instance);
}

/* Becomes the worker's program, which becomes the CLI. */
static bool
become(const struct planned *c, const char *slot, struct error *e)
{
	auto_free char *program = program_of_ours(c->program);
	const char *const argv[] = { program, c->name, "login", slot, NULL };
	struct words env = { 0 };

	for (size_t i = 0; i < c->env_count; i++)
		words_add(&env, c->env[i]);
	add_screen(c->name, &env);
	execve(program, (char *const *)(uintptr_t)argv, env.ptr);
	words_fini(&env);
	return fail_errno(e, "%s", program);
}

static const struct planned *
find(const struct plan *p, const char *name)
{
	const struct harness_row *row = roster_find(str_of(name));
	const struct planned *c = plan_find(p, row ? row->name : name);

	return c && c->is_worker ? c : NULL;
}

int
command_login(const struct order *o)
{
	const char *name = o->names[0], *slot = o->names[1];
	struct error e = { 0 };
	struct plan *p = plan_new(&e);
	const struct planned *c = p ? find(p, name) : NULL;
	int code = EXIT_FAILURE;

	if (slot && o->names[2]) {
		fail_with(&e, ERR_INVALID,
			  "login takes the name of a harness, and perhaps a "
			  "slot");
		code = EXIT_WRONG_USE;
	} else if (!p) {
		code = EXIT_WRONG_SETTINGS;
	} else if (!c) {
		fail_with(&e, ERR_NOT_FOUND, "no such harness: %s", name);
		code = EXIT_NO_DAEMON;
	} else {
		furnish(p);
		(void)become(c, slot, &e);
	}
	log_tell("cli-bridge: %s", e.text);
	plan_free(p);
	return code;
}
