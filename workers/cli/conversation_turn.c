/* What others ask of a conversation, and how it tells them that its turn, or
 * its trial, has ended. */
#include "workers/cli/conversation.h"

#include <assert.h>

#include "workers/cli/client_tools.h"
#include "workers/cli/pool.h"
#include "workers/cli/prompt.h"
#include "workers/cli/structured.h"

bool
conversation_is_free(const struct conversation *c)
{
	return !c->turn && !c->is_dismissed &&
	       (c->state == CONVERSATION_IDLE ||
		c->state == CONVERSATION_STOPPING ||
		c->state == CONVERSATION_ALONE);
}

void
conversation_give(struct conversation *c, struct turn *t)
{
	assert(!c->turn);
	c->turn = t;
	c->answer = ANSWER_EMPTY;
	c->was_said = c->said_something = false;
	c->was_starting = c->state == CONVERSATION_STARTING;
	conversation_event(c, ON_TURN, NULL);
}

/* A harness need not know that its prefix and <prefix>/default are the same. */
void
conversation_take_model(struct conversation *c, const char *model)
{
	bool is_default = model && !strcmp(model, "default");

	free((char *)c->model);
	c->model = is_default ? NULL : copy(str_of(model));
}

void
conversation_take_options(struct conversation *c, const struct options *options)
{
	options_fini(&c->options);
	if (options)
		options_copy(&c->options, options);
	client_tools_take(c);
}

static void
tell(struct conversation *c, const char *model, const struct options *options,
     void (*how)(struct conversation *))
{
	conversation_take_model(c, model);
	conversation_take_options(c, options);
	c->holds = c->options.format != FORMAT_TEXT;
	buf_fini(&c->held);
	c->held = BUF_INIT(MAX_HELD_ANSWER);
	free((char *)c->position);
	c->position = NULL; /* until this turn has one */
	c->turns++;
	c->state = CONVERSATION_BUSY;
	c->was_said = true;
	c->last_turn = loop_now();
	conversation_event(c, ON_SIGN, NULL);
	how(c);
	c->messages = c->results = NULL;
	if (c->turn && c->said_something) /* while it was being said */
		c->pool->spoke(c);
}

void
conversation_say(struct conversation *c, const char *model,
		 const struct options *options, const json_t *messages,
		 size_t from)
{
	client_tools_begin(c);
	c->messages = messages;
	c->from = from;
	tell(c, model, options, c->pool->harness->say);
}

void
conversation_answer(struct conversation *c, const char *model,
		    const struct options *options, const json_t *results,
		    const json_t *messages)
{
	c->results = results;
	c->messages = messages;
	c->from = 0;
	tell(c, model, options, c->pool->harness->answer);
}

void
conversation_stop(struct conversation *c, const struct error *e)
{
	const struct outcome o = { .error = e };

	conversation_event(c, ON_STOP, &o);
}

void
conversation_unblock(struct conversation *c)
{
	if (!c->pool->harness->shares)
		program_pause(&c->instance->program, false);
	conversation_event(c, ON_SIGN, NULL);
}

char *
conversation_take_meanwhile(struct conversation *c)
{
	char *text = c->meanwhile.len ? copy(buf_str(&c->meanwhile)) : NULL;

	buf_fini(&c->meanwhile);
	c->meanwhile = BUF_INIT(MAX_MEANWHILE);
	return text;
}

void
conversation_dismiss(struct conversation *c)
{
	c->is_dismissed = true;
	if (c->state != CONVERSATION_STOPPING)
		conversation_retire(c);
}

void
conversation_break(struct conversation *c, const struct error *e)
{
	const struct outcome o = { .error = e };

	conversation_event(c, ON_BREAK, &o);
}

void
conversation_retire(struct conversation *c)
{
	conversation_event(c, ON_RETIRE, NULL);
}

/* A process that failed its trial is ended: the next trial must see what a new
 * process sees, such as a login that was made meanwhile. */
void
conversation_conclude_trial(struct conversation *c, const struct error *e)
{
	c->is_trial = false;
	if (e && instance_is_idle(c->instance))
		instance_retire(c->instance);
	pool_trial_is_over(c->pool, e);
}

void
conversation_tell(struct conversation *c, const struct outcome *o)
{
	struct turn *turn = c->turn;

	c->turn = NULL;
	if (turn)
		c->pool->over(turn, c, o);
	else if (c->is_trial)
		conversation_conclude_trial(c, o->error);
}

/* A turn that only waited was not said, and can begin elsewhere. */
void
conversation_tell_end(struct conversation *c)
{
	struct outcome o = c->outcome ? *c->outcome : (struct outcome){ 0 };
	struct error e = { 0 };

	if (!c->outcome) { /* then nobody has said why */
		fail_with(&e, ERR_HARNESS, "the conversation with %s was ended",
			  c->pool->worker->name);
		o.error = &e;
	}
	o.at_start = c->turn && c->was_starting;
	o.not_begun = c->turn && !c->was_said && !c->was_starting;
	conversation_tell(c, &o);
}
