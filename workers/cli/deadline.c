#include "workers/cli/deadline.h"

#include "workers/cli/mcp.h"
#include "workers/cli/pool.h"

enum {
	/* A shared process serves others: it is given up only after seconds,
	 * however short cancel_ms is. */
	SHARED_CANCEL_MS = 10000,
};

static const struct harness_settings *
settings_of(const struct conversation *c)
{
	return &c->pool->worker->harness;
}

static void
on_time(struct timer *t)
{
	conversation_event(container_of(t, struct conversation, clock), ON_TIME,
			   NULL);
}

static void
set(struct conversation *c, uint64_t ms)
{
	loop_set(&c->pool->worker->loop, &c->clock, ms, on_time);
}

void
deadline_clear(struct conversation *c)
{
	loop_unset(&c->pool->worker->loop, &c->clock);
}

void
deadline_of_start(struct conversation *c)
{
	set(c, c->was_ready ? 0 : settings_of(c)->start_ms);
}

void
deadline_of_spare(struct conversation *c)
{
	set(c, settings_of(c)->idle_ms);
}

void
deadline_of_parking(struct conversation *c)
{
	uint64_t ms = settings_of(c)->tool_wait_ms;
	uint64_t most = c->pool->harness->max_tool_wait_ms;

	set(c, most && most < ms ? most : ms);
}

void
deadline_of_stop(struct conversation *c)
{
	uint64_t ms = settings_of(c)->cancel_ms;

	if (c->pool->harness->shares && ms < SHARED_CANCEL_MS)
		ms = SHARED_CANCEL_MS;
	set(c, ms);
}

/* For how long it may still be without a turn of a client's. */
static uint64_t
time_left_alone(const struct conversation *c)
{
	const struct harness_settings *s = settings_of(c);
	uint64_t most =
		s->idle_ms > s->background_ms ? s->idle_ms : s->background_ms;
	uint64_t passed = loop_now() - c->last_turn;

	return passed < most ? most - passed : 0;
}

void
deadline_of_idleness(struct conversation *c)
{
	uint64_t ms = settings_of(c)->idle_ms, left = time_left_alone(c);

	set(c, c->background || left < ms ? left : ms);
}

void
deadline_of_silence(struct conversation *c)
{
	bool is_alone = c->state == CONVERSATION_ALONE ||
			c->state == CONVERSATION_QUEUED;
	uint64_t left = is_alone ? time_left_alone(c) : UINT64_MAX;
	uint64_t ms = settings_of(c)->timeout_ms;

	if (ms && ms < left && !c->instance->program.paused)
		set(c, ms);
	else if (is_alone)
		set(c, left);
	else
		deadline_clear(c);
}

bool
deadline_of_own_work_is_over(const struct conversation *c)
{
	return !time_left_alone(c);
}

void
deadline_explain_start(const struct conversation *c, struct error *e)
{
	struct str words = program_last_words(&c->instance->program);

	fail_with(e, ERR_TIMEOUT, "%s was not ready after %ju ms%s%.*s",
		  c->pool->worker->name, (uintmax_t)settings_of(c)->start_ms,
		  words.len ? ": " : "", STR_ARG(words));
	mcp_explain_wait(&c->options, e);
}

void
deadline_explain_silence(const struct conversation *c, struct error *e)
{
	fail_with(e, ERR_TIMEOUT,
		  "timeout: %s said nothing for %ju ms, and its turn was given "
		  "up",
		  c->pool->worker->name, (uintmax_t)settings_of(c)->timeout_ms);
}

void
deadline_explain_own_work(const struct conversation *c, struct error *e)
{
	fail_with(e, ERR_TIMEOUT,
		  "timeout: %s went on by itself for too long, and was ended",
		  c->pool->worker->name);
}
