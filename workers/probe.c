#include "workers/probe.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "proto/sweep.h"
#include "proto/utf8.h"
#include "workers/harness.h"

enum { PROBE_TIME = 20000 /* ms: some CLIs take seconds for --version */ };

enum step { STEP_VERSION, STEP_LOGIN, STEP_DONE };

static void next_step(struct prober *);

static void
finish(struct prober *p, enum health health, const char *detail)
{
	p->running = false;
	loop_unset(&p->worker->loop, &p->deadline);
	worker_set_health(p->worker, health, p->version, detail);
}

/* The first number with a dot in what --version says. */
static void
on_heard(struct cli *cli, struct str line)
{
	struct prober *p = container_of(cli, struct prober, cli);
	size_t n = 0;

	if (p->step != STEP_VERSION || p->version[0])
		return;
	while (line.len && !isdigit((unsigned char)*line.ptr))
		line = str_from(line, 1);
	while (n < line.len && n < MAX_NAME &&
	       !isspace((unsigned char)line.ptr[n]))
		n++;
	if (utf8_valid((struct str){ line.ptr, n }))
		snprintf(p->version, sizeof p->version, "%.*s", (int)n,
			 line.ptr);
}

static void
on_failed(struct cli *cli, const struct error *e)
{
	cli_kill(cli);
}

/* Runs when no callback of the program that has ended is under way. */
static void
on_next(struct timer *t)
{
	struct prober *p = container_of(t, struct prober, next);

	cli_fini(&p->cli);
	next_step(p);
}

static void
on_ended(struct cli *cli)
{
	struct prober *p = container_of(cli, struct prober, cli);
	int status = cli->process.status;
	struct str words = cli_last_words(cli);
	char detail[MAX_DETAIL];
	bool ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;

	loop_unset(&p->worker->loop, &p->deadline);
	if (!ok && p->step == STEP_LOGIN && !p->too_late) {
		snprintf(detail, sizeof detail, "not logged in: %s",
			 harness.log_in);
		finish(p, HEALTH_UNAVAILABLE, detail);
		return;
	}
	if (!ok) {
		snprintf(detail, sizeof detail, "%s: %s%s%.*s", p->program,
			 p->too_late ? "no answer in time"
				     : process_status_text(status),
			 words.len ? ": " : "", STR_ARG(words));
		finish(p, HEALTH_ERROR, detail);
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
	cli_kill(&p->cli);
}

static void
run(struct prober *p, const char *const *arguments)
{
	struct words argv = { 0 }, env = { 0 };
	struct spawn s = { .death_signal = SIGKILL };
	struct error e = { 0 };

	cli_fini(&p->cli);
	words_add(&argv, p->program);
	for (; *arguments; arguments++)
		words_add(&argv, *arguments);
	words_print(&env, OWNER_VARIABLE "=%s0/", p->worker->mark);
	for (char *const *v = p->environment; v && *v; v++)
		words_add(&env, *v);
	s.argv = (const char *const *)argv.ptr;
	s.env = env.ptr;
	if (cli_start(&p->cli, &p->worker->loop, &s, &e)) {
		cli_close_input(&p->cli);
		loop_set(&p->worker->loop, &p->deadline, PROBE_TIME,
			 on_deadline);
	} else {
		finish(p, HEALTH_ERROR, e.text);
	}
	words_fini(&argv);
	words_fini(&env);
}

static void
next_step(struct prober *p)
{
	if (p->step == STEP_VERSION && !harness.version)
		p->step++;
	if (p->step == STEP_LOGIN && !harness.logged_in)
		p->step++;
	if (p->step == STEP_DONE)
		finish(p, HEALTH_READY, NULL);
	else
		run(p, p->step == STEP_VERSION ? harness.version
					       : harness.logged_in);
}

void
prober_init(struct prober *p, struct worker *w)
{
	memset(p, 0, sizeof *p);
	p->worker = w;
	p->cli.heard = on_heard;
	p->cli.failed = on_failed;
	p->cli.ended = on_ended;
}

void
prober_fini(struct prober *p)
{
	if (!p->worker)
		return;
	loop_unset(&p->worker->loop, &p->next);
	loop_unset(&p->worker->loop, &p->deadline);
	cli_fini(&p->cli);
	free(p->program);
	memset(p, 0, sizeof *p);
}

void
prober_start(struct prober *p, const char *program, char *const *environment)
{
	if (p->running)
		return;
	p->running = true;
	p->too_late = false;
	p->step = STEP_VERSION;
	p->version[0] = '\0';
	p->environment = environment;
	free(p->program);
	p->program = copy(str_of(program));
	loop_set(&p->worker->loop, &p->next, 0, on_next);
}
