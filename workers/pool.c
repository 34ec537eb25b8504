#include "workers/pool.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "proto/log.h"
#include "proto/sweep.h"
#include "workers/conversation.h"
#include "workers/environment.h"

enum {			/* milliseconds */
       TICK = 5000,	/* memory is looked at, orphans are reaped */
       SWEEP_SOON = 20, /* after a process ended */
       SWEEP_MOST = 300,
       FAREWELL = 2000, /* for an idle process to end by itself */
};

/* The end of a process */

static void
bury(struct timer *t)
{
	struct warm *w = container_of(t, struct warm, grave);

	list_remove(&w->pool->leavings, &w->node);
	cli_fini(&w->cli);
	if (harness.clear)
		harness.clear(&w->talk);
	free(w->talk.state);
	free(w->session);
	free(w->cli_id);
	free(w->cwd);
	free(w->system);
	free(w->model);
	free(w->position);
	free(w);
}

/* Number 0 is the prober's. */
static bool
is_over(void *arg, uint64_t number)
{
	struct pool *p = arg;

	if (number == 0)
		return false;
	list_each (&p->warm, n) {
		const struct warm *w = container_of(n, struct warm, node);

		if (w->number == number)
			return w->killed;
	}
	return true;
}

static bool
is_a_cli(const struct list *l, pid_t pid)
{
	list_each (l, n)
		if (container_of(n, struct warm, node)->cli.process.pid == pid)
			return true;
	return false;
}

/*
 * What lost its parent became our child, and must be reaped when it ends.
 * The CLIs themselves are reaped through their pidfds: looking stops at one.
 */
static void
reap_orphans(struct pool *p)
{
	siginfo_t info;

	for (;;) {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
		    info.si_pid == 0 || is_a_cli(&p->warm, info.si_pid) ||
		    is_a_cli(&p->leavings, info.si_pid))
			return;
		(void)waitpid(info.si_pid, NULL, WNOHANG);
	}
}

static void sweep_later(struct pool *);

static void
on_sweep(struct timer *t)
{
	struct pool *p = container_of(t, struct pool, sweep_timer);
	uint64_t before = loop_now();
	unsigned n = sweep_numbers(p->worker->mark, is_over, p);

	p->sweep_cost = loop_now() - before;
	reap_orphans(p);
	if (!n)
		return;
	log_info("ended %u processes that their CLI had left behind", n);
	sweep_later(p);
}

/* All that end in a short time are swept at once, for a look costs. */
static void
sweep_later(struct pool *p)
{
	uint64_t ms = SWEEP_SOON + 10 * p->sweep_cost;

	if (!timer_is_set(&p->sweep_timer))
		loop_set(&p->worker->loop, &p->sweep_timer,
			 ms < SWEEP_MOST ? ms : SWEEP_MOST, on_sweep);
}

static void
leave(struct warm *w)
{
	struct pool *p = w->pool;

	loop_unset(&p->worker->loop, &w->clock);
	list_remove(&p->warm, &w->node);
	list_append(&p->leavings, &w->node);
	loop_set(&p->worker->loop, &w->grave, 0, bury);
	sweep_later(p);
}

/* The turn's end is told once, and the process is without it from then on. */
static void
tell(struct warm *w, const struct outcome *o)
{
	if (w->turn)
		w->pool->over(w, o);
}

static void
kill_now(struct warm *w)
{
	w->state = WARM_LEAVING;
	w->killed = true;
	cli_pause(&w->cli, false);
	cli_kill(&w->cli);
	sweep_later(w->pool);
}

/* The process is of no use any more, and its turn fails with `e`. */
void
warm_give_up(struct warm *w, const struct error *e)
{
	const struct outcome o = { .error = e };

	kill_now(w);
	tell(w, &o);
}

static void
on_failed(struct cli *cli, const struct error *e)
{
	warm_give_up(container_of(cli, struct warm, cli), e);
}

static void
explain_end(struct warm *w, struct error *e)
{
	struct str words = cli_last_words(&w->cli);
	int status = w->cli.process.status;

	fail_with(e, ERR_CRASHED, "%s ended with %s%s%.*s",
		  w->pool->worker->name, process_status_text(status),
		  words.len ? ": " : "", STR_ARG(words));
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NOT_FOUND)
		e->code = ERR_UNAVAILABLE;
	if (harness.ended)
		harness.ended(&w->talk, status, words, e);
}

static void
on_ended(struct cli *cli)
{
	struct warm *w = container_of(cli, struct warm, cli);
	struct error e = { 0 };
	const struct outcome o = { .error = &e };

	explain_end(w, &e);
	if (w->state == WARM_STOPPING)
		fail_with(&e, ERR_CANCELLED, "cancelled");
	else if (w->state != WARM_LEAVING)
		log_warn("CLI %ju: %s", (uintmax_t)w->number,
			 log_quote(str_of(e.text)));
	w->state = WARM_LEAVING;
	leave(w);
	tell(w, &o);
}

/* Idle processes */

static void
on_farewell(struct timer *t)
{
	kill_now(container_of(t, struct warm, clock));
}

void
warm_retire(struct warm *w)
{
	bool was_idle = w->state == WARM_IDLE;

	if (w->state == WARM_LEAVING)
		return;
	assert(!w->turn);
	if (!was_idle) {
		kill_now(w);
		return;
	}
	w->state = WARM_LEAVING;
	cli_close_input(&w->cli);
	loop_set(&w->pool->worker->loop, &w->clock, FAREWELL, on_farewell);
}

static void
on_idle_for_long(struct timer *t)
{
	warm_retire(container_of(t, struct warm, clock));
}

static struct warm *
longest_idle(struct pool *p)
{
	list_each (&p->warm, n) {
		struct warm *w = container_of(n, struct warm, node);

		if (w->state == WARM_IDLE)
			return w;
	}
	return NULL;
}

static size_t
count_idle(const struct pool *p)
{
	size_t idle = 0;

	list_each (&p->warm, n)
		idle += container_of(n, struct warm, node)->state == WARM_IDLE;
	return idle;
}

/* MiB that could be had without swapping; UINT64_MAX if nobody says. */
static uint64_t
free_memory(void)
{
	char line[128];
	unsigned long long kb = 0;
	FILE *f = fopen("/proc/meminfo", "re");

	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "MemAvailable: %llu", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb ? kb / 1024 : UINT64_MAX;
}

static void
on_tick(struct timer *t)
{
	struct pool *p = container_of(t, struct pool, tick);
	struct warm *w = longest_idle(p);

	loop_set(&p->worker->loop, &p->tick, TICK, on_tick);
	reap_orphans(p);
	if (w && free_memory() < p->worker->harness.min_free_mb) {
		log_info("memory is short: CLI %ju goes", (uintmax_t)w->number);
		warm_retire(w);
	}
}

/* The last to become idle is the last of the list. */
static void
become_idle(struct warm *w)
{
	struct pool *p = w->pool;
	const struct harness_settings *s = &p->worker->harness;

	w->state = WARM_IDLE;
	w->turn = NULL;
	list_remove(&p->warm, &w->node);
	list_append(&p->warm, &w->node);
	loop_set(&p->worker->loop, &w->clock, s->idle_ms, on_idle_for_long);
	while (count_idle(p) > s->max_idle)
		warm_retire(longest_idle(p));
}

/* Turns */

static void
on_silence(struct timer *t)
{
	struct warm *w = container_of(t, struct warm, clock);
	uint64_t ms = w->pool->worker->harness.timeout_ms;
	struct error e = { 0 };

	fail_with(&e, ERR_TIMEOUT,
		  "timeout after %ju ms: no stream output of %s", (uintmax_t)ms,
		  w->pool->worker->name);
	warm_give_up(w, &e);
}

/* Each sign of life sets it anew; a reader that is slow stops it. */
static void
listen_for_silence(struct warm *w)
{
	struct loop *loop = &w->pool->worker->loop;
	uint64_t ms = w->pool->worker->harness.timeout_ms;

	if (w->state != WARM_BUSY)
		return;
	if (ms && !w->cli.paused)
		loop_set(loop, &w->clock, ms, on_silence);
	else
		loop_unset(loop, &w->clock);
}

void
warm_give(struct warm *w, struct turn *t)
{
	assert(!w->turn);
	w->turn = t;
	w->answer = ANSWER_EMPTY;
	w->said_something = false;
	if (w->state == WARM_IDLE)
		w->pool->ready(w);
}

void
warm_say(struct warm *w, const char *model, const json_t *messages, size_t from)
{
	free(w->model);
	w->model = copy(str_of(model));
	w->talk.model = w->model;
	w->talk.messages = messages;
	w->talk.from = from;
	w->talk.turn++;
	w->state = WARM_BUSY;
	listen_for_silence(w);
	harness.say(&w->talk);
	w->talk.messages = NULL;
}

static void
on_not_stopped(struct timer *t)
{
	struct warm *w = container_of(t, struct warm, clock);
	struct error e = { 0 };

	fail_with(&e, ERR_CANCELLED, "cancelled");
	warm_give_up(w, &e);
}

/* One that stands alone has no more reason to live. */
void
warm_cancel(struct warm *w)
{
	struct error e = { 0 };

	if (w->state == WARM_BUSY && harness.interrupt && w->session) {
		w->state = WARM_STOPPING;
		loop_set(&w->pool->worker->loop, &w->clock,
			 w->pool->worker->harness.cancel_ms, on_not_stopped);
		cli_pause(&w->cli, false);
		harness.interrupt(&w->talk);
		return;
	}
	fail_with(&e, ERR_CANCELLED, "cancelled");
	warm_give_up(w, &e);
}

void
warm_unblock(struct warm *w)
{
	cli_pause(&w->cli, false);
	listen_for_silence(w);
}

static void
on_line(struct cli *cli, struct str line)
{
	struct warm *w = container_of(cli, struct warm, cli);
	struct error e = { 0 };

	if (w->state == WARM_LEAVING)
		return;
	if (!harness.line(&w->talk, line, &e)) {
		warm_give_up(w, &e);
		return;
	}
	if (w->state != WARM_BUSY)
		return;
	if (turn_is_blocked(w->turn))
		cli_pause(cli, true);
	listen_for_silence(w);
}

/* Not idle for a moment even if its turn was waiting for it. */
void
warm_ready(struct warm *w)
{
	if (!w->turn) {
		become_idle(w);
		return;
	}
	w->state = WARM_IDLE;
	w->pool->ready(w);
}

void
warm_lost(struct warm *w)
{
	const struct outcome o = { .lost = true };

	kill_now(w);
	tell(w, &o);
}

/*
 * A turn's end frees its session, and what waits for that may begin at once,
 * on this very process: so it is idle before anybody is told.
 */
void
warm_conclude(struct warm *w, const struct outcome *o)
{
	struct turn *turn = w->turn;

	if (!w->session) {
		kill_now(w);
		tell(w, o);
		return;
	}
	become_idle(w);
	w->turn = turn;
	tell(w, o);
}

/* Starting */

static void
on_start_deadline(struct timer *t)
{
	struct warm *w = container_of(t, struct warm, clock);
	struct str words = cli_last_words(&w->cli);
	struct error e = { 0 };

	fail_with(&e, ERR_TIMEOUT, "%s was not ready after %ju ms%s%.*s",
		  w->pool->worker->name,
		  (uintmax_t)w->pool->worker->harness.start_ms,
		  words.len ? ": " : "", STR_ARG(words));
	warm_give_up(w, &e);
}

static struct warm *
warm_new(struct pool *p, const struct warm_plan *plan)
{
	struct warm *w = xcalloc(1, sizeof *w);

	w->pool = p;
	w->number = ++p->last_number;
	w->session = copy(str_of(plan->session));
	w->cli_id = copy(str_of(plan->cli_id));
	w->cwd = copy(str_of(plan->cwd));
	w->system = copy((struct str){ plan->system, plan->system_len });
	w->model = copy(str_of(plan->model));
	w->position = copy(str_of(plan->position));
	w->talk = (struct talk){
		.cli_id = w->cli_id,
		.resumed = plan->resumed,
		.position = w->position,
		.history = plan->history,
		.kept = plan->session != NULL,
		.cwd = w->cwd,
		.permission_mode = p->worker->harness.permission_mode,
		.scratch = p->scratch,
		.system = w->system,
		.system_len = plan->system_len,
		.model = w->model,
		.state = xcalloc(1, harness.state + 1),
	};
	w->cli.heard = on_line;
	w->cli.failed = on_failed;
	w->cli.ended = on_ended;
	return w;
}

/* The mark comes first, where it is found with the first read. */
static void
add_environment(const struct warm *w, struct words *env)
{
	const struct pool *p = w->pool;

	words_print(env, OWNER_VARIABLE "=%s%ju/", p->worker->mark,
		    (uintmax_t)w->number);
	for (size_t i = 0; i < p->environment.len; i++)
		words_add(env, p->environment.ptr[i]);
}

static bool
run_program(struct warm *w, struct error *e)
{
	struct pool *p = w->pool;
	struct words argv = { 0 }, env = { 0 };
	struct spawn s = { .cwd = w->cwd, .death_signal = SIGKILL };
	bool ok;

	words_add(&argv, p->program);
	add_environment(w, &env);
	ok = harness.command(&w->talk, &argv, &env, e);
	s.argv = (const char *const *)argv.ptr;
	s.env = env.ptr;
	ok = ok && cli_start(&w->cli, &p->worker->loop, &s, e);
	words_fini(&argv);
	words_fini(&env);
	return ok;
}

struct warm *
pool_start(struct pool *p, const struct warm_plan *plan, struct error *e)
{
	struct warm *w;

	if (!p->program) {
		fail_with(e, ERR_UNAVAILABLE, "%s is not installed: %s",
			  p->worker->name, harness.install);
		return NULL;
	}
	w = warm_new(p, plan);
	list_append(&p->warm, &w->node);
	if (!run_program(w, e)) {
		leave(w);
		return NULL;
	}
	log_info("CLI %ju: pid %d started%s%s", (uintmax_t)w->number,
		 (int)w->cli.process.pid, w->session ? " for session " : "",
		 w->session ? log_quote(str_of(w->session)) : "");
	loop_set(&p->worker->loop, &w->clock, p->worker->harness.start_ms,
		 on_start_deadline);
	if (harness.greet)
		harness.greet(&w->talk);
	w->talk.history = NULL;
	return w;
}

struct warm *
pool_find(struct pool *p, const char *session)
{
	list_each (&p->warm, n) {
		struct warm *w = container_of(n, struct warm, node);

		if (w->state == WARM_IDLE && w->session &&
		    !strcmp(w->session, session))
			return w;
	}
	return NULL;
}

unsigned
pool_count(const struct pool *p)
{
	return (unsigned)p->warm.len;
}

/* The pool itself */

void
pool_find_program(struct pool *p)
{
	const char *bin = p->worker->harness.bin;

	free(p->program);
	if (!bin && strncmp(harness.program, "cli-bridge-", 11) == 0)
		p->program = program_of_ours(harness.program);
	else
		p->program = program_in_path(bin ? bin : harness.program,
					     getenv("PATH"));
}

static bool
make_directory(const char *path, struct error *e)
{
	return mkdir(path, 0700) == 0 || errno == EEXIST ||
	       fail_errno(e, "mkdir %s", path);
}

/* <data directory>/<what>/<worker>; the caller frees it. */
static char *
own_directory(const struct worker *w, const char *what, struct error *e)
{
	auto_free char *all = copy_format("%s/%s", w->settings.data_dir, what);
	char *own = copy_format("%s/%s", all, w->name);

	if (make_directory(all, e) && make_directory(own, e))
		return own;
	free(own);
	return NULL;
}

static bool
make_directories(struct pool *p, struct error *e)
{
	const char *cwd = p->worker->harness.cwd;

	p->scratch = own_directory(p->worker, "scratch", e);
	p->workspace = cwd ? copy(str_of(cwd))
			   : own_directory(p->worker, "workspace", e);
	return p->scratch && p->workspace;
}

bool
pool_init(struct pool *p, struct worker *w, struct error *e)
{
	void (*ready)(struct warm *) = p->ready;
	void (*over)(struct warm *, const struct outcome *) = p->over;

	memset(p, 0, sizeof *p);
	p->worker = w;
	p->ready = ready;
	p->over = over;
	list_init(&p->warm);
	list_init(&p->leavings);
	environment_of(w->name, &p->environment);
	pool_find_program(p);
	loop_set(&w->loop, &p->tick, TICK, on_tick);
	return make_directories(p, e);
}

/* All at once, and not one after the other: each may take its time to die. */
void
pool_fini(struct pool *p)
{
	struct node *n;

	if (!p->worker)
		return;
	list_each (&p->warm, w)
		cli_kill(&container_of(w, struct warm, node)->cli);
	while ((n = list_first(&p->warm)))
		leave(container_of(n, struct warm, node));
	while ((n = list_first(&p->leavings))) {
		struct warm *w = container_of(n, struct warm, node);

		loop_unset(&p->worker->loop, &w->grave);
		bury(&w->grave);
	}
	loop_unset(&p->worker->loop, &p->sweep_timer);
	loop_unset(&p->worker->loop, &p->tick);
	words_fini(&p->environment);
	json_decref(p->models);
	free(p->workspace);
	free(p->scratch);
	free(p->program);
	memset(p, 0, sizeof *p);
}
