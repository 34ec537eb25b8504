#include "workers/warm.h"

#include <assert.h>
#include "proto/log.h"
#include "workers/conversation.h"
#include "workers/pool.h"

void
warm_free_later(struct timer *t)
{
	struct warm *w = container_of(t, struct warm, free_later);

	list_remove(&w->pool->leavings, &w->node);
	if (w->pool->harness->clear)
		w->pool->harness->clear(&w->talk);
	if (w->run)
		w->run->unfreed--;
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

	/* close() may have written to a process that ended of it */
	if (timer_is_set(&w->free_later))
		return;
	w->state = WARM_LEAVING;
	loop_unset(&p->worker->loop, &w->clock);
	list_remove(&p->warm, &w->node);
	list_append(&p->leavings, &w->node);
	loop_set(&p->worker->loop, &w->free_later, 0, warm_free_later);
	if (w->run)
		run_leave(w);
}

static bool
is_shared(const struct warm *w)
{
	return w->pool->harness->shares > 0;
}

/* A process that failed its trial is ended: the next trial must see what a new
 * process sees, such as a login that was made meanwhile. */
static void
come_back(struct warm *w, const struct error *e)
{
	w->is_trial = false;
	if (e && run_is_idle(w->run))
		run_retire(w->run);
	pool_trial_is_over(w->pool, e);
}

/* Tells the end of the turn, or of the trial, once. */
static void
tell(struct warm *w, const struct outcome *o)
{
	if (w->turn)
		w->pool->over(w, o);
	else if (w->is_trial)
		come_back(w, o->error);
}

/* Ends the conversation without a word about its turn, which the caller must
 * tell.  In a shared process it has left its run when this returns. */
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

/* A CLI that missed a deadline may never answer again: the run is closed, so
 * that not even the turn that begins next relies on it. */
static void
give_up_on_run(struct warm *w, const struct error *e)
{
	if (is_shared(w))
		run_close(w->run);
	warm_give_up(w, e);
}

void
warm_explain_end(struct warm *w, struct error *e)
{
	struct str words = cli_last_words(&w->run->cli);

	if (w->pool->harness->ended)
		w->pool->harness->ended(&w->talk, w->run->cli.process.status,
					words, e);
	if (w->state == WARM_STOPPING)
		*e = w->why;
	else if (w->state != WARM_LEAVING && (w->turn || w->is_trial))
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

/* Idle conversations */

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
		  "timeout: %s said nothing for %ju ms, and its turn was given "
		  "up",
		  w->pool->worker->name, (uintmax_t)ms);
	give_up_on_run(w, &e);
}

/* Begins the deadline of silence anew.  It does not run while the CLI is not
 * read for the sake of a slow client. */
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

/* A conversation is greeted only once it has its turn: the CLI may say at once
 * that it is ready, or that it does not know the session. */
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

/* A conversation without a session has no use after its turn, so its process is
 * killed.  In a shared process it must be interrupted first. */
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

/* Hears a line of a process that is not shared. */
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

/* A conversation that was greeted has a turn, or is a trial. */
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

/* A process that is one_shot ends by itself after its turn. */
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
 * The end of a turn is told last.  It frees the session, whose next turn may
 * begin at once and in this conversation, which must be idle by then, or gone
 * if its run is closed.
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
	if (w->state == WARM_IDLE && !w->turn && run_is_stale(w->run))
		warm_retire(w);
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
	w->is_trial = plan->trial;
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

/* From now on the conversation belongs to a turn or a trial, and the deadline
 * of its start runs. */
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
	if (plan->trial)
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
