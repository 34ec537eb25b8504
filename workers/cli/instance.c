#include "workers/cli/instance.h"

#include <signal.h>

#include "proto/log.h"
#include "workers/cli/eviction.h"
#include "workers/cli/orphans.h"
#include "workers/cli/pool.h"

enum {
	/* A process gets this long to end after its input was closed, and as
	 * long again after SIGTERM, before it is killed. */
	FAREWELL_MS = 1000,
};

static bool
is_shared(const struct instance *inst)
{
	return inst->pool->harness->shares > 0;
}

static bool
is_stale(const struct instance *inst)
{
	return inst->generation != inst->pool->generation;
}

static void on_time(struct timer *);

void
instance_free_later(struct timer *t)
{
	struct instance *inst = container_of(t, struct instance, free_later);

	if (inst->references) {
		loop_set(&inst->pool->worker->loop, t, 0, instance_free_later);
		return;
	}
	list_remove(&inst->pool->ended_instances, &inst->node);
	program_fini(&inst->program);
	if (inst->pool->harness->instance_clear)
		inst->pool->harness->instance_clear(inst);
	free(inst->own);
	options_fini(&inst->options);
	free((char *)inst->workspace);
	free(inst);
}

static void
wait_for(struct instance *inst, uint64_t ms)
{
	loop_set(&inst->pool->worker->loop, &inst->clock, ms, on_time);
}

static void
stop_clock(struct instance *inst)
{
	loop_unset(&inst->pool->worker->loop, &inst->clock);
}

static size_t
count_turns(const struct instance *inst)
{
	size_t count = 0;

	list_each (&inst->conversations, n)
		count += container_of(n, struct conversation, in_instance)
				 ->turn != NULL;
	return count;
}

static struct conversation *
find_idle(const struct instance *inst)
{
	list_each (&inst->conversations, n) {
		struct conversation *c =
			container_of(n, struct conversation, in_instance);

		if (c->state == CONVERSATION_IDLE)
			return c;
	}
	return NULL;
}

static struct conversation *
find_without_handshake(const struct instance *inst)
{
	list_each (&inst->conversations, n) {
		struct conversation *c =
			container_of(n, struct conversation, in_instance);

		if (!c->had_handshake)
			return c;
	}
	return NULL;
}

/* Fails the turns that are under way in the process, which has ended, or will
 * at once. */
static void
end_conversations(struct instance *inst, const struct error *e)
{
	const struct outcome o = { .error = e };
	struct node *n;

	while ((n = list_first(&inst->conversations)))
		conversation_event(
			container_of(n, struct conversation, in_instance),
			ON_EXIT, &o);
}

static void
note_crash(const struct instance *inst)
{
	list_each (&inst->conversations, n) {
		const struct conversation *c =
			container_of(n, struct conversation, in_instance);

		if (c->turn)
			crashes_note(&inst->pool->crashes, c->session,
				     inst->began);
	}
}

/* The verbs of the table: each is called after its state was entered. */

static void
wait_idly(struct instance *inst, const struct error *e)
{
	uint64_t idle_ms = inst->pool->worker->harness.idle_ms;
	uint64_t idle = loop_now() - inst->last_use;

	wait_for(inst, idle < idle_ms ? idle_ms - idle : 0);
}

static void
shake_hands(struct instance *inst, const struct error *e)
{
	struct conversation *c;

	while ((c = find_without_handshake(inst)))
		conversation_shake_hands(c);
	if (instance_is_idle(inst))
		wait_idly(inst, NULL);
}

/* It is not idle. */
static void
work(struct instance *inst, const struct error *e)
{
	stop_clock(inst);
}

/* Without conversations it waits for others, unless it may have none. */
static void
rest(struct instance *inst, const struct error *e)
{
	if (inst->conversations.len)
		return;
	if (inst->joined >= MAX_CONVERSATIONS || is_stale(inst)) {
		instance_event(inst, INSTANCE_ON_RETIRE, NULL);
		return;
	}
	wait_idly(inst, NULL);
	evict_surplus_instances(inst->pool);
}

static void
end_without_turns(struct instance *inst, const struct error *e)
{
	if (!count_turns(inst))
		instance_event(inst, INSTANCE_ON_RETIRE, NULL);
}

static void
close_for_new(struct instance *inst, const struct error *e)
{
	struct conversation *c;

	log_warn("CLI %ju: gets no further conversation",
		 (uintmax_t)inst->number);
	while ((c = find_idle(inst)))
		conversation_retire(c);
	end_without_turns(inst, e);
}

static void
close_input(struct instance *inst, const struct error *e)
{
	program_pause(&inst->program, false);
	program_close_input(&inst->program);
	wait_for(inst, FAREWELL_MS);
}

static void
terminate(struct instance *inst, const struct error *e)
{
	program_signal(&inst->program, SIGTERM);
	wait_for(inst, FAREWELL_MS);
}

static void
kill_it(struct instance *inst, const struct error *e)
{
	stop_clock(inst);
	program_pause(&inst->program, false);
	program_kill(&inst->program);
	orphans_sweep_later(inst->pool);
}

static void
fail_all(struct instance *inst, const struct error *e)
{
	struct error why = *e; /* which may belong to one of them */

	kill_it(inst, e);
	end_conversations(inst, &why);
}

static void
leave_pool(struct instance *inst, const struct error *e)
{
	struct pool *p = inst->pool;

	stop_clock(inst);
	list_remove(&p->instances, &inst->node);
	list_append(&p->ended_instances, &inst->node);
	loop_set(&p->worker->loop, &inst->free_later, 0, instance_free_later);
	orphans_sweep_later(p);
}

static void
end(struct instance *inst, const struct error *e)
{
	leave_pool(inst, e);
	end_conversations(inst, e);
}

/* Nobody has asked the process to end.  How one ended that is not shared is
 * told by its conversation. */
static void
crash(struct instance *inst, const struct error *e)
{
	if (is_shared(inst))
		log_warn("CLI %ju: %s", (uintmax_t)inst->number,
			 log_quote(str_of(e->text)));
	if (e->code == ERR_CRASHED)
		note_crash(inst);
	end(inst, e);
}

struct rule {
	enum instance_state next;
	void (*enter)(struct instance *, const struct error *);
};

/* No rule: the event changes nothing. */
static const struct rule rules[INSTANCE_STATES][INSTANCE_EVENTS] = {
	/* clang-format off */
	[INSTANCE_STARTING] = {
		[INSTANCE_ON_START]    = { INSTANCE_STARTING,    wait_idly },
		[INSTANCE_ON_NO_START] = { INSTANCE_ENDED,       leave_pool },
		[INSTANCE_ON_READY]    = { INSTANCE_UP,          shake_hands },
		[INSTANCE_ON_JOIN]     = { INSTANCE_STARTING,    work },
		[INSTANCE_ON_LEAVE]    = { INSTANCE_STARTING,    rest },
		[INSTANCE_ON_CLOSE]    = { INSTANCE_CLOSED,      close_for_new },
		[INSTANCE_ON_RETIRE]   = { INSTANCE_ENDING,      close_input },
		[INSTANCE_ON_KILL]     = { INSTANCE_KILLED,      kill_it },
		[INSTANCE_ON_FAIL]     = { INSTANCE_KILLED,      fail_all },
		[INSTANCE_ON_TIME]     = { INSTANCE_ENDING,      close_input },
		[INSTANCE_ON_EXIT]     = { INSTANCE_ENDED,       crash },
	},
	[INSTANCE_UP] = {
		[INSTANCE_ON_NO_START] = { INSTANCE_ENDED,       leave_pool },
		[INSTANCE_ON_READY]    = { INSTANCE_UP,          shake_hands },
		[INSTANCE_ON_JOIN]     = { INSTANCE_UP,          work },
		[INSTANCE_ON_LEAVE]    = { INSTANCE_UP,          rest },
		[INSTANCE_ON_CLOSE]    = { INSTANCE_CLOSED,      close_for_new },
		[INSTANCE_ON_RETIRE]   = { INSTANCE_ENDING,      close_input },
		[INSTANCE_ON_KILL]     = { INSTANCE_KILLED,      kill_it },
		[INSTANCE_ON_FAIL]     = { INSTANCE_KILLED,      fail_all },
		[INSTANCE_ON_TIME]     = { INSTANCE_ENDING,      close_input },
		[INSTANCE_ON_EXIT]     = { INSTANCE_ENDED,       crash },
	},
	[INSTANCE_CLOSED] = {
		[INSTANCE_ON_READY]    = { INSTANCE_CLOSED,      shake_hands },
		[INSTANCE_ON_LEAVE]    = { INSTANCE_CLOSED,      end_without_turns },
		[INSTANCE_ON_RETIRE]   = { INSTANCE_ENDING,      close_input },
		[INSTANCE_ON_KILL]     = { INSTANCE_KILLED,      kill_it },
		[INSTANCE_ON_FAIL]     = { INSTANCE_KILLED,      fail_all },
		[INSTANCE_ON_EXIT]     = { INSTANCE_ENDED,       crash },
	},
	[INSTANCE_ENDING] = {
		[INSTANCE_ON_KILL]     = { INSTANCE_KILLED,      kill_it },
		[INSTANCE_ON_FAIL]     = { INSTANCE_KILLED,      fail_all },
		[INSTANCE_ON_TIME]     = { INSTANCE_TERMINATING, terminate },
		[INSTANCE_ON_EXIT]     = { INSTANCE_ENDED,       end },
	},
	[INSTANCE_TERMINATING] = {
		[INSTANCE_ON_KILL]     = { INSTANCE_KILLED,      kill_it },
		[INSTANCE_ON_FAIL]     = { INSTANCE_KILLED,      fail_all },
		[INSTANCE_ON_TIME]     = { INSTANCE_KILLED,      kill_it },
		[INSTANCE_ON_EXIT]     = { INSTANCE_ENDED,       end },
	},
	[INSTANCE_KILLED] = {
		[INSTANCE_ON_EXIT]     = { INSTANCE_ENDED,       end },
	},
	[INSTANCE_ENDED] = { { 0 } },
	/* clang-format on */
};

void
instance_event(struct instance *inst, enum instance_event event,
	       const struct error *e)
{
	const struct rule *rule = &rules[inst->state][event];

	if (!rule->enter)
		return;
	inst->state = rule->next;
	rule->enter(inst, e);
}

static void
on_time(struct timer *t)
{
	instance_event(container_of(t, struct instance, clock),
		       INSTANCE_ON_TIME, NULL);
}

/* What others ask of it */

void
instance_kill(struct instance *inst)
{
	instance_event(inst, INSTANCE_ON_KILL, NULL);
}

void
instance_retire(struct instance *inst)
{
	instance_event(inst, INSTANCE_ON_RETIRE, NULL);
}

void
instance_close(struct instance *inst)
{
	instance_event(inst, INSTANCE_ON_CLOSE, NULL);
}

void
instance_leave(struct conversation *c)
{
	struct instance *inst = c->instance;

	list_remove(&inst->conversations, &c->in_instance);
	if (is_shared(inst))
		instance_event(inst, INSTANCE_ON_LEAVE, NULL);
}

static bool
is_open(const struct instance *inst)
{
	return inst->state == INSTANCE_STARTING || inst->state == INSTANCE_UP;
}

bool
instance_takes_turns(const struct instance *inst)
{
	return is_open(inst) && !is_stale(inst);
}

bool
instance_is_idle(const struct instance *inst)
{
	return is_open(inst) && !inst->conversations.len;
}

bool
instance_is_ending(const struct instance *inst)
{
	return inst->state == INSTANCE_ENDING ||
	       inst->state == INSTANCE_TERMINATING ||
	       inst->state == INSTANCE_KILLED;
}

/* What harness.h offers to a harness, of a process */

void
instance_write(struct instance *inst, struct str s)
{
	program_write(&inst->program, s);
}

void
instance_ready(struct instance *inst)
{
	instance_event(inst, INSTANCE_ON_READY, NULL);
}

void
instance_fail(struct instance *inst, const struct error *e)
{
	instance_event(inst, INSTANCE_ON_FAIL, e);
}

struct conversation *
instance_conversation(struct instance *inst, const char *cli_id)
{
	list_each (&inst->conversations, n) {
		struct conversation *c =
			container_of(n, struct conversation, in_instance);

		if (!cli_id || strcmp(c->cli_id, cli_id))
			continue;
		conversation_event(c, ON_SIGN, NULL);
		return c;
	}
	return NULL;
}

void
instance_unknown(struct instance *inst, const char *kind, const char *what)
{
	pool_note_unknown(inst->pool, kind, what);
}
