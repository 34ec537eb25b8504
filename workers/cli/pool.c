#include "workers/cli/pool.h"

#include <sys/wait.h>

#include "proto/log.h"
#include "workers/cli/client_tools.h"
#include "workers/cli/eviction.h"
#include "workers/cli/orphans.h"
#include "workers/cli/spares.h"
#include "workers/needs.h"

enum { TICK_MS = 5000 /* between looks at memory and at orphans */ };

static void
on_tick(struct timer *t)
{
	struct pool *p = container_of(t, struct pool, tick);

	loop_set(&p->worker->loop, &p->tick, TICK_MS, on_tick);
	orphans_reap(p);
	if (!evict_for_memory(p))
		spares_start(p);
}

static bool
is_of(const struct conversation *c, const char *session, unsigned number)
{
	return c->session && (!number || c->number == number) &&
	       !strcmp(c->session, session);
}

struct conversation *
pool_find(struct pool *p, const char *session, unsigned number)
{
	list_each (&p->conversations, n) {
		struct conversation *c =
			container_of(n, struct conversation, node);

		if (conversation_is_free(c) && is_of(c, session, number))
			return c;
	}
	return NULL;
}

struct conversation *
pool_find_parked(struct pool *p, const char *session, unsigned number)
{
	list_each (&p->conversations, n) {
		struct conversation *c =
			container_of(n, struct conversation, node);

		if (c->state == CONVERSATION_PARKED && !c->turn &&
		    is_of(c, session, number))
			return c;
	}
	return NULL;
}

unsigned
pool_count_parked(const struct pool *p)
{
	unsigned count = 0;

	list_each (&p->conversations, n)
		count += container_of(n, struct conversation, node)->state ==
			 CONVERSATION_PARKED;
	return count;
}

unsigned
pool_count(const struct pool *p)
{
	return (unsigned)p->instances.len;
}

unsigned
pool_count_background(const struct pool *p)
{
	unsigned count = 0;

	list_each (&p->conversations, n)
		count += container_of(n, struct conversation, node)->background;
	return count;
}

/* What a CLI has told */

void
pool_explain_end(const struct instance *inst, struct error *e)
{
	struct str words = program_last_words(&inst->program);
	int status = inst->program.process.status;

	fail_with(e, ERR_CRASHED, "%s ended with %s%s%.*s",
		  inst->pool->worker->name, process_status_text(status),
		  words.len ? ": " : "", STR_ARG(words));
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NOT_FOUND)
		e->code = ERR_NOT_SET_UP;
}

void
pool_learn_models(struct pool *p, json_t *models)
{
	json_decref(p->models);
	p->models = models;
}

/* A later version of a CLI may say things that we do not know.  Each kind is
 * logged once. */
void
pool_note_unknown(struct pool *p, const char *kind, const char *what)
{
	auto_free char *name =
		copy_format("%s \"%.80s\"", kind, what ? what : "");

	p->unknown_count++;
	if (json_object_get(p->unknown, name) ||
	    json_object_size(p->unknown) >= MAX_UNKNOWN)
		return;
	json_object_set_new_nocheck(p->unknown, name, json_true());
	log_info("%s says something that this version of cli-bridge does not "
		 "know and passes over: %s",
		 p->worker->name, log_quote(str_of(name)));
}

/* Trial conversations: see struct conversation */

void
pool_try(struct pool *p)
{
	auto_free char *cli_id = new_uuid();
	const struct conversation_plan plan = { .cli_id = cli_id,
						.cwd = p->workspace,
						.trial = true };
	struct error e = { 0 };

	if (p->is_trying)
		return;
	p->is_trying = true;
	if (!conversation_start(p, &plan, &e))
		pool_trial_is_over(p, &e);
}

void
pool_trial_is_over(struct pool *p, const struct error *e)
{
	p->is_trying = false;
	p->tried(p, e);
}

/* A spare suits a new conversation in its directory. */
struct conversation *
pool_start(struct pool *p, const struct conversation_plan *plan,
	   struct error *e)
{
	struct conversation *c = NULL;

	if (!plan->resumed && !plan->history)
		c = spares_take(p, plan);
	return c ? c : conversation_start(p, plan, e);
}

/* The pool itself */

void
pool_find_program(struct pool *p)
{
	free(p->program);
	p->program = p->executor->find(p->executor, p->worker->name);
}

bool
pool_fail_missing(const struct pool *p, struct error *e)
{
	return !needs_are_met(p->worker->name, e) ||
	       fail_with(e, ERR_NOT_SET_UP,
			 "%s was not there a moment ago: try again",
			 p->worker->name);
}

bool
pool_is_empty(const struct pool *p)
{
	return !p->instances.len && !p->leavings.len && !p->ended_instances.len;
}

bool
pool_init(struct pool *p, struct worker *w, struct error *e)
{
	const struct harness *h;

	p->worker = w;
	list_init(&p->conversations);
	list_init(&p->leavings);
	list_init(&p->partings);
	list_init(&p->instances);
	list_init(&p->ended_instances);
	p->unknown = json_object();
	h = harness_of(w->name, e);
	if (!h)
		return false;
	pool_use(p, h);
	pool_find_program(p);
	loop_set(&w->loop, &p->tick, TICK_MS, on_tick);
	p->workspace = pool_choose_workspace(p, e);
	return p->workspace != NULL;
}

/* Kills all processes first and waits for them afterwards: each takes some time
 * to die. */
static void
end_instances(struct pool *p)
{
	struct node *n;

	list_each (&p->instances, inst)
		instance_kill(container_of(inst, struct instance, node));
	while ((n = list_first(&p->conversations)))
		conversation_leave(container_of(n, struct conversation, node));
	while ((n = list_first(&p->leavings))) {
		struct conversation *c =
			container_of(n, struct conversation, node);

		loop_unset(&p->worker->loop, &c->free_later);
		conversation_free_later(&c->free_later);
	}
	while ((n = list_first(&p->instances)))
		instance_event(container_of(n, struct instance, node),
			       INSTANCE_ON_EXIT, NULL);
	while ((n = list_first(&p->ended_instances))) {
		struct instance *inst = container_of(n, struct instance, node);

		loop_unset(&p->worker->loop, &inst->free_later);
		instance_free_later(&inst->free_later);
	}
}

void
pool_fini(struct pool *p)
{
	if (!p->worker)
		return;
	if (p->harness)
		end_instances(p);
	loop_unset(&p->worker->loop, &p->sweep_timer);
	loop_unset(&p->worker->loop, &p->tick);
	loop_unset(&p->worker->loop, &p->spare_timer);
	client_tools_fini(p);
	tool_server_fini(&p->tools);
	words_fini(&p->environment);
	json_decref(p->models);
	json_decref(p->unknown);
	free(p->workspace);
	free(p->spare_cwd);
	free(p->program);
	memset(p, 0, sizeof *p);
}
