#include "workers/cli/conversation.h"

#include "proto/log.h"
#include "workers/cli/deadline.h"
#include "workers/cli/eviction.h"
#include "workers/cli/pool.h"
#include "workers/cli/prompt.h"
#include "workers/cli/spares.h"

static bool
is_shared(const struct conversation *c)
{
	return c->pool->harness->shares > 0;
}

/* The verbs of the table: each is called after its state was entered. */

/* Ends the conversation's place in its process, or the process that is its
 * alone.  In a shared process it has left its instance when this returns. */
static void
depart(struct conversation *c)
{
	deadline_clear(c);
	if (!is_shared(c)) {
		instance_kill(c->instance);
		return;
	}
	if (c->had_handshake)
		c->pool->harness->close(c);
	conversation_leave(c);
}

static void
break_off(struct conversation *c)
{
	depart(c);
	conversation_tell_end(c);
}

static void
leave(struct conversation *c)
{
	c->state = CONVERSATION_LEAVING;
	break_off(c);
}

/* The process of a conversation that has nothing to do gets time to end. */
static void
bow_out(struct conversation *c)
{
	if (is_shared(c)) {
		depart(c);
		return;
	}
	deadline_clear(c);
	instance_retire(c->instance);
}

/* Nobody has needed it for as long as a conversation is kept idle. */
static void
expire(struct conversation *c)
{
	spares_expire(c);
	bow_out(c);
}

static void
exit_with_process(struct conversation *c)
{
	conversation_leave(c);
	conversation_tell_end(c);
}

/* One that takes long to open, and shows that it goes on - a long history is
 * imported, or read back - is not one that does not start. */
static void
await_start_anew(struct conversation *c)
{
	if (!c->was_ready)
		deadline_of_start(c);
}

/* Hands are shaken only once there is a turn: the CLI may say at once that it
 * is ready, or that it does not know the conversation. */
static void
shake_hands_if_up(struct conversation *c)
{
	if (c->instance->state == INSTANCE_UP && !c->had_handshake)
		conversation_shake_hands(c);
}

static void
note_ready(struct conversation *c)
{
	c->was_ready = true;
}

static void
begin_turn(struct conversation *c)
{
	deadline_clear(c);
	c->was_starting = false;
	c->pool->ready(c);
}

/* A conversation whose CLI is ready has a turn, or was a trial. */
static void
open_up(struct conversation *c)
{
	if (c->turn) {
		begin_turn(c);
		return;
	}
	c->state = CONVERSATION_LEAVING;
	depart(c);
	conversation_conclude_trial(c, NULL);
}

static void
rest(struct conversation *c)
{
	/* what has kept it is over */
	if (!c->background && !instance_takes_turns(c->instance)) {
		c->state = CONVERSATION_LEAVING;
		bow_out(c);
		return;
	}
	deadline_of_idleness(c);
	evict_behind(c);
}

/* Whether it has no use without its turn. */
static bool
ends_with_turn(const struct conversation *c)
{
	return !(c->pool->harness->can & CAN_WARMTH) || !c->session ||
	       c->is_dismissed || !instance_takes_turns(c->instance);
}

/* Whether the turn goes on, in this conversation.  If it is to go on in another
 * one, whoever is told of its end sees to that. */
static bool
asks_again(struct conversation *c, struct outcome *o)
{
	return !o->error && c->turn && c->pool->asks_again &&
	       c->pool->asks_again(c, o) &&
	       (c->pool->harness->can & CAN_WARMTH) && !c->is_dismissed &&
	       instance_takes_turns(c->instance);
}

/* A process that reads one turn ends by itself after its turn. */
static void
end_with_turn(struct conversation *c)
{
	c->state = CONVERSATION_LEAVING;
	deadline_clear(c);
	if (c->pool->harness->can & CAN_WARMTH)
		depart(c);
	else if (!c->instance->program.was_ended)
		instance_retire(c->instance);
}

/*
 * The end of a turn is told last.  It frees the session, whose next turn may
 * begin at once and in this conversation, which must be idle by then, or gone.
 */
static void
conclude(struct conversation *c)
{
	struct outcome o = c->outcome ? *c->outcome : (struct outcome){ 0 };
	struct turn *turn = c->turn;

	c->instance->last_use = c->last_turn = loop_now();
	if (asks_again(c, &o)) {
		begin_turn(c);
		return;
	}
	if (!o.error)
		crashes_forget(&c->pool->crashes, c->session);
	if (ends_with_turn(c)) {
		end_with_turn(c);
	} else {
		c->turn = NULL;
		rest(c);
	}
	c->turn = turn;
	conversation_tell(c, &o);
}

/* The client's turn is over at once; the conversation is free for the next one
 * when the CLI has stopped. */
static void
interrupt(struct conversation *c)
{
	struct outcome o = *c->outcome;
	struct turn *turn = c->turn;

	deadline_of_stop(c);
	c->last_turn = loop_now();
	if (!is_shared(c))
		program_pause(&c->instance->program, false);
	c->turn = NULL;
	c->pool->harness->interrupt(c);
	c->pool->over(turn, c, &o);
}

/* Stops the turn.  A conversation without a session has no use after that, so
 * its process is killed; a shared one must be seen to have stopped it. */
static void
stop(struct conversation *c)
{
	if (c->pool->harness->interrupt && (c->session || is_shared(c))) {
		interrupt(c);
		return;
	}
	leave(c);
}

/* What would be interrupted is not this turn, unless the harness can tell them
 * apart. */
static void
stop_queued(struct conversation *c)
{
	if (c->pool->harness->can & CAN_RECALL)
		stop(c);
	else
		leave(c);
}

/* A turn that waits is not wanted any more; what it waits for goes on. */
static void
drop_waiting(struct conversation *c)
{
	if (c->turn)
		conversation_tell(c, c->outcome);
}

/* The turn is over for the client, and its conversation keeps its process,
 * also without a session: only the request with the results ends it. */
static void
park(struct conversation *c)
{
	struct turn *turn = c->turn;

	c->instance->last_use = c->last_turn = loop_now();
	crashes_forget(&c->pool->crashes, c->session);
	deadline_of_parking(c);
	c->turn = NULL;
	evict_behind(c);
	c->pool->over(turn, c, c->outcome);
}

/* Nobody has sent the results. */
static void
expire_parked(struct conversation *c)
{
	log_info("CLI %ju: no results of the caller's tools have come in time, "
		 "and its conversation was ended",
		 (uintmax_t)c->instance->number);
	break_off(c);
}

/* What the conversation has waited for is over: its turn begins, if there is
 * one. */
static void
go_on(struct conversation *c)
{
	c->instance->last_use = loop_now();
	if (c->turn && instance_takes_turns(c->instance)) {
		begin_turn(c);
	} else if (ends_with_turn(c)) {
		end_with_turn(c);
		conversation_tell_end(c);
	} else {
		rest(c);
	}
}

/*
 * A turn has come while the CLI has one of its own under way.  It waits for the
 * end of that, which comes sooner if the operator wants it so.  Nothing of ours
 * is under way in the CLI, so nothing of ours can be interrupted.
 */
static void
break_in(struct conversation *c)
{
	if (!c->pool->worker->harness.interrupts_own || c->broke_in ||
	    !c->pool->harness->interrupt_own)
		return;
	c->broke_in = true;
	c->pool->harness->interrupt_own(c);
}

/* One that is dismissed has nothing to listen to. */
static void
listen(struct conversation *c)
{
	if (c->is_dismissed && !c->turn) {
		c->state = CONVERSATION_LEAVING;
		depart(c);
		return;
	}
	deadline_of_silence(c);
	c->broke_in = false;
	if (!c->turn)
		evict_surplus(c->pool);
	else if (c->state == CONVERSATION_ALONE)
		break_in(c);
}

static void
give_up(struct conversation *c, const struct error *e)
{
	const struct outcome o = { .error = e };

	c->outcome = &o; /* until the event is over */
	break_off(c);
}

/* A CLI that missed a deadline may never answer again: the instance is closed,
 * so that not even the turn that begins next relies on it. */
static void
give_up_late(struct conversation *c, const struct error *e)
{
	if (is_shared(c))
		instance_close(c->instance);
	give_up(c, e);
}

static void
give_up_start(struct conversation *c)
{
	struct error e = { 0 };

	deadline_explain_start(c, &e);
	give_up_late(c, &e);
}

static void
give_up_turn(struct conversation *c)
{
	struct error e = { 0 };

	deadline_explain_silence(c, &e);
	give_up_late(c, &e);
}

/* The CLI may be silent, or at work that does not end. */
static void
give_up_alone(struct conversation *c)
{
	struct error e = { 0 };

	if (!deadline_of_own_work_is_over(c)) {
		give_up_turn(c);
		return;
	}
	deadline_explain_own_work(c, &e);
	log_warn("CLI %ju: %s", (uintmax_t)c->instance->number,
		 log_quote(str_of(e.text)));
	give_up(c, &e);
}

/* A spare that was ready before it was taken has no start to wait for. */
static void
start_late(struct conversation *c)
{
	if (c->was_ready) {
		c->was_ready = false;
		c->state = CONVERSATION_IDLE;
		open_up(c);
		return;
	}
	give_up_start(c);
}

/* No rule: the event changes nothing. */
static const struct rule {
	enum conversation_state next;
	void (*enter)(struct conversation *);
} rules[CONVERSATION_STATES][CONVERSATION_EVENTS] = {
	/* clang-format off */
	[CONVERSATION_SPARE] = {
		[ON_SPARE]  = { CONVERSATION_SPARE,    deadline_of_spare },
		[ON_TAKEN]  = { CONVERSATION_STARTING, deadline_of_start },
		[ON_READY]  = { CONVERSATION_SPARE,    note_ready },
		[ON_BREAK]  = { CONVERSATION_LEAVING,  break_off },
		[ON_TIME]   = { CONVERSATION_LEAVING,  expire },
		[ON_RETIRE] = { CONVERSATION_LEAVING,  bow_out },
		[ON_EXIT]   = { CONVERSATION_LEAVING,  exit_with_process },
	},
	[CONVERSATION_STARTING] = {
		[ON_TURN]   = { CONVERSATION_STARTING, shake_hands_if_up },
		[ON_READY]  = { CONVERSATION_IDLE,     open_up },
		[ON_END]    = { CONVERSATION_LEAVING,  break_off },
		[ON_BREAK]  = { CONVERSATION_LEAVING,  break_off },
		[ON_LOST]   = { CONVERSATION_LEAVING,  break_off },
		[ON_SIGN]   = { CONVERSATION_STARTING, await_start_anew },
		[ON_STOP]   = { CONVERSATION_LEAVING,  break_off },
		[ON_TIME]   = { CONVERSATION_LEAVING,  start_late },
		[ON_RETIRE] = { CONVERSATION_LEAVING,  break_off },
		[ON_EXIT]   = { CONVERSATION_LEAVING,  exit_with_process },
	},
	[CONVERSATION_IDLE] = {
		[ON_TURN]   = { CONVERSATION_IDLE,     begin_turn },
		[ON_BREAK]  = { CONVERSATION_LEAVING,  break_off },
		[ON_ALONE]  = { CONVERSATION_ALONE,    listen },
		[ON_BACKGROUND] = { CONVERSATION_IDLE, rest },
		[ON_TIME]   = { CONVERSATION_LEAVING,  bow_out },
		[ON_RETIRE] = { CONVERSATION_LEAVING,  bow_out },
		[ON_EXIT]   = { CONVERSATION_LEAVING,  exit_with_process },
	},
	[CONVERSATION_BUSY] = {
		[ON_END]    = { CONVERSATION_IDLE,     conclude },
		[ON_PARK]   = { CONVERSATION_PARKED,   park },
		[ON_BREAK]  = { CONVERSATION_LEAVING,  break_off },
		[ON_LOST]   = { CONVERSATION_LEAVING,  break_off },
		[ON_ALONE]  = { CONVERSATION_QUEUED,   listen },
		[ON_SIGN]   = { CONVERSATION_BUSY,     deadline_of_silence },
		[ON_STOP]   = { CONVERSATION_STOPPING, stop },
		[ON_TIME]   = { CONVERSATION_LEAVING,  give_up_turn },
		[ON_RETIRE] = { CONVERSATION_LEAVING,  break_off },
		[ON_EXIT]   = { CONVERSATION_LEAVING,  exit_with_process },
	},
	[CONVERSATION_QUEUED] = {
		[ON_END]    = { CONVERSATION_IDLE,     conclude },
		[ON_BREAK]  = { CONVERSATION_LEAVING,  break_off },
		[ON_LOST]   = { CONVERSATION_LEAVING,  break_off },
		[ON_SILENT] = { CONVERSATION_BUSY,     listen },
		[ON_SIGN]   = { CONVERSATION_QUEUED,   deadline_of_silence },
		[ON_STOP]   = { CONVERSATION_STOPPING, stop_queued },
		[ON_TIME]   = { CONVERSATION_LEAVING,  give_up_alone },
		[ON_RETIRE] = { CONVERSATION_LEAVING,  break_off },
		[ON_EXIT]   = { CONVERSATION_LEAVING,  exit_with_process },
	},
	[CONVERSATION_STOPPING] = {
		[ON_END]    = { CONVERSATION_IDLE,     go_on },
		[ON_ALONE]  = { CONVERSATION_ALONE,    listen },
		[ON_BREAK]  = { CONVERSATION_LEAVING,  break_off },
		[ON_STOP]   = { CONVERSATION_STOPPING, drop_waiting },
		[ON_TIME]   = { CONVERSATION_LEAVING,  give_up_turn },
		[ON_RETIRE] = { CONVERSATION_LEAVING,  break_off },
		[ON_EXIT]   = { CONVERSATION_LEAVING,  exit_with_process },
	},
	[CONVERSATION_ALONE] = {
		[ON_TURN]   = { CONVERSATION_ALONE,    break_in },
		[ON_BREAK]  = { CONVERSATION_LEAVING,  break_off },
		[ON_SILENT] = { CONVERSATION_IDLE,     go_on },
		[ON_SIGN]   = { CONVERSATION_ALONE,    deadline_of_silence },
		[ON_STOP]   = { CONVERSATION_ALONE,    drop_waiting },
		[ON_TIME]   = { CONVERSATION_LEAVING,  give_up_alone },
		[ON_RETIRE] = { CONVERSATION_LEAVING,  break_off },
		[ON_EXIT]   = { CONVERSATION_LEAVING,  exit_with_process },
	},
	[CONVERSATION_PARKED] = {
		[ON_TURN]   = { CONVERSATION_PARKED,   begin_turn },
		[ON_END]    = { CONVERSATION_LEAVING,  break_off },
		[ON_BREAK]  = { CONVERSATION_LEAVING,  break_off },
		[ON_LOST]   = { CONVERSATION_LEAVING,  break_off },
		[ON_ALONE]  = { CONVERSATION_LEAVING,  break_off },
		[ON_TIME]   = { CONVERSATION_LEAVING,  expire_parked },
		[ON_RETIRE] = { CONVERSATION_LEAVING,  break_off },
		[ON_EXIT]   = { CONVERSATION_LEAVING,  exit_with_process },
	},
	[CONVERSATION_LEAVING] = {
		[ON_EXIT]   = { CONVERSATION_LEAVING,  conversation_leave },
	},
	/* clang-format on */
};

/* A turn that is stopped is over for its caller, but goes on in the CLI for a
 * while: nobody else gets its place until then.  One that is parked leaves its
 * place to others: the results wait for it. */
static void
hold_place(struct conversation *c)
{
	struct executor *place = c->executor;
	bool is_stopping = c->state == CONVERSATION_STOPPING;

	if (!place->hold || is_stopping == c->holds_place)
		return;
	c->holds_place = is_stopping;
	if (is_stopping)
		place->hold(place, c->session);
	else
		place->release(place, true);
}

void
conversation_event(struct conversation *c, enum conversation_event event,
		   const struct outcome *o)
{
	const struct rule *rule = &rules[c->state][event];
	const struct outcome *before = c->outcome;

	if (!rule->enter)
		return;
	c->state = rule->next;
	if (c->state == CONVERSATION_STOPPING)
		hold_place(c);
	c->outcome = o;
	rule->enter(c);
	c->outcome = before; /* an event may happen while one is handled */
	hold_place(c);
}
