/*
 * The login is an exec with a terminal: what is typed goes there, and what it
 * says is shown, as it is.  All of it is over when this returns, so it has a
 * loop of its own.
 */
#include "workers/executor/docker/login.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "proto/exit_code.h"
#include "proto/variables.h"
#include "workers/executor/docker/run.h"
#include "workers/executor/docker/settings.h"
#include "workers/executor/docker/upgrade.h"
#include "workers/needs.h"

enum {
	SIZE_MS = 500, /* between looks at the size of the terminal */
	PIECE_BYTES = 4096,
};

struct login {
	struct loop loop;
	struct docker_api *api;
	struct docker_upgrade *upgrade; /* under way; NULL: none */
	int fd;				/* the exec's terminal; -1: none */
	struct watch typed, said;
	struct timer resize;
	struct winsize size; /* that the exec's terminal has */
	struct termios before;
	bool is_raw;
	char *container, *exec;
	int *code;
	struct error *e;
};

bool
docker_has_logins(const struct harness_settings *s, const char *name,
		  struct error *e)
{
	struct docker_settings docker = { 0 };
	bool has = docker_is_wanted(s, name, e) &&
		   docker_settings_read(&docker, s, name, e) &&
		   docker.is_per_slot;

	docker_settings_fini(&docker);
	return has;
}

/* Our terminal */

/* Keys that would end or stop us are the login's. */
static void
make_raw(struct login *l)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &l->before) < 0)
		return;
	raw = l->before;
	cfmakeraw(&raw);
	l->is_raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

static void
restore(struct login *l)
{
	if (l->is_raw)
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &l->before);
	l->is_raw = false;
}

static void
on_resized(void *arg, int status, json_t *answer, const struct error *e)
{
	/* A terminal of another size is still a terminal. */
}

static void
on_size_due(struct timer *t)
{
	struct login *l = container_of(t, struct login, resize);
	struct winsize now = { 0 };
	auto_free char *path = NULL;

	loop_set(&l->loop, t, SIZE_MS, on_size_due);
	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &now) < 0 || !now.ws_row ||
	    (now.ws_row == l->size.ws_row && now.ws_col == l->size.ws_col))
		return;
	l->size = now;
	path = copy_format("/exec/%s/resize?h=%u&w=%u", l->exec, now.ws_row,
			   now.ws_col);
	(void)docker_ask(l->api, "POST", path, NULL, on_resized, NULL);
}

/* What is typed, and what is said */

static bool
pass_on(int from, int to)
{
	char piece[PIECE_BYTES];
	ssize_t n = read(from, piece, sizeof piece), done = 0;

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	while (done < n) {
		ssize_t written = write(to, piece + done, (size_t)(n - done));

		if (written > 0)
			done += written;
		else if (errno != EINTR && errno != EAGAIN)
			return false;
	}
	return n > 0;
}

static void
on_inspected(void *arg, int status, json_t *answer, const struct error *e)
{
	struct login *l = arg;
	const json_t *code = json_object_get(answer, "ExitCode");

	if (docker_agrees(status, answer, e, l->e))
		*l->code = json_is_integer(code) ? (int)json_integer_value(code)
						 : EXIT_FAILURE;
	loop_stop(&l->loop);
}

static void
on_said(struct watch *w)
{
	struct login *l = container_of(w, struct login, said);
	auto_free char *path = NULL;

	if (pass_on(l->fd, STDOUT_FILENO))
		return;
	restore(l);
	loop_unwatch(&l->loop, &l->said);
	loop_unwatch(&l->loop, &l->typed);
	loop_unset(&l->loop, &l->resize);
	path = copy_format("/exec/%s/json", l->exec);
	(void)docker_ask(l->api, "GET", path, NULL, on_inspected, l);
}

/* The end of our input is not the end of the login: it may wait for a browser.
 */
static void
on_typed(struct watch *w)
{
	struct login *l = container_of(w, struct login, typed);

	if (!pass_on(STDIN_FILENO, l->fd))
		loop_unwatch(&l->loop, &l->typed);
}

/* The exec */

static void
on_upgraded(void *arg, int fd, struct str first, const struct error *e)
{
	struct login *l = arg;
	struct error ignored;

	l->upgrade = NULL;
	if (e) {
		*l->e = *e;
		loop_stop(&l->loop);
		return;
	}
	l->fd = fd;
	(void)!write(STDOUT_FILENO, first.ptr, first.len);
	make_raw(l);
	loop_set(&l->loop, &l->resize, 0, on_size_due);
	if (!loop_watch(&l->loop, &l->said, fd, EPOLLIN, on_said, l->e))
		loop_stop(&l->loop);
	/* A file cannot be watched: then there is nothing to be typed. */
	(void)!loop_watch(&l->loop, &l->typed, STDIN_FILENO, EPOLLIN, on_typed,
			  &ignored);
}

static void
on_created(void *arg, int status, json_t *answer, const struct error *e)
{
	struct login *l = arg;
	auto_free char *path = NULL;

	if (status == 404 || status == 409) {
		fail_with(l->e, ERR_NOT_SET_UP,
			  "there is no container %s that runs: start "
			  "cli-bridge first, and see that the slot is there "
			  "(cli-bridge status)",
			  l->container);
	} else if (docker_agrees(status, answer, e, l->e)) {
		l->exec = copy(str_of(json_text(answer, "Id")));
		path = copy_format("/exec/%s/start", l->exec ? l->exec : "");
		l->upgrade = docker_upgrade(
			l->api, path,
			json_pack("{s:b, s:b}", "Detach", 0, "Tty", 1),
			on_upgraded, l);
		return;
	}
	loop_stop(&l->loop);
}

static void
create(struct login *l, const char *name, const struct words *argv)
{
	auto_free char *path = copy_format("/containers/%s/exec", l->container);
	auto_free char *program = needs_program_name(name);
	json_t *command = json_pack("[s, s, s?]", SLOT_PROGRAM, "run", program);
	struct str terminal = variable_value("TERM");

	for (size_t i = 1; i < argv->len; i++)
		json_array_append_new(command, json_string(argv->ptr[i]));
	(void)docker_ask(
		l->api, "POST", path,
		json_pack("{s:b, s:b, s:b, s:b, s:o, s:[s, o]}", "AttachStdin",
			  1, "AttachStdout", 1, "AttachStderr", 1, "Tty", 1,
			  "Cmd", command, "Env", RUN_VARIABLE "=" LOGIN_RUN,
			  json_sprintf("TERM=%.*s", (int)terminal.len,
				       terminal.len ? terminal.ptr : "")),
		on_created, l);
}

static bool
choose_slot(struct login *l, const struct docker_settings *d, const char *slot,
	    struct error *e)
{
	char *end = NULL;
	unsigned long number = slot ? strtoul(slot, &end, 10) : 0;

	if (slot && (end == slot || *end || *slot == '-' || number >= d->size))
		return fail_with(e, ERR_INVALID,
				 "there is no slot %s: they are numbered from "
				 "0 to %u",
				 slot, d->size - 1);
	l->container = copy_format("%s-%lu", d->prefix, number);
	return true;
}

static bool
run(struct login *l, const char *name, const struct words *argv,
    struct error *e)
{
	struct settings settings = { 0 };
	bool ok = settings_read(&settings, e) && loop_init(&l->loop, e) &&
		  (l->api = docker_api_new(&l->loop, settings.docker_host, e));

	if (ok) {
		create(l, name, argv);
		ok = loop_run(&l->loop, e) && !e->code;
	}
	restore(l);
	if (l->upgrade)
		docker_upgrade_drop(l->upgrade);
	loop_unwatch(&l->loop, &l->said);
	loop_unwatch(&l->loop, &l->typed);
	loop_unset(&l->loop, &l->resize);
	if (l->fd >= 0)
		close(l->fd);
	if (l->api)
		docker_api_free(l->api);
	loop_fini(&l->loop);
	settings_fini(&settings);
	return ok;
}

bool
docker_login(const struct harness_settings *s, const char *name,
	     const char *slot, const struct words *argv, int *code,
	     struct error *e)
{
	struct login l = { .loop = LOOP_INIT,
			   .fd = -1,
			   .typed = WATCH_INIT,
			   .said = WATCH_INIT,
			   .code = code,
			   .e = e };
	struct docker_settings docker = { 0 };
	bool ok = docker_settings_read(&docker, s, name, e) &&
		  choose_slot(&l, &docker, slot, e) && run(&l, name, argv, e);

	docker_settings_fini(&docker);
	free(l.container);
	free(l.exec);
	return ok;
}
