/*
 * How an instance is started, what its program does, and which conversation
 * gets a place in which instance.
 */
#include "workers/cli/instance.h"

#include <signal.h>
#include <stdio.h>

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
instance_new(struct pool *p, struct executor *place, const char *workspace,
	     const struct options *options)
{
	struct instance *inst = xcalloc(1, sizeof *inst);

	inst->pool = p;
	inst->state = p->harness->shares ? INSTANCE_STARTING : INSTANCE_UP;
	inst->number = ++p->last_number;
	inst->generation = p->generation;
	inst->workspace = copy(str_of(workspace));
	list_init(&inst->conversations);
	inst->began = inst->last_use = loop_now();
	inst->name = p->worker->name;
	inst->executor = place;
	inst->scratch = place->scratch;
	inst->permission_mode = p->permission_mode;
	inst->loads = p->loads;
	options_copy(&inst->options, options);
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
	struct spawn s = { .cwd = c ? c->cwd : inst->workspace,
			   .death_signal = SIGKILL };
	bool ok;

	words_add(&argv, p->program);
	add_environment(inst, s.cwd, &env);
	ok = c ? p->harness->command(c, &argv, &env, e)
	       : p->harness->instance_command(inst, &argv, &env, e);
	s.argv = (const char *const *)argv.ptr;
	s.env = env.ptr;
	ok = ok && program_start(&inst->program, inst->executor,
				 &p->worker->loop, &s, e);
	words_fini(&argv);
	words_fini(&env);
	instance_event(inst, ok ? INSTANCE_ON_START : INSTANCE_ON_NO_START,
		       NULL);
	return ok;
}

static void
log_start(const struct instance *inst, const char *session)
{
	const struct executor *x = inst->executor;
	char where[32];

	if (x->number)
		snprintf(where, sizeof where, "slot %u", x->number(x));
	else
		snprintf(where, sizeof where, "pid %d",
			 (int)inst->program.process.pid);
	log_info("CLI %ju: %s started%s%s", (uintmax_t)inst->number, where,
		 session ? " for session " : "",
		 session ? log_quote(str_of(session)) : "");
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
	static const struct options none;
	struct instance *inst =
		instance_new(c->pool, c->executor, c->cwd, &none);

	take_place(c, inst);
	if (!run_program(inst, c, e))
		return false;
	log_start(inst, c->session);
	return true;
}

static struct instance *
start_shared(struct pool *p, struct executor *place, const char *workspace,
	     const struct options *options, struct error *e)
{
	struct instance *inst = instance_new(p, place, workspace, options);

	if (!run_program(inst, NULL, e))
		return NULL;
	log_start(inst, NULL);
	if (p->harness->instance_handshake)
		p->harness->instance_handshake(inst);
	if (instance_is_idle(inst))
		return inst;
	fail_with(e, ERR_HARNESS, "the handshake with %s failed",
		  p->worker->name);
	return NULL;
}

/* Where a process runs that is to hold conversations in the directory.  One
 * that may only read has none but theirs. */
static const char *
workspace_for(const struct pool *p, const char *cwd,
	      const struct options *options)
{
	return p->executor->one_directory || options->mode == MODE_SAFE
		       ? cwd
		       : p->workspace;
}

static struct instance *
with_room(struct pool *p, const struct executor *place, const char *workspace,
	  const struct options *options)
{
	size_t most = p->harness->shares;

	if (most > p->worker->harness.shares)
		most = p->worker->harness.shares;
	list_each (&p->instances, n) {
		struct instance *inst = container_of(n, struct instance, node);

		if (instance_takes_turns(inst) && inst->executor == place &&
		    !strcmp(inst->workspace, workspace) &&
		    options_suit(&inst->options, options,
				 p->harness->process_binds, 0) &&
		    inst->conversations.len < most &&
		    inst->joined < MAX_CONVERSATIONS)
			return inst;
	}
	return NULL;
}

/* One that has room, or a new one; NULL on failure. */
static struct instance *
shared_for(struct pool *p, struct executor *place, const char *cwd,
	   const struct options *wanted, struct error *e)
{
	struct options options;
	const char *workspace;
	struct instance *inst;

	options_pick(&options, wanted, p->harness->process_binds);
	workspace = workspace_for(p, cwd, &options);
	inst = with_room(p, place, workspace, &options);
	if (!inst)
		inst = start_shared(p, place, workspace, &options, e);
	options_fini(&options);
	return inst;
}

bool
instance_join(struct conversation *c, struct error *e)
{
	struct instance *inst =
		shared_for(c->pool, c->executor, c->cwd, &c->options, e);

	if (!inst)
		return false;
	take_place(c, inst);
	return true;
}

bool
instance_ensure(struct pool *p, const char *cwd, struct error *e)
{
	struct executor *place = executor_place(p->executor, NULL, e);

	return place && shared_for(p, place, cwd, NULL, e);
}
