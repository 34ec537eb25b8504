#include "workers/warm.h"

#include <assert.h>
#include "proto/log.h"
#include "workers/conversation.h"
#include "workers/pool.h"

void
warm_bury(struct timer *t)
{
	struct warm *w = container_of(t, struct warm, grave);

	list_remove(&w->pool->leavings, &w->node);
	if (w->pool->harness->clear)
		w->pool->harness->clear(&w->talk);
	if (w->run)
		w->run->unburied--;
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

	/* what it wrote for its farewell may have ended its process */
	if (timer_is_set(&w->grave))
		return;
	w->state = WARM_LEAVING;
	loop_unset(&p->worker->loop, &w->clock);
	list_remove(&p->warm, &w->node);
	list_append(&p->leavings, &w->node);
	loop_set(&p->worker->loop, &w->grave, 0, warm_bury);
	if (w->run)
		run_leave(w);
}

static bool
is_shared(const struct warm *w)
{
	return w->pool->harness->shares > 0;
}

/* What a process knows of a login, say, may be out of date: the next scout is
 * to see the same as a turn would in a new one. */
static void
come_back(struct warm *w, const struct error *e)
{
	w->is_scout = false;
	if (e && run_is_idle(w->run))
		run_retire(w->run);
	pool_scout_is_back(w->pool, e);
}

/* The turn's end is told once, and it is without the turn from then on. */
static void
tell(struct warm *w, const struct outcome *o)
{
	if (w->turn)
		w->pool->over(w, o);
	else if (w->is_scout)
		come_back(w, o->error);
}

/* One that shares its process has left when this returns; its turn, if any,
 * is still to be told. */
static void
end_now(struct warm *w)
{
	if (w->state == WARM_LEAVING)
		return;
	w->state = WARM_LEAVING;
	loop_unset(&w->pool->worker->loop, &w->clock);
	if (!is_shared(w)) {
		run_kill(w->run);
		return;
	}
	if (w->was_greeted)
		w->pool->harness->close(&w->talk);
	warm_leave(w);
}

void
warm_give_up(struct warm *w, const struct error *e)
{
	const struct outcome o = { .error = e };

	end_now(w);
	tell(w, &o);
}

/* What it did not do in time it may never do: nobody should rely on it, least
 * of all the turn that begins when this one is over. */
static void
give_up_on_run(struct warm *w, const struct error *e)
{
	if (is_shared(w))
		run_close(w->run);
	warm_give_up(w, e);
}

void
warm_make_sense(struct warm *w, struct error *e)
{
	struct str words = cli_last_words(&w->run->cli);

	if (w->pool->harness->ended)
		w->pool->harness->ended(&w->talk, w->run->cli.process.status,
					words, e);
	if (w->state == WARM_STOPPING)
		*e = w->why;
	else if (w->state != WARM_LEAVING && (w->turn || w->is_scout))
		log_warn("CLI %ju: %s", (uintmax_t)w->run->number,
			 log_quote(str_of(e->text)));
}

void
warm_ended(struct warm *w, const struct error *e)
{
	const struct outcome o = { .error = e };

	warm_leave(w);
	tell(w, &o);
}

/* Idle ones */

void
warm_retire(struct warm *w)
{
	bool was_idle = w->state == WARM_IDLE || w->state == WARM_SPARE;

	if (w->state == WARM_LEAVING)
		return;
	assert(!w->turn);
	if (!was_idle || is_shared(w)) {
		end_now(w);
		return;
	}
	w->state = WARM_LEAVING;
	loop_unset(&w->pool->worker->loop, &w->clock);
	run_retire(w->run);
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
	give_up_on_run(w, &e);
}

/* Each sign of life sets it anew; a reader that is slow stops it. */
static void
listen_for_silence(struct warm *w)
{
	struct loop *loop = &w->pool->worker->loop;
	uint64_t ms = w->pool->worker->harness.timeout_ms;

	if (w->state != WARM_BUSY)
		return;
	if (ms && !w->run->cli.paused)
		loop_set(loop, &w->clock, ms, on_silence);
	else
		loop_unset(loop, &w->clock);
}

void
warm_greet(struct warm *w)
{
	w->was_greeted = true;
	if (w->pool->harness->greet)
		w->pool->harness->greet(&w->talk);
	w->talk.history = NULL;
}

/* Not before it has its turn: it may say at once that it is ready, or lost. */
static void
greet_if_up(struct warm *w)
{
	if (w->state == WARM_STARTING && w->run->state == RUN_UP)
		warm_greet(w);
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
	else
		greet_if_up(w);
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
	w->pool->harness->say(&w->talk);
	w->talk.messages = NULL;
}

static void
on_not_stopped(struct timer *t)
{
	struct warm *w = container_of(t, struct warm, clock);

	give_up_on_run(w, &w->why);
}

/* One that stands alone has no more reason to live, but others may live in
 * its process: it is to be stopped before it is left. */
void
warm_stop(struct warm *w, const struct error *e)
{
	if (w->state == WARM_STOPPING)
		return;
	if (w->state != WARM_BUSY || !w->pool->harness->interrupt ||
	    !(w->session || is_shared(w))) {
		warm_give_up(w, e);
		return;
	}
	w->state = WARM_STOPPING;
	w->why = *e;
	loop_set(&w->pool->worker->loop, &w->clock,
		 w->pool->worker->harness.cancel_ms, on_not_stopped);
	if (!is_shared(w))
		cli_pause(&w->run->cli, false);
	w->pool->harness->interrupt(&w->talk);
}

void
warm_unblock(struct warm *w)
{
	if (!is_shared(w))
		cli_pause(&w->run->cli, false);
	listen_for_silence(w);
}

static void on_start_deadline(struct timer *);

static void
allow_time_to_start(struct warm *w)
{
	loop_set(&w->pool->worker->loop, &w->clock,
		 w->pool->worker->harness.start_ms, on_start_deadline);
}

/* A conversation that takes long to open, and shows that it goes on - a long
 * history is imported, or read back - is not one that does not start. */
void
warm_is_alive(struct warm *w)
{
	if (w->state == WARM_STARTING && !w->was_ready)
		allow_time_to_start(w);
	else
		listen_for_silence(w);
}

/* Of one that has its process to itself. */
void
warm_hear(struct warm *w, struct str line)
{
	struct error e = { 0 };

	if (w->state == WARM_LEAVING)
		return;
	if (!w->pool->harness->line(&w->talk, line, &e)) {
		warm_give_up(w, &e);
		return;
	}
	if (w->state != WARM_BUSY)
		return;
	if (turn_is_blocked(w->turn))
		cli_pause(&w->run->cli, true);
	listen_for_silence(w);
}

/* Whoever is greeted has a turn, or is a scout. */
void
warm_ready(struct warm *w)
{
	if (w->turn) {
		w->state = WARM_IDLE;
		w->pool->ready(w);
	} else {
		end_now(w);
		come_back(w, NULL);
	}
}

void
warm_lost(struct warm *w)
{
	const struct outcome o = { .lost = true };

	end_now(w);
	tell(w, &o);
}

/* The process of a turn that is one_shot ends by itself, or has. */
static void
let_end(struct warm *w)
{
	if (w->run->cli.was_ended)
		return;
	w->state = WARM_LEAVING;
	loop_unset(&w->pool->worker->loop, &w->clock);
	run_retire(w->run);
}

/*
 * A turn's end frees its session, and what waits for that may begin at once,
 * with this very process: so it is idle before anybody is told, or has left
 * one that is closed.
 */
void
warm_conclude(struct warm *w, const struct outcome *o)
{
	struct turn *turn = w->turn;

	w->run->last_use = loop_now();
	if (!o->error)
		w->pool->crashes = 0;
	if (w->pool->harness->one_shot) {
		let_end(w);
	} else if (!w->session || w->run->state == RUN_CLOSED) {
		run_finish(w->run);
		end_now(w);
	} else {
		pool_become_idle(w);
		w->turn = turn;
	}
	tell(w, o);
}

/* Starting */

static void
on_start_deadline(struct timer *t)
{
	struct warm *w = container_of(t, struct warm, clock);
	struct str words = cli_last_words(&w->run->cli);
	struct error e = { 0 };

	fail_with(&e, ERR_TIMEOUT, "%s was not ready after %ju ms%s%.*s",
		  w->pool->worker->name,
		  (uintmax_t)w->pool->worker->harness.start_ms,
		  words.len ? ": " : "", STR_ARG(words));
	give_up_on_run(w, &e);
}

static struct warm *
warm_new(struct pool *p, const struct warm_plan *plan)
{
	struct warm *w = xcalloc(1, sizeof *w);

	w->pool = p;
	w->is_scout = plan->scout;
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
		.permission_mode = p->permission_mode,
		.scratch = p->scratch,
		.system = w->system,
		.system_len = plan->system_len,
		.model = w->model,
		.state = xcalloc(1, p->harness->state + 1),
	};
	list_append(&p->warm, &w->node);
	return w;
}

static void
on_ready_before(struct timer *t)
{
	warm_ready(container_of(t, struct warm, clock));
}

/* Now it is somebody's, and has so long to say that it is ready. */
static void
begin(struct warm *w)
{
	struct loop *loop = &w->pool->worker->loop;

	w->state = WARM_STARTING;
	if (w->was_ready)
		loop_set(loop, &w->clock, 0, on_ready_before);
	else
		allow_time_to_start(w);
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
	if (!(is_shared(w) ? run_join(w, e) : run_start_for(w, e))) {
		warm_leave(w);
		return NULL;
	}
	if (plan->spare)
		w->state = WARM_SPARE;
	else
		begin(w);
	if (plan->scout)
		greet_if_up(w);
	return w;
}

void
warm_adopt(struct warm *w, const struct warm_plan *plan)
{
	assert(w->state == WARM_SPARE);
	w->session = copy(str_of(plan->session));
	w->system = copy((struct str){ plan->system, plan->system_len });
	w->talk.system = w->system;
	w->talk.system_len = plan->system_len;
	begin(w);
}
