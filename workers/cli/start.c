/*
 * How an instance is started, what its program does, and which conversation
 * gets a place in which instance.
 */
#include "workers/cli/instance.h"

#include <signal.h>

#include "proto/log.h"
#include "proto/sweep.h"
#include "workers/cli/pool.h"

static struct instance *
instance_of(struct program *p)
{
	return container_of(p, struct instance, program);
}

static bool
is_shared(const struct instance *inst)
{
	return inst->pool->harness->shares > 0;
}

/* The conversation of a process that is not shared; NULL if it is over. */
static struct conversation *
only_conversation(const struct instance *inst)
{
	struct node *n = list_first(&inst->conversations);

	return n ? container_of(n, struct conversation, in_instance) : NULL;
}

/* What a process does */

static void
on_ended(struct program *cli)
{
	struct instance *inst = instance_of(cli);
	struct conversation *c = only_conversation(inst);
	struct error e = { 0 };

	pool_explain_end(inst, &e);
	if (!is_shared(inst) && c)
		conversation_explain_end(c, &e);
	instance_event(inst, INSTANCE_ON_EXIT, &e);
}

static void
on_failed(struct program *cli, const struct error *e)
{
	struct instance *inst = instance_of(cli);
	struct conversation *c = only_conversation(inst);

	if (is_shared(inst))
		instance_event(inst, INSTANCE_ON_FAIL, e);
	else if (c)
		conversation_break(c, e);
	else
		instance_kill(inst);
}

static void
on_line(struct program *cli, struct str line)
{
	struct instance *inst = instance_of(cli);
	struct conversation *c = only_conversation(inst);
	struct error e = { 0 };

	if (instance_is_ending(inst))
		return;
	if (!is_shared(inst)) {
		if (c)
			conversation_hear(c, line);
		return;
	}
	if (!inst->pool->harness->instance_line(inst, line, &e))
		instance_event(inst, INSTANCE_ON_FAIL, &e);
}

/* The start of a process */

static struct instance *
instance_new(struct pool *p)
{
	struct instance *inst = xcalloc(1, sizeof *inst);

	inst->pool = p;
	inst->state = p->harness->shares ? INSTANCE_STARTING : INSTANCE_UP;
	inst->number = ++p->last_number;
	inst->generation = p->generation;
	inst->workspace = copy(str_of(p->workspace));
	list_init(&inst->conversations);
	inst->began = inst->last_use = loop_now();
	inst->name = p->worker->name;
	inst->executor = p->executor;
	inst->scratch = p->executor->scratch;
	inst->permission_mode = p->permission_mode;
	inst->loads = p->loads;
	inst->loop = &p->worker->loop;
	inst->own = xcalloc(1, p->harness->instance_own + 1);
	inst->program.heard = on_line;
	inst->program.failed = on_failed;
	inst->program.ended = on_ended;
	list_append(&p->instances, &inst->node);
	return inst;
}

/* The mark comes first in the environment: a sweep, which reads only the
 * beginning of each process's environment at first, finds it there. */
static void
add_environment(const struct instance *inst, const char *cwd, struct words *env)
{
	const struct pool *p = inst->pool;

	words_print(env, OWNER_VARIABLE "=%s%ju/", p->worker->mark,
		    (uintmax_t)inst->number);
	/* some CLIs believe $PWD rather than getcwd() */
	words_print(env, "PWD=%s", cwd);
	for (size_t i = 0; i < p->environment.len; i++)
		words_add(env, p->environment.ptr[i]);
}

/* Starts the program, with the arguments for the conversation `c` or, if that
 * is NULL, for a process that conversations will share. */
static bool
run_program(struct instance *inst, struct conversation *c, struct error *e)
{
	struct pool *p = inst->pool;
	struct words argv = { 0 }, env = { 0 };
	struct spawn s = { .cwd = c ? c->cwd : p->workspace,
			   .death_signal = SIGKILL };
	bool ok;

	words_add(&argv, p->program);
	add_environment(inst, s.cwd, &env);
	ok = c ? p->harness->command(c, &argv, &env, e)
	       : p->harness->instance_command(inst, &argv, &env, e);
	s.argv = (const char *const *)argv.ptr;
	s.env = env.ptr;
	ok = ok && program_start(&inst->program, p->executor, &p->worker->loop,
				 &s, e);
	words_fini(&argv);
	words_fini(&env);
	instance_event(inst, ok ? INSTANCE_ON_START : INSTANCE_ON_NO_START,
		       NULL);
	return ok;
}

static void
take_place(struct conversation *c, struct instance *inst)
{
	c->instance = inst;
	list_append(&inst->conversations, &c->in_instance);
	inst->joined++;
	inst->references++;
	instance_event(inst, INSTANCE_ON_JOIN, NULL);
}

bool
instance_start_for(struct conversation *c, struct error *e)
{
	struct instance *inst = instance_new(c->pool);

	take_place(c, inst);
	if (run_program(inst, c, e)) {
		log_info("CLI %ju: pid %d started%s%s", (uintmax_t)inst->number,
			 (int)inst->program.process.pid,
			 c->session ? " for session " : "",
			 c->session ? log_quote(str_of(c->session)) : "");
		return true;
	}
	return false;
}

static struct instance *
start_shared(struct pool *p, struct error *e)
{
	struct instance *inst = instance_new(p);

	if (!run_program(inst, NULL, e))
		return NULL;
	log_info("CLI %ju: pid %d started", (uintmax_t)inst->number,
		 (int)inst->program.process.pid);
	if (p->harness->instance_handshake)
		p->harness->instance_handshake(inst);
	if (instance_is_idle(inst))
		return inst;
	fail_with(e, ERR_HARNESS, "the handshake with %s failed",
		  p->worker->name);
	return NULL;
}

static struct instance *
with_room(struct pool *p)
{
	size_t most = p->harness->shares;

	if (most > p->worker->harness.shares)
		most = p->worker->harness.shares;
	list_each (&p->instances, n) {
		struct instance *inst = container_of(n, struct instance, node);

		if (instance_takes_turns(inst) &&
		    inst->conversations.len < most &&
		    inst->joined < MAX_CONVERSATIONS)
			return inst;
	}
	return NULL;
}

bool
instance_join(struct conversation *c, struct error *e)
{
	struct instance *inst = with_room(c->pool);

	if (!inst)
		inst = start_shared(c->pool, e);
	if (!inst)
		return false;
	take_place(c, inst);
	return true;
}

bool
instance_ensure(struct pool *p, struct error *e)
{
	return with_room(p) || start_shared(p, e);
}
