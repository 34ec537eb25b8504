#include "workers/cli/conversation.h"

#include <assert.h>
#include "proto/log.h"
#include "workers/cli/prompt.h"
#include "workers/cli/pool.h"

void
conversation_free_later(struct timer *t)
{
	struct conversation *c =
		container_of(t, struct conversation, free_later);

	list_remove(&c->pool->leavings, &c->node);
	if (c->pool->harness->clear)
		c->pool->harness->clear(c);
	if (c->instance)
		c->instance->references--;
	free(c->own);
	free(c->session);
	free((char *)c->cli_id);
	free((char *)c->cwd);
	free((char *)c->system);
	free((char *)c->model);
	free((char *)c->position);
	free(c);
}

void
conversation_leave(struct conversation *c)
{
	struct pool *p = c->pool;

	/* close() may have written to a process that ended of it */
	if (timer_is_set(&c->free_later))
		return;
	c->state = CONVERSATION_LEAVING;
	loop_unset(&p->worker->loop, &c->clock);
	list_remove(&p->conversations, &c->node);
	list_append(&p->leavings, &c->node);
	loop_set(&p->worker->loop, &c->free_later, 0, conversation_free_later);
	if (c->instance)
		instance_leave(c);
}

static bool
is_shared(const struct conversation *c)
{
	return c->pool->harness->shares > 0;
}

/* A process that failed its trial is ended: the next trial must see what a new
 * process sees, such as a login that was made meanwhile. */
static void
come_back(struct conversation *c, const struct error *e)
{
	c->is_trial = false;
	if (e && instance_is_idle(c->instance))
		instance_retire(c->instance);
	pool_trial_is_over(c->pool, e);
}

/* Tells the end of the turn, or of the trial, once. */
static void
tell(struct conversation *c, const struct outcome *o)
{
	if (c->turn)
		c->pool->over(c, o);
	else if (c->is_trial)
		come_back(c, o->error);
}

/* Ends the conversation without a word about its turn, which the caller must
 * tell.  In a shared process it has left its run when this returns. */
static void
end_now(struct conversation *c)
{
	if (c->state == CONVERSATION_LEAVING)
		return;
	c->state = CONVERSATION_LEAVING;
	loop_unset(&c->pool->worker->loop, &c->clock);
	if (!is_shared(c)) {
		instance_kill(c->instance);
		return;
	}
	if (c->had_handshake)
		c->pool->harness->close(c);
	conversation_leave(c);
}

void
conversation_give_up(struct conversation *c, const struct error *e)
{
	const struct outcome o = { .error = e };

	end_now(c);
	tell(c, &o);
}

/* A CLI that missed a deadline may never answer again: the run is closed, so
 * that not even the turn that begins next relies on it. */
static void
give_up_on_run(struct conversation *c, const struct error *e)
{
	if (is_shared(c))
		instance_close(c->instance);
	conversation_give_up(c, e);
}

void
conversation_explain_end(struct conversation *c, struct error *e)
{
	struct str words = program_last_words(&c->instance->program);

	if (c->pool->harness->ended)
		c->pool->harness->ended(c, c->instance->program.process.status,
					words, e);
	if (c->state == CONVERSATION_STOPPING)
		*e = c->why;
	else if (c->state != CONVERSATION_LEAVING && (c->turn || c->is_trial))
		log_warn("CLI %ju: %s", (uintmax_t)c->instance->number,
			 log_quote(str_of(e->text)));
}

void
conversation_ended(struct conversation *c, const struct error *e)
{
	const struct outcome o = { .error = e };

	conversation_leave(c);
	tell(c, &o);
}

/* Idle conversations */

void
conversation_retire(struct conversation *c)
{
	bool was_idle =
		c->state == CONVERSATION_IDLE || c->state == CONVERSATION_SPARE;

	if (c->state == CONVERSATION_LEAVING)
		return;
	assert(!c->turn);
	if (!was_idle || is_shared(c)) {
		end_now(c);
		return;
	}
	c->state = CONVERSATION_LEAVING;
	loop_unset(&c->pool->worker->loop, &c->clock);
	instance_retire(c->instance);
}

void
conversation_on_idle_for_long(struct timer *t)
{
	conversation_retire(container_of(t, struct conversation, clock));
}

/* Turns */

static void
on_silence(struct timer *t)
{
	struct conversation *c = container_of(t, struct conversation, clock);
	uint64_t ms = c->pool->worker->harness.timeout_ms;
	struct error e = { 0 };

	fail_with(&e, ERR_TIMEOUT,
		  "timeout: %s said nothing for %ju ms, and its turn was given "
		  "up",
		  c->pool->worker->name, (uintmax_t)ms);
	give_up_on_run(c, &e);
}

/* Begins the deadline of silence anew.  It does not run while the CLI is not
 * read for the sake of a slow client. */
static void
listen_for_silence(struct conversation *c)
{
	struct loop *loop = &c->pool->worker->loop;
	uint64_t ms = c->pool->worker->harness.timeout_ms;

	if (c->state != CONVERSATION_BUSY)
		return;
	if (ms && !c->instance->program.paused)
		loop_set(loop, &c->clock, ms, on_silence);
	else
		loop_unset(loop, &c->clock);
}

void
conversation_greet(struct conversation *c)
{
	c->had_handshake = true;
	if (c->pool->harness->handshake)
		c->pool->harness->handshake(c);
	c->history = NULL;
}

/* A conversation is greeted only once it has its turn: the CLI may say at once
 * that it is ready, or that it does not know the session. */
static void
greet_if_up(struct conversation *c)
{
	if (c->state == CONVERSATION_STARTING &&
	    c->instance->state == INSTANCE_UP)
		conversation_greet(c);
}

void
conversation_give(struct conversation *c, struct turn *t)
{
	assert(!c->turn);
	c->turn = t;
	c->answer = ANSWER_EMPTY;
	c->said_something = false;
	if (c->state == CONVERSATION_IDLE)
		c->pool->ready(c);
	else
		greet_if_up(c);
}

void
conversation_say(struct conversation *c, const char *model,
		 const json_t *messages, size_t from)
{
	free((char *)c->model);
	c->model = copy(str_of(model));
	c->messages = messages;
	c->from = from;
	c->turns++;
	c->state = CONVERSATION_BUSY;
	listen_for_silence(c);
	c->pool->harness->say(c);
	c->messages = NULL;
}

static void
on_not_stopped(struct timer *t)
{
	struct conversation *c = container_of(t, struct conversation, clock);

	give_up_on_run(c, &c->why);
}

/* A conversation without a session has no use after its turn, so its process is
 * killed.  In a shared process it must be interrupted first. */
void
conversation_stop(struct conversation *c, const struct error *e)
{
	if (c->state == CONVERSATION_STOPPING)
		return;
	if (c->state != CONVERSATION_BUSY || !c->pool->harness->interrupt ||
	    !(c->session || is_shared(c))) {
		conversation_give_up(c, e);
		return;
	}
	c->state = CONVERSATION_STOPPING;
	c->why = *e;
	loop_set(&c->pool->worker->loop, &c->clock,
		 c->pool->worker->harness.cancel_ms, on_not_stopped);
	if (!is_shared(c))
		program_pause(&c->instance->program, false);
	c->pool->harness->interrupt(c);
}

void
conversation_unblock(struct conversation *c)
{
	if (!is_shared(c))
		program_pause(&c->instance->program, false);
	listen_for_silence(c);
}

static void on_start_deadline(struct timer *);

static void
allow_time_to_start(struct conversation *c)
{
	loop_set(&c->pool->worker->loop, &c->clock,
		 c->pool->worker->harness.start_ms, on_start_deadline);
}

/* A conversation that takes long to open, and shows that it goes on - a long
 * history is imported, or read back - is not one that does not start. */
void
conversation_is_alive(struct conversation *c)
{
	if (c->state == CONVERSATION_STARTING && !c->was_ready)
		allow_time_to_start(c);
	else
		listen_for_silence(c);
}

/* Hears a line of a process that is not shared. */
void
conversation_hear(struct conversation *c, struct str line)
{
	struct error e = { 0 };

	if (c->state == CONVERSATION_LEAVING)
		return;
	if (!c->pool->harness->line(c, line, &e)) {
		conversation_give_up(c, &e);
		return;
	}
	if (c->state != CONVERSATION_BUSY)
		return;
	if (turn_is_blocked(c->turn))
		program_pause(&c->instance->program, true);
	listen_for_silence(c);
}

/* A conversation that was greeted has a turn, or is a trial. */
void
conversation_became_ready(struct conversation *c)
{
	if (c->turn) {
		c->state = CONVERSATION_IDLE;
		c->pool->ready(c);
	} else {
		end_now(c);
		come_back(c, NULL);
	}
}

void
conversation_was_lost(struct conversation *c)
{
	const struct outcome o = { .lost = true };

	end_now(c);
	tell(c, &o);
}

/* A process that is one_shot ends by itself after its turn. */
static void
let_end(struct conversation *c)
{
	if (c->instance->program.was_ended)
		return;
	c->state = CONVERSATION_LEAVING;
	loop_unset(&c->pool->worker->loop, &c->clock);
	instance_retire(c->instance);
}

/*
 * The end of a turn is told last.  It frees the session, whose next turn may
 * begin at once and in this conversation, which must be idle by then, or gone
 * if its run is closed.
 */
void
conversation_conclude(struct conversation *c, const struct outcome *o)
{
	struct turn *turn = c->turn;

	c->instance->last_use = loop_now();
	if (!o->error)
		c->pool->crashes = 0;
	if (c->pool->harness->one_shot) {
		let_end(c);
	} else if (!c->session || c->instance->state == INSTANCE_CLOSED) {
		instance_finish(c->instance);
		end_now(c);
	} else {
		pool_become_idle(c);
		c->turn = turn;
	}
	tell(c, o);
	if (c->state == CONVERSATION_IDLE && !c->turn &&
	    instance_is_stale(c->instance))
		conversation_retire(c);
}

/* Starting */

static void
on_start_deadline(struct timer *t)
{
	struct conversation *c = container_of(t, struct conversation, clock);
	struct str words = program_last_words(&c->instance->program);
	struct error e = { 0 };

	fail_with(&e, ERR_TIMEOUT, "%s was not ready after %ju ms%s%.*s",
		  c->pool->worker->name,
		  (uintmax_t)c->pool->worker->harness.start_ms,
		  words.len ? ": " : "", STR_ARG(words));
	give_up_on_run(c, &e);
}

static struct conversation *
conversation_new(struct pool *p, const struct conversation_plan *plan)
{
	struct conversation *c = xcalloc(1, sizeof *c);

	c->pool = p;
	c->is_trial = plan->trial;
	c->session = copy(str_of(plan->session));
	c->cli_id = copy(str_of(plan->cli_id));
	c->cwd = copy(str_of(plan->cwd));
	c->system = copy((struct str){ plan->system, plan->system_len });
	c->model = copy(str_of(plan->model));
	c->position = copy(str_of(plan->position));
	c->system_len = plan->system_len;
	c->resumed = plan->resumed;
	c->history = plan->history;
	c->kept = plan->kept;
	c->permission_mode = p->permission_mode;
	c->scratch = p->scratch;
	c->own = xcalloc(1, p->harness->own + 1);
	list_append(&p->conversations, &c->node);
	return c;
}

static void
on_ready_before(struct timer *t)
{
	conversation_became_ready(container_of(t, struct conversation, clock));
}

/* From now on the conversation belongs to a turn or a trial, and the deadline
 * of its start runs. */
static void
begin(struct conversation *c)
{
	struct loop *loop = &c->pool->worker->loop;

	c->state = CONVERSATION_STARTING;
	if (c->was_ready)
		loop_set(loop, &c->clock, 0, on_ready_before);
	else
		allow_time_to_start(c);
}

struct conversation *
conversation_start(struct pool *p, const struct conversation_plan *plan,
		   struct error *e)
{
	struct conversation *c;

	if (!p->program) {
		pool_fail_missing(p, e);
		return NULL;
	}
	c = conversation_new(p, plan);
	if (!(is_shared(c) ? instance_join(c, e) : instance_start_for(c, e))) {
		conversation_leave(c);
		return NULL;
	}
	if (plan->spare)
		c->state = CONVERSATION_SPARE;
	else
		begin(c);
	if (plan->trial)
		greet_if_up(c);
	return c;
}

void
conversation_adopt(struct conversation *c, const struct conversation_plan *plan)
{
	assert(c->state == CONVERSATION_SPARE);
	c->session = copy(str_of(plan->session));
	c->system = copy((struct str){ plan->system, plan->system_len });
	c->system_len = plan->system_len;
	begin(c);
}
