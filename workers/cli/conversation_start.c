/* How a conversation is made and begun, taken out of all lists, and freed. */
#include "workers/cli/conversation.h"

#include <assert.h>

#include "proto/limits.h"
#include "workers/cli/client_tools.h"
#include "workers/cli/persona.h"
#include "workers/cli/pool.h"

void
conversation_free_later(struct timer *t)
{
	struct conversation *c =
		container_of(t, struct conversation, free_later);

	list_remove(&c->pool->leavings, &c->node);
	client_tools_close(c);
	persona_remove_files(c);
	if (c->pool->harness->clear)
		c->pool->harness->clear(c);
	if (c->instance)
		c->instance->references--;
	if (c->pool->forget)
		c->pool->forget(c);
	json_decref(c->calls);
	free(c->own);
	free(c->session);
	free((char *)c->cli_id);
	free((char *)c->cwd);
	free((char *)c->system);
	free((char *)c->instead);
	free((char *)c->directory);
	free((char *)c->model);
	free((char *)c->position);
	options_fini(&c->options);
	buf_fini(&c->meanwhile);
	buf_fini(&c->held);
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

static struct conversation *
conversation_new(struct pool *p, const struct conversation_plan *plan,
		 struct executor *place)
{
	struct conversation *c = xcalloc(1, sizeof *c);

	c->pool = p;
	c->is_trial = plan->trial;
	c->session = copy(str_of(plan->session));
	c->number = plan->number;
	c->cli_id = copy(str_of(plan->cli_id));
	c->cwd = copy(str_of(plan->cwd));
	c->system = copy((struct str){ plan->system, plan->system_len });
	c->system_len = plan->system_len;
	c->knows_system = plan->knows_system;
	c->instead = copy(str_of(plan->instead));
	c->directory = copy(str_of(plan->directory));
	c->drops_instead = plan->drops_instead;
	conversation_take_model(c, plan->model);
	conversation_take_options(c, plan->options);
	c->position = copy(str_of(plan->position));
	c->resumed = plan->resumed;
	c->is_rewound = plan->is_rewound;
	c->history = plan->history;
	c->kept = plan->kept;
	c->last_turn = loop_now();
	c->permission_mode = p->permission_mode;
	c->executor = place;
	c->scratch = place->scratch;
	c->own = xcalloc(1, p->harness->own + 1);
	c->meanwhile = BUF_INIT(MAX_MEANWHILE);
	list_append(&p->conversations, &c->node);
	return c;
}

struct conversation *
conversation_start(struct pool *p, const struct conversation_plan *plan,
		   struct error *e)
{
	struct executor *place = plan->place;
	struct conversation *c;

	if (!p->program) {
		pool_fail_missing(p, e);
		return NULL;
	}
	if (!place)
		place = executor_place(p->executor, NULL, e);
	if (!place)
		return NULL;
	c = conversation_new(p, plan, place);
	if (!client_tools_open(c, e) || !persona_write_files(c, e) ||
	    !(p->harness->shares ? instance_join(c, e)
				 : instance_start_for(c, e))) {
		conversation_leave(c);
		return NULL;
	}
	conversation_event(c, plan->spare ? ON_SPARE : ON_TAKEN, NULL);
	if (plan->trial)
		conversation_event(c, ON_TURN, NULL);
	return c;
}

void
conversation_adopt(struct conversation *c, const struct conversation_plan *plan)
{
	assert(c->state == CONVERSATION_SPARE);
	c->session = copy(str_of(plan->session));
	c->number = plan->number;
	c->system = copy((struct str){ plan->system, plan->system_len });
	c->system_len = plan->system_len;
	conversation_event(c, ON_TAKEN, NULL);
}

void
conversation_shake_hands(struct conversation *c)
{
	c->had_handshake = true;
	if (c->pool->harness->handshake)
		c->pool->harness->handshake(c);
	c->history = NULL;
}
