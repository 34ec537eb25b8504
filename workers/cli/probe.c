#include "workers/cli/probe.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "proto/exit_code.h"
#include "proto/sweep.h"
#include "proto/utf8.h"
#include "proto/variables.h"
#include "workers/executor/host.h"
#include "workers/needs.h"

enum { PROBE_MS = 20000 /* for a command: some take seconds for --version */ };

enum step {
	STEP_TRIAL,
	STEP_READER,
	STEP_VERSION,
	STEP_NEEDS,
	STEP_CREDENTIALS,
	STEP_LOGIN,
	STEP_URL,
	STEP_DONE,
};

static void next_step(struct prober *);

static void
finish(struct prober *p, enum health health, const char *detail)
{
	p->running = false;
	loop_unset(&p->worker->loop, &p->deadline);
	p->found(p, health, detail);
}

static void
finish_without_login(struct prober *p)
{
	char detail[MAX_DETAIL];

	snprintf(detail, sizeof detail, "not logged in: %s",
		 p->harness->log_in);
	finish(p, HEALTH_UNAVAILABLE, detail);
}

/* The first number in what --version says. */
static void
read_version(struct prober *p, struct str line)
{
	size_t n = 0;

	while (line.len && !isdigit((unsigned char)*line.ptr))
		line = str_from(line, 1);
	while (n < line.len && n < MAX_NAME &&
	       !isspace((unsigned char)line.ptr[n]))
		n++;
	while (n && line.ptr[n - 1] == '.')
		n--; /* of a sentence */
	if (utf8_valid((struct str){ line.ptr, n }))
		snprintf(p->version, sizeof p->version, "%.*s", (int)n,
			 line.ptr);
}

static void
on_heard(struct program *cli, struct str line)
{
	struct prober *p = container_of(cli, struct prober, running_command);

	line = str_trim(line);
	if (line.len)
		snprintf(p->last_line, sizeof p->last_line, STR_FMT,
			 STR_ARG(line));
	if ((p->step == STEP_VERSION || p->step == STEP_READER) &&
	    !p->version[0])
		read_version(p, line);
}

static void
on_failed(struct program *cli, const struct error *e)
{
	program_kill(cli);
}

/* Runs when no callback of the program that has ended is under way. */
static void
on_next(struct timer *t)
{
	struct prober *p = container_of(t, struct prober, next);

	program_fini(&p->running_command);
	next_step(p);
}

/*
 * Why the step's command failed, in one line: what it said itself, if anything,
 * on its standard error or, as some do, where answers belong.
 */
static void
explain(struct prober *p, char *to, size_t size)
{
	struct str words = program_last_words(&p->running_command);

	if (p->too_late)
		snprintf(to, size,
			 "%s did not answer within %d seconds and was killed",
			 p->command, PROBE_MS / 1000);
	else
		snprintf(
			to, size, "%s ended with %s", p->command,
			process_status_text(p->running_command.process.status));
	if (!words.len)
		words = str_of(p->last_line);
	if (words.len)
		snprintf(to + strlen(to), size - strlen(to), ": " STR_FMT,
			 STR_ARG(words));
	for (char *c = to; *c; c++)
		if (*c == '\n' || *c == '\r' || *c == '\t')
			*c = ' ';
}

enum {
	/* A shell ends with more than that for a command that cannot be run,
	 * and so do we for a place that has failed. */
	NOT_RUN = EXIT_NEVER_RAN,
};

/* Whether the step's command has run, and ended by itself. */
static bool
has_judged(const struct prober *p)
{
	int status = p->running_command.process.status;

	return !p->too_late && WIFEXITED(status) &&
	       WEXITSTATUS(status) < NOT_RUN;
}

/* What answers says itself that it cannot work. */
static bool
is_unwell(const struct prober *p)
{
	int status = p->running_command.process.status;

	return p->harness->reach && WEXITSTATUS(status) == EXIT_UNWELL;
}

static void
fail_step(struct prober *p)
{
	char detail[MAX_DETAIL];
	struct str words = program_last_words(&p->running_command);

	if (p->step == STEP_LOGIN && has_judged(p)) {
		finish_without_login(p);
	} else if (p->step == STEP_TRIAL && has_judged(p)) {
		snprintf(detail, sizeof detail, "%s: " STR_FMT,
			 p->executor->advice, STR_ARG(words));
		finish(p, HEALTH_UNAVAILABLE, detail);
	} else if (p->step == STEP_URL && has_judged(p) && is_unwell(p)) {
		snprintf(detail, sizeof detail, STR_FMT, STR_ARG(words));
		finish(p, HEALTH_ERROR, detail);
	} else if (p->step == STEP_URL && has_judged(p)) {
		snprintf(detail, sizeof detail, "%s does not answer: " STR_FMT,
			 needs_url(p->worker->name), STR_ARG(words));
		finish(p, HEALTH_UNAVAILABLE, detail);
	} else {
		explain(p, detail, sizeof detail);
		finish(p, HEALTH_ERROR, detail);
	}
}

/* A CLI that does not work where it cannot write has to keep itself from it. */
static void
judge_reader(struct prober *p, bool ok)
{
	struct str words = program_last_words(&p->running_command);

	p->executor->reader->is_unfit = !ok;
	snprintf(p->unfit, sizeof p->unfit, STR_FMT,
		 STR_ARG(ok ? STR("") : str_trim(words)));
	if (!ok && !p->unfit[0])
		explain(p, p->unfit, sizeof p->unfit);
	if (!ok)
		p->version[0] = '\0';
}

static void
on_ended(struct program *cli)
{
	struct prober *p = container_of(cli, struct prober, running_command);
	int status = cli->process.status;
	bool ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;

	loop_unset(&p->worker->loop, &p->deadline);
	if (p->step == STEP_NEEDS && has_judged(p)) {
		p->is_older = !ok;
		ok = true;
	} else if (p->step == STEP_READER && !p->too_late) {
		judge_reader(p, ok);
		ok = true;
	}
	if (!ok) {
		fail_step(p);
		return;
	}
	p->step++;
	loop_set(&p->worker->loop, &p->next, 0, on_next);
}

static void
on_deadline(struct timer *t)
{
	struct prober *p = container_of(t, struct prober, deadline);

	p->too_late = true;
	program_kill(&p->running_command);
}

/* What the operator would type to see the same. */
static void
note_command(struct prober *p, const char *program,
	     const char *const *arguments)
{
	size_t n =
		(size_t)snprintf(p->command, sizeof p->command, "%s", program);

	for (; *arguments && n < sizeof p->command; arguments++)
		n += (size_t)snprintf(p->command + n, sizeof p->command - n,
				      " %s", *arguments);
	p->command[utf8_whole(str_of(p->command))] = '\0';
	p->last_line[0] = '\0';
	p->step_began = loop_now();
}

void
prober_describe(const struct prober *p, char *to, size_t size)
{
	uint64_t seconds = (loop_now() - p->step_began) / 1000;

	snprintf(to, size, "%s has not answered for %ju seconds; it gets %d",
		 p->command, (uintmax_t)seconds, PROBE_MS / 1000);
}

/* It is no secret from the CLI, which is told it in its own words. */
static void
add_needed_url(const struct prober *p, struct words *env)
{
	const char *variable = needs_url(p->worker->name);
	struct str url =
		variable ? variable_value(variable) : (struct str){ NULL, 0 };

	if (url.len)
		words_print(env, "%s=" STR_FMT, variable, STR_ARG(url));
}

static void
run(struct prober *p, struct executor *x, const char *program,
    const char *const *arguments)
{
	struct words argv = { 0 }, env = { 0 };
	struct spawn s = { .death_signal = SIGKILL };
	struct error e = { 0 };

	program_fini(&p->running_command);
	note_command(p, program, arguments);
	words_add(&argv, program);
	for (; *arguments; arguments++)
		words_add(&argv, *arguments);
	words_print(&env, OWNER_VARIABLE "=%s0/", p->worker->mark);
	for (char *const *v = p->environment; v && *v; v++)
		words_add(&env, *v);
	add_needed_url(p, &env);
	s.argv = (const char *const *)argv.ptr;
	s.env = env.ptr;
	if (program_start(&p->running_command, x, &p->worker->loop, &s, &e)) {
		program_close_input(&p->running_command);
		loop_set(&p->worker->loop, &p->deadline, PROBE_MS, on_deadline);
	} else {
		finish(p, HEALTH_ERROR, e.text);
	}
	words_fini(&argv);
	words_fini(&env);
}

/* Is there what shows that it is logged in? */

static const char *
value_of(const struct prober *p, struct str name)
{
	for (char *const *v = p->environment; v && *v; v++) {
		struct str value, its_name = str_cut(str_of(*v), '=', &value);

		if (str_eq(its_name, name) && value.len)
			return value.ptr;
	}
	return NULL;
}

/*
 * A credential is "$NAME", "$NAME/file" or "~/file".  `at` is when it was
 * written, in Unix ms; 0 for a variable.
 */
static bool
shows_login(const struct prober *p, const char *credential, uint64_t *at)
{
	struct str file, name = str_cut(str_of(credential), '/', &file);
	const char *value = value_of(
		p, str_eq(name, STR("~")) ? STR("HOME") : str_from(name, 1));
	auto_free char *path = NULL;
	struct file_facts facts;

	*at = 0;
	if (!value || !file.ptr)
		return value != NULL;
	path = copy_format("%s/%s", value, file.ptr);
	if (!p->executor->look(p->executor, path, &facts))
		return false;
	*at = facts.written_ms;
	return true;
}

bool
prober_login_changed(const struct prober *p, uint64_t since)
{
	const char *const *c = p->harness ? p->harness->credentials : NULL;
	uint64_t at;

	for (; c && *c; c++)
		if (shows_login(p, *c, &at) && at > since)
			return true;
	return false;
}

uint64_t
prober_login_renewed(const struct prober *p)
{
	const char *const *c = p->harness ? p->harness->renewed : NULL;
	uint64_t at, newest = 0;

	for (; c && *c; c++)
		if (shows_login(p, *c, &at) && at > newest)
			newest = at;
	return newest;
}

static void
look_for_credentials(struct prober *p)
{
	uint64_t at;

	for (const char *const *c = p->harness->credentials; *c; c++)
		if (shows_login(p, *c, &at)) {
			p->step++;
			next_step(p);
			return;
		}
	finish_without_login(p);
}

/* Does the server that it needs answer?  A program of ours asks, on this
 * machine, unless the harness's own does. */
static void
ask_url(struct prober *p)
{
	const char *const arguments[] = { needs_url(p->worker->name), NULL };
	auto_free char *program = program_of_ours("cli-bridge-reachable");

	if (p->harness->reach) {
		run(p, p->executor, p->program, p->harness->reach);
		return;
	}
	run(p, (struct executor *)&host_executor, program, arguments);
}

/* Its version is asked for where the executor keeps it from writing, if the
 * executor can: that shows whether it works there. */
static bool
needs_reader(struct prober *p)
{
	struct executor *reader = p->executor->reader;
	struct error e = { 0 };

	p->unfit[0] = '\0';
	if (!reader || !(p->harness->can & CAN_SAFE))
		return false;
	reader->is_unfit = !reader->is_set_up(reader, &e);
	str_keep(p->unfit, sizeof p->unfit, str_of(e.text));
	return !reader->is_unfit;
}

static void
try_reader(struct prober *p, struct executor *reader)
{
	if (p->harness->version)
		run(p, reader, p->program, p->harness->version);
	else
		run(p, reader, reader->trial[0], reader->trial + 1);
}

static bool
has_step(struct prober *p)
{
	const struct harness *h = p->harness;

	return p->step == STEP_TRIAL	     ? p->executor->trial != NULL
	       : p->step == STEP_READER	     ? needs_reader(p)
	       : p->step == STEP_VERSION     ? h->version && !p->version[0]
	       : p->step == STEP_NEEDS	     ? h->needs != NULL
	       : p->step == STEP_CREDENTIALS ? h->credentials != NULL
	       : p->step == STEP_LOGIN	     ? h->logged_in != NULL
	       : p->step == STEP_URL ? needs_url(p->worker->name) != NULL
				     : true;
}

static void
next_step(struct prober *p)
{
	while (!has_step(p))
		p->step++;
	switch ((enum step)p->step) {
	case STEP_TRIAL:
		run(p, p->executor, p->executor->trial[0],
		    p->executor->trial + 1);
		break;
	case STEP_READER:
		try_reader(p, p->executor->reader);
		break;
	case STEP_VERSION:
		run(p, p->executor, p->program, p->harness->version);
		break;
	case STEP_NEEDS:
		run(p, p->executor, p->program, p->harness->needs);
		break;
	case STEP_CREDENTIALS:
		look_for_credentials(p);
		break;
	case STEP_LOGIN:
		run(p, p->executor, p->program, p->harness->logged_in);
		break;
	case STEP_URL:
		ask_url(p);
		break;
	case STEP_DONE:
		finish(p, HEALTH_READY, NULL);
		break;
	}
}

void
prober_init(struct prober *p, struct worker *w, struct executor *x)
{
	p->worker = w;
	p->executor = x;
	p->running_command.heard = on_heard;
	p->running_command.failed = on_failed;
	p->running_command.ended = on_ended;
}

void
prober_fini(struct prober *p)
{
	if (!p->worker)
		return;
	loop_unset(&p->worker->loop, &p->next);
	loop_unset(&p->worker->loop, &p->deadline);
	program_fini(&p->running_command);
	free(p->program);
	memset(p, 0, sizeof *p);
}

void
prober_start(struct prober *p, const struct harness *harness,
	     const char *program, char *const *environment)
{
	if (p->running)
		return;
	p->running = true;
	p->too_late = false;
	p->step = STEP_TRIAL;
	p->version[0] = '\0';
	p->harness = harness;
	p->environment = environment;
	free(p->program);
	p->program = copy(str_of(program));
	loop_set(&p->worker->loop, &p->next, 0, on_next);
}
