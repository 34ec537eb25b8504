#include "workers/run.h"

#include <signal.h>

#include "proto/log.h"
#include "proto/sweep.h"
#include "workers/pool.h"

enum {
	/* A process gets this long to end after its input was closed, and as
	 * long again after SIGTERM, before it is killed. */
	FAREWELL_MS = 1000,
};

static struct run *
run_of(struct cli *cli)
{
	return container_of(cli, struct run, cli);
}

static const struct harness *
harness_of_run(const struct run *r)
{
	return r->pool->harness;
}

static bool
is_shared(const struct run *r)
{
	return harness_of_run(r)->shares > 0;
}

/* The conversation of a process that is not shared; NULL if it is over. */
static struct warm *
only_talk(const struct run *r)
{
	struct node *n = list_first(&r->talks);

	return n ? container_of(n, struct warm, seat) : NULL;
}

/* The end of a process */

void
run_free_later(struct timer *t)
{
	struct run *r = container_of(t, struct run, free_later);

	if (r->unfreed) {
		loop_set(&r->pool->worker->loop, t, 0, run_free_later);
		return;
	}
	list_remove(&r->pool->ended_runs, &r->node);
	cli_fini(&r->cli);
	if (harness_of_run(r)->agent_clear)
		harness_of_run(r)->agent_clear(&r->agent);
	free(r->agent.state);
	free(r->workspace);
	free(r);
}

static void
leave_pool(struct run *r)
{
	struct pool *p = r->pool;

	r->state = RUN_ENDING;
	loop_unset(&p->worker->loop, &r->clock);
	list_remove(&p->runs, &r->node);
	list_append(&p->ended_runs, &r->node);
	loop_set(&p->worker->loop, &r->free_later, 0, run_free_later);
	pool_sweep_later(p);
}

void
run_kill(struct run *r)
{
	r->state = RUN_ENDING;
	r->killed = true;
	loop_unset(&r->pool->worker->loop, &r->clock);
	cli_pause(&r->cli, false);
	cli_kill(&r->cli);
	pool_sweep_later(r->pool);
}

static void
on_no_end(struct timer *t)
{
	run_kill(container_of(t, struct run, clock));
}

static void
on_farewell(struct timer *t)
{
	struct run *r = container_of(t, struct run, clock);

	process_signal(&r->cli.process, SIGTERM);
	loop_set(&r->pool->worker->loop, t, FAREWELL_MS, on_no_end);
}

void
run_retire(struct run *r)
{
	if (r->state == RUN_ENDING)
		return;
	r->state = RUN_ENDING;
	cli_pause(&r->cli, false);
	cli_close_input(&r->cli);
	loop_set(&r->pool->worker->loop, &r->clock, FAREWELL_MS, on_farewell);
}

static size_t
count_turns(const struct run *r)
{
	size_t count = 0;

	list_each (&r->talks, n)
		count += container_of(n, struct warm, seat)->turn != NULL;
	return count;
}

static struct warm *
find_idle(const struct run *r)
{
	list_each (&r->talks, n) {
		struct warm *w = container_of(n, struct warm, seat);

		if (w->state == WARM_IDLE)
			return w;
	}
	return NULL;
}

void
run_close(struct run *r)
{
	struct warm *w;

	if (r->state >= RUN_CLOSED)
		return;
	log_warn("CLI %ju: gets no further conversation", (uintmax_t)r->number);
	r->state = RUN_CLOSED;
	while ((w = find_idle(r)))
		warm_retire(w);
	if (r->state == RUN_CLOSED && !count_turns(r))
		run_kill(r);
}

void
run_finish(struct run *r)
{
	if (r->state == RUN_CLOSED && count_turns(r) == 1)
		run_retire(r);
}

/* Ends every conversation of the process, which has ended.  Turns that are
 * under way fail with `e`. */
static void
end_talks(struct run *r, const struct error *e)
{
	struct node *n;

	while ((n = list_first(&r->talks)))
		warm_ended(container_of(n, struct warm, seat), e);
}

static void
on_ended(struct cli *cli)
{
	struct run *r = run_of(cli);
	struct warm *w = only_talk(r);
	bool crashed = r->state == RUN_STARTING ||
		       (r->state != RUN_ENDING && count_turns(r));
	struct error e = { 0 };

	pool_explain_end(r, &e);
	if (crashed)
		pool_note_crash(r->pool, r->began);
	if (!is_shared(r) && w)
		warm_explain_end(w, &e);
	else if (r->state != RUN_ENDING)
		log_warn("CLI %ju: %s", (uintmax_t)r->number,
			 log_quote(str_of(e.text)));
	leave_pool(r);
	end_talks(r, &e);
}

/* Kills the process; all its conversations fail with `e`. */
static void
fail_all(struct run *r, const struct error *e)
{
	struct error why = *e;

	run_kill(r);
	end_talks(r, &why);
}

static void
on_failed(struct cli *cli, const struct error *e)
{
	struct run *r = run_of(cli);
	struct warm *w = only_talk(r);

	if (is_shared(r))
		fail_all(r, e);
	else if (w)
		warm_give_up(w, e);
	else
		run_kill(r);
}

/* What a process says */

static void
on_line(struct cli *cli, struct str line)
{
	struct run *r = run_of(cli);
	struct warm *w = only_talk(r);
	struct error e = { 0 };

	if (r->state == RUN_ENDING)
		return;
	if (!is_shared(r)) {
		if (w)
			warm_hear(w, line);
		return;
	}
	if (!harness_of_run(r)->agent_line(&r->agent, line, &e))
		fail_all(r, &e);
}

/* The start of a process */

static struct run *
run_new(struct pool *p)
{
	struct run *r = xcalloc(1, sizeof *r);

	r->pool = p;
	r->number = ++p->last_number;
	r->generation = p->generation;
	r->workspace = copy(str_of(p->workspace));
	list_init(&r->talks);
	r->began = r->last_use = loop_now();
	r->agent = (struct agent){
		.name = p->worker->name,
		.workspace = r->workspace,
		.scratch = p->scratch,
		.permission_mode = p->permission_mode,
		.loads = p->loads,
		.loop = &p->worker->loop,
		.state = xcalloc(1, p->harness->agent_state + 1),
	};
	r->cli.heard = on_line;
	r->cli.failed = on_failed;
	r->cli.ended = on_ended;
	list_append(&p->runs, &r->node);
	return r;
}

/* The mark comes first in the environment: a sweep, which reads only the
 * beginning of each process's environment at first, finds it there. */
static void
add_environment(const struct run *r, const char *cwd, struct words *env)
{
	const struct pool *p = r->pool;

	words_print(env, OWNER_VARIABLE "=%s%ju/", p->worker->mark,
		    (uintmax_t)r->number);
	/* some CLIs believe $PWD rather than getcwd() */
	words_print(env, "PWD=%s", cwd);
	for (size_t i = 0; i < p->environment.len; i++)
		words_add(env, p->environment.ptr[i]);
}

/* Starts the program, with the arguments for the conversation `w` or, if that
 * is NULL, for a process that conversations will share. */
static bool
run_program(struct run *r, struct warm *w, struct error *e)
{
	struct pool *p = r->pool;
	struct words argv = { 0 }, env = { 0 };
	struct spawn s = { .cwd = w ? w->cwd : p->workspace,
			   .death_signal = SIGKILL };
	bool ok;

	words_add(&argv, p->program);
	add_environment(r, s.cwd, &env);
	ok = w ? p->harness->command(&w->talk, &argv, &env, e)
	       : p->harness->agent_command(&r->agent, &argv, &env, e);
	s.argv = (const char *const *)argv.ptr;
	s.env = env.ptr;
	ok = ok && cli_start(&r->cli, &p->worker->loop, &s, e);
	words_fini(&argv);
	words_fini(&env);
	return ok;
}

static void
sit_down(struct warm *w, struct run *r)
{
	w->run = r;
	w->talk.agent = &r->agent;
	list_append(&r->talks, &w->seat);
	r->joined++;
	r->unfreed++;
	loop_unset(&r->pool->worker->loop, &r->clock);
}

bool
run_start_for(struct warm *w, struct error *e)
{
	struct run *r = run_new(w->pool);

	r->state = RUN_UP;
	sit_down(w, r);
	if (run_program(r, w, e)) {
		log_info("CLI %ju: pid %d started%s%s", (uintmax_t)r->number,
			 (int)r->cli.process.pid,
			 w->session ? " for session " : "",
			 w->session ? log_quote(str_of(w->session)) : "");
		return true;
	}
	leave_pool(r);
	return false;
}

static struct run *
start_shared(struct pool *p, struct error *e)
{
	struct run *r = run_new(p);

	if (!run_program(r, NULL, e)) {
		leave_pool(r);
		return NULL;
	}
	log_info("CLI %ju: pid %d started", (uintmax_t)r->number,
		 (int)r->cli.process.pid);
	if (p->harness->agent_greet)
		p->harness->agent_greet(&r->agent);
	if (r->state != RUN_ENDING)
		return r;
	fail_with(e, ERR_HARNESS, "the handshake with %s failed",
		  p->worker->name);
	return NULL;
}

static struct run *
with_room(struct pool *p)
{
	size_t most = p->harness->shares;

	if (most > p->worker->harness.shares)
		most = p->worker->harness.shares;
	list_each (&p->runs, n) {
		struct run *r = container_of(n, struct run, node);

		if (r->state <= RUN_UP && r->talks.len < most &&
		    r->joined < MAX_TALKS && !run_is_stale(r))
			return r;
	}
	return NULL;
}

bool
run_join(struct warm *w, struct error *e)
{
	struct run *r = with_room(w->pool);

	if (!r)
		r = start_shared(w->pool, e);
	if (!r)
		return false;
	sit_down(w, r);
	return true;
}

static void on_idle_for_long(struct timer *);

static void
wait_idly(struct run *r)
{
	uint64_t idle_ms = r->pool->worker->harness.idle_ms;
	uint64_t idle = loop_now() - r->last_use;

	loop_set(&r->pool->worker->loop, &r->clock,
		 idle < idle_ms ? idle_ms - idle : 0, on_idle_for_long);
}

bool
run_ensure(struct pool *p, struct error *e)
{
	struct run *r;

	if (with_room(p))
		return true;
	r = start_shared(p, e);
	if (r && run_is_idle(r))
		wait_idly(r);
	return r != NULL;
}

/* The last process stays in spite of its idle time if spares are wanted. */
static void
on_idle_for_long(struct timer *t)
{
	struct run *r = container_of(t, struct run, clock);

	if (!r->pool->worker->harness.spares || r->pool->runs.len > 1)
		run_retire(r);
}

bool
run_is_stale(const struct run *r)
{
	return r->generation != r->pool->generation;
}

bool
run_is_idle(const struct run *r)
{
	return r->state <= RUN_UP && !r->talks.len;
}

void
run_leave(struct warm *w)
{
	struct run *r = w->run;

	list_remove(&r->talks, &w->seat);
	if (!is_shared(r) || r->state == RUN_ENDING)
		return;
	if (r->state == RUN_CLOSED && !count_turns(r)) {
		run_kill(r);
	} else if (!r->talks.len &&
		   (r->joined >= MAX_TALKS || run_is_stale(r))) {
		run_retire(r);
	} else if (r->state != RUN_CLOSED && !r->talks.len) {
		wait_idly(r);
		pool_limit_idle_runs(r->pool);
	}
}

/* What harness.h offers to a harness, of a process */

void
agent_write(struct agent *a, struct str s)
{
	cli_write(&container_of(a, struct run, agent)->cli, s);
}

static struct warm *
find_not_greeted(const struct run *r)
{
	list_each (&r->talks, n) {
		struct warm *w = container_of(n, struct warm, seat);

		if (!w->was_greeted)
			return w;
	}
	return NULL;
}

void
agent_ready(struct agent *a)
{
	struct run *r = container_of(a, struct run, agent);
	struct warm *w;

	if (r->state == RUN_ENDING)
		return;
	if (r->state == RUN_STARTING)
		r->state = RUN_UP;
	while ((w = find_not_greeted(r)))
		warm_greet(w);
	if (run_is_idle(r))
		wait_idly(r);
}

void
agent_fail(struct agent *a, const struct error *e)
{
	fail_all(container_of(a, struct run, agent), e);
}

struct talk *
agent_talk(struct agent *a, const char *cli_id)
{
	struct run *r = container_of(a, struct run, agent);

	list_each (&r->talks, n) {
		struct warm *w = container_of(n, struct warm, seat);

		if (!cli_id || strcmp(w->cli_id, cli_id))
			continue;
		warm_is_alive(w);
		return &w->talk;
	}
	return NULL;
}

void
agent_unknown(struct agent *a, const char *kind, const char *what)
{
	struct run *r = container_of(a, struct run, agent);

	pool_note_unknown(r->pool, kind, what);
}
