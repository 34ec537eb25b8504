#include "workers/warm.h"

#include <assert.h>
#include <signal.h>
#include <sys/wait.h>

#include "proto/log.h"
#include "proto/sweep.h"
#include "workers/conversation.h"
#include "workers/pool.h"

enum { FAREWELL = 2000 /* ms for an idle process to end by itself */ };

void
warm_bury(struct timer *t)
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

void
warm_leave(struct warm *w)
{
	struct pool *p = w->pool;

	loop_unset(&p->worker->loop, &w->clock);
	list_remove(&p->warm, &w->node);
	list_append(&p->leavings, &w->node);
	loop_set(&p->worker->loop, &w->grave, 0, warm_bury);
	pool_sweep_later(p);
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
	loop_unset(&w->pool->worker->loop, &w->clock);
	cli_pause(&w->cli, false);
	cli_kill(&w->cli);
	pool_sweep_later(w->pool);
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
		e->code = ERR_NOT_SET_UP;
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
	warm_leave(w);
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
	bool was_idle = w->state == WARM_IDLE || w->state == WARM_SPARE;

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

void
warm_on_idle_for_long(struct timer *t)
{
	warm_retire(container_of(t, struct warm, clock));
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
		pool_become_idle(w);
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
	pool_become_idle(w);
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
		.kept = plan->kept,
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
	/* some CLIs trust it over getcwd() */
	words_print(env, "PWD=%s", w->cwd);
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

static void
on_ready_before(struct timer *t)
{
	warm_ready(container_of(t, struct warm, clock));
}

/* Now it is somebody's, and has so long to say that it is ready. */
static void
greet(struct warm *w)
{
	struct loop *loop = &w->pool->worker->loop;

	w->state = WARM_STARTING;
	if (w->was_ready)
		loop_set(loop, &w->clock, 0, on_ready_before);
	else
		loop_set(loop, &w->clock, w->pool->worker->harness.start_ms,
			 on_start_deadline);
	if (harness.greet)
		harness.greet(&w->talk);
	w->talk.history = NULL;
}

struct warm *
warm_start(struct pool *p, const struct warm_plan *plan, struct error *e)
{
	struct warm *w;

	if (!p->program) {
		pool_fail_missing(p, e);
		return NULL;
	}
	w = warm_new(p, plan);
	list_append(&p->warm, &w->node);
	if (!run_program(w, e)) {
		warm_leave(w);
		return NULL;
	}
	log_info("CLI %ju: pid %d started%s%s", (uintmax_t)w->number,
		 (int)w->cli.process.pid,
		 w->session    ? " for session "
		 : plan->spare ? " as a spare"
			       : "",
		 w->session ? log_quote(str_of(w->session)) : "");
	if (plan->spare)
		w->state = WARM_SPARE;
	else
		greet(w);
	if (w->state != WARM_LEAVING)
		return w;
	fail_with(e, ERR_HARNESS, "%s could not be greeted", p->worker->name);
	return NULL;
}

void
warm_adopt(struct warm *w, const struct warm_plan *plan)
{
	assert(w->state == WARM_SPARE);
	w->session = copy(str_of(plan->session));
	w->system = copy((struct str){ plan->system, plan->system_len });
	w->talk.system = w->system;
	w->talk.system_len = plan->system_len;
	greet(w);
}
