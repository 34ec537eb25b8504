/* main - cli-bridge: the daemon, and the commands that talk to it */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/descriptors.h"
#include "proto/end_limit.h"
#include "proto/log.h"
#include "proto/output.h"
#include "supervisor/commands.h"
#include "supervisor/supervisor.h"

static const char help[] =
	"usage: cli-bridge [options] [command [name...]]\n"
	"\n"
	"  serve               run, in the foreground (what it does if not "
	"told)\n"
	"  status [name...]    which processes there are, and how they are\n"
	"  verify [name...]    have each harness checked: installed, logged "
	"in\n"
	"  login name [slot]   have a CLI log in, on this terminal\n"
	"  capabilities [name...]\n"
	"                      what each harness can do, and what it lacks\n"
	"  start name...       start what was stopped, or has been given up\n"
	"  stop name...        let it finish what it does, then stop it; not "
	"the\n"
	"                      gateway, which goes with all the others\n"
	"  restart name...     the same, and start it again\n"
	"  shutdown            stop everything\n"
	"  version, help\n"
	"\n"
	"  --env-file FILE     more settings, instead of those in ./.env\n"
	"  --json              status, verify and capabilities for programs\n"
	"\n"
	"Settings are environment variables: BRIDGE_PORT, BRIDGE_BEARER, ...\n"
	"SIGHUP makes the daemon read them again.\n"
	"\n"
	"Exit codes: 0 all is well; 1 it failed; 2 wrong use; 3 not "
	"everything\n"
	"is up, or ready; 4 no daemon, or no such process; 78 wrong "
	"settings.\n";

static int
show_help(const struct order *o)
{
	fputs(help, stdout);
	return EXIT_SUCCESS;
}

static int
show_version(const struct order *o)
{
	puts("cli-bridge " VERSION);
	return EXIT_SUCCESS;
}

enum names { NO_NAMES, NAMES, ALL_IF_NO_NAMES };

/* The command without a function is the daemon. */
static const struct command {
	const char *name;
	command_fn *run;
	enum names names;
	bool has_json;
} commands[] = {
	/* clang-format off */
	{ "serve",    NULL,             NO_NAMES,        false },
	{ "status",   command_status,   ALL_IF_NO_NAMES, true },
	{ "verify",   command_verify,   ALL_IF_NO_NAMES, true },
	{ "capabilities", command_capabilities, ALL_IF_NO_NAMES, true },
	{ "login",    command_login,    NAMES,           false },
	{ "start",    command_start,    NAMES,           false },
	{ "stop",     command_stop,     NAMES,           false },
	{ "restart",  command_restart,  NAMES,           false },
	{ "shutdown", command_shutdown, NO_NAMES,        false },
	{ "version",  show_version,     NO_NAMES,        false },
	{ "help",     show_help,        NO_NAMES,        false },
	/* clang-format on */
};

static const struct command *
find_command(const char *name)
{
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (!strcmp(name, commands[i].name))
			return &commands[i];
	return NULL;
}

/* Refuses superfluous words: they may have been meant for another command. */
static bool
check_order(const struct command *c, const struct order *o)
{
	const char *first = *o->names;

	if (!c)
		log_tell("cli-bridge: no command \"%s\"; see cli-bridge help",
			 o->command);
	else if (c->names == NO_NAMES && first)
		log_tell("cli-bridge: %s takes no names, but got \"%s\"",
			 o->command, first);
	else if (c->names == NAMES && !first)
		log_tell("cli-bridge: %s needs a name, or all", o->command);
	else if (o->json && !c->has_json)
		log_tell("cli-bridge: --json is for status, verify and "
			 "capabilities");
	else
		return true;
	return false;
}

/* Fills 0, 1 and 2: no file that is opened later becomes standard error. */
static void
open_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

static int
serve(struct environment *environment)
{
	struct supervisor s = SUPERVISOR_INIT;
	struct error e = { 0 };
	bool ok;
	int code = EXIT_SUCCESS;

	output_own(STDOUT_FILENO);
	output_own(STDERR_FILENO);
	log_open("supervisor", LOG_INFO);
	descriptors_raise();
	ok = supervisor_init(&s, environment, &e) && supervisor_run(&s, &e);
	supervisor_end(&s);
	if (!ok) {
		log_tell("cli-bridge: %s", e.text);
		code = e.code == ERR_INVALID ? EXIT_WRONG_SETTINGS
					     : EXIT_FAILURE;
	}
	end_limit_set(END_LIMIT_MS, code);
	supervisor_fini(&s);
	end_limit_unset();
	return code;
}

static bool
load(struct environment *environment)
{
	struct error e = { 0 };

	if (!environment_load(environment, &e)) {
		log_tell("cli-bridge: %s", e.text);
		return false;
	}
	if (environment->skipped.code)
		log_tell("cli-bridge: ./.env is not read: %s",
			 environment->skipped.text);
	return true;
}

/* `args` are the command and the names of processes. */
static int
run(char **args, bool json, struct environment *environment)
{
	const struct order order = { .command = *args ? *args : "serve",
				     .names = args + (*args != NULL),
				     .json = json };
	const struct command *command = find_command(order.command);

	if (!check_order(command, &order))
		return EXIT_WRONG_USE;
	if (!command->run)
		return serve(environment);
	return load(environment) ? command->run(&order) : EXIT_WRONG_SETTINGS;
}

int
main(int argc, char *argv[])
{
	static const struct option options[] = {
		{ "env-file", required_argument, NULL, 'e' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	struct environment environment = ENVIRONMENT_INIT;
	const char *file = NULL;
	bool json = false;
	int option, code;

	open_standard_descriptors();
	while ((option = getopt_long(argc, argv, "hv", options, NULL)) != -1) {
		switch (option) {
		case 'e':
			file = optarg;
			break;
		case 'j':
			json = true;
			break;
		case 'h':
			return show_help(NULL);
		case 'v':
			return show_version(NULL);
		default: /* getopt_long() has printed the reason */
			return EXIT_WRONG_USE;
		}
	}
	environment_keep(&environment, file);
	code = run(argv + optind, json, &environment);
	environment_fini(&environment);
	return code;
}
