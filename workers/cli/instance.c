#include "workers/cli/instance.h"

#include <signal.h>

#include "proto/log.h"
#include "proto/sweep.h"
#include "workers/cli/pool.h"

enum {
	/* A process gets this long to end after its input was closed, and as
	 * long again after SIGTERM, before it is killed. */
	FAREWELL_MS = 1000,
};

static struct instance *
instance_of(struct program *p)
{
	return container_of(p, struct instance, program);
}

static const struct harness *
harness_of_instance(const struct instance *inst)
{
	return inst->pool->harness;
}

static bool
is_shared(const struct instance *inst)
{
	return harness_of_instance(inst)->shares > 0;
}

/* The conversation of a process that is not shared; NULL if it is over. */
static struct conversation *
only_conversation(const struct instance *inst)
{
	struct node *n = list_first(&inst->conversations);

	return n ? container_of(n, struct conversation, in_instance) : NULL;
}

/* The end of a process */

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
	if (harness_of_instance(inst)->instance_clear)
		harness_of_instance(inst)->instance_clear(inst);
	free(inst->own);
	free((char *)inst->workspace);
	free(inst);
}

static void
leave_pool(struct instance *inst)
{
	struct pool *p = inst->pool;

	inst->state = INSTANCE_ENDING;
	loop_unset(&p->worker->loop, &inst->clock);
	list_remove(&p->instances, &inst->node);
	list_append(&p->ended_instances, &inst->node);
	loop_set(&p->worker->loop, &inst->free_later, 0, instance_free_later);
	pool_sweep_later(p);
}

void
instance_kill(struct instance *inst)
{
	inst->state = INSTANCE_ENDING;
	inst->killed = true;
	loop_unset(&inst->pool->worker->loop, &inst->clock);
	program_pause(&inst->program, false);
	program_kill(&inst->program);
	pool_sweep_later(inst->pool);
}

static void
on_no_end(struct timer *t)
{
	instance_kill(container_of(t, struct instance, clock));
}

static void
on_farewell(struct timer *t)
{
	struct instance *inst = container_of(t, struct instance, clock);

	process_signal(&inst->program.process, SIGTERM);
	loop_set(&inst->pool->worker->loop, t, FAREWELL_MS, on_no_end);
}

void
instance_retire(struct instance *inst)
{
	if (inst->state == INSTANCE_ENDING)
		return;
	inst->state = INSTANCE_ENDING;
	program_pause(&inst->program, false);
	program_close_input(&inst->program);
	loop_set(&inst->pool->worker->loop, &inst->clock, FAREWELL_MS,
		 on_farewell);
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

void
instance_close(struct instance *inst)
{
	struct conversation *c;

	if (inst->state >= INSTANCE_CLOSED)
		return;
	log_warn("CLI %ju: gets no further conversation",
		 (uintmax_t)inst->number);
	inst->state = INSTANCE_CLOSED;
	while ((c = find_idle(inst)))
		conversation_retire(c);
	if (inst->state == INSTANCE_CLOSED && !count_turns(inst))
		instance_kill(inst);
}

void
instance_finish(const struct conversation *c)
{
	struct instance *inst = c->instance;
	size_t its_own = c->turn != NULL;

	if (inst->state == INSTANCE_CLOSED && count_turns(inst) == its_own)
		instance_retire(inst);
}

/* Ends every conversation of the process, which has ended.  Turns that are
 * under way fail with `e`. */
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

static void
on_ended(struct program *cli)
{
	struct instance *inst = instance_of(cli);
	struct conversation *c = only_conversation(inst);
	struct error e = { 0 };

	pool_explain_end(inst, &e);
	if (!is_shared(inst) && c)
		conversation_explain_end(c, &e);
	else if (inst->state != INSTANCE_ENDING)
		log_warn("CLI %ju: %s", (uintmax_t)inst->number,
			 log_quote(str_of(e.text)));
	if (inst->state != INSTANCE_ENDING && e.code == ERR_CRASHED)
		note_crash(inst);
	leave_pool(inst);
	end_conversations(inst, &e);
}

/* Kills the process; all its conversations fail with `e`. */
static void
fail_all(struct instance *inst, const struct error *e)
{
	struct error why = *e;

	instance_kill(inst);
	end_conversations(inst, &why);
}

static void
on_failed(struct program *cli, const struct error *e)
{
	struct instance *inst = instance_of(cli);
	struct conversation *c = only_conversation(inst);

	if (is_shared(inst))
		fail_all(inst, e);
	else if (c)
		conversation_break(c, e);
	else
		instance_kill(inst);
}

/* What a process says */

static void
on_line(struct program *cli, struct str line)
{
	struct instance *inst = instance_of(cli);
	struct conversation *c = only_conversation(inst);
	struct error e = { 0 };

	if (inst->state == INSTANCE_ENDING)
		return;
	if (!is_shared(inst)) {
		if (c)
			conversation_hear(c, line);
		return;
	}
	if (!harness_of_instance(inst)->instance_line(inst, line, &e))
		fail_all(inst, &e);
}

/* The start of a process */

static struct instance *
instance_new(struct pool *p)
{
	struct instance *inst = xcalloc(1, sizeof *inst);

	inst->pool = p;
	inst->number = ++p->last_number;
	inst->generation = p->generation;
	inst->workspace = copy(str_of(p->workspace));
	list_init(&inst->conversations);
	inst->began = inst->last_use = loop_now();
	inst->name = p->worker->name;
	inst->scratch = p->scratch;
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
	ok = ok && program_start(&inst->program, &p->worker->loop, &s, e);
	words_fini(&argv);
	words_fini(&env);
	return ok;
}

static void
take_place(struct conversation *c, struct instance *inst)
{
	c->instance = inst;
	list_append(&inst->conversations, &c->in_instance);
	inst->joined++;
	inst->references++;
	loop_unset(&inst->pool->worker->loop, &inst->clock);
}

bool
instance_start_for(struct conversation *c, struct error *e)
{
	struct instance *inst = instance_new(c->pool);

	inst->state = INSTANCE_UP;
	take_place(c, inst);
	if (run_program(inst, c, e)) {
		log_info("CLI %ju: pid %d started%s%s", (uintmax_t)inst->number,
			 (int)inst->program.process.pid,
			 c->session ? " for session " : "",
			 c->session ? log_quote(str_of(c->session)) : "");
		return true;
	}
	leave_pool(inst);
	return false;
}

static struct instance *
start_shared(struct pool *p, struct error *e)
{
	struct instance *inst = instance_new(p);

	if (!run_program(inst, NULL, e)) {
		leave_pool(inst);
		return NULL;
	}
	log_info("CLI %ju: pid %d started", (uintmax_t)inst->number,
		 (int)inst->program.process.pid);
	if (p->harness->instance_handshake)
		p->harness->instance_handshake(inst);
	if (inst->state != INSTANCE_ENDING)
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

		if (inst->state <= INSTANCE_UP &&
		    inst->conversations.len < most &&
		    inst->joined < MAX_CONVERSATIONS &&
		    !instance_is_stale(inst))
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

static void on_idle_for_long(struct timer *);

static void
wait_idly(struct instance *inst)
{
	uint64_t idle_ms = inst->pool->worker->harness.idle_ms;
	uint64_t idle = loop_now() - inst->last_use;

	loop_set(&inst->pool->worker->loop, &inst->clock,
		 idle < idle_ms ? idle_ms - idle : 0, on_idle_for_long);
}

bool
instance_ensure(struct pool *p, struct error *e)
{
	struct instance *inst;

	if (with_room(p))
		return true;
	inst = start_shared(p, e);
	if (inst && instance_is_idle(inst))
		wait_idly(inst);
	return inst != NULL;
}

static void
on_idle_for_long(struct timer *t)
{
	instance_retire(container_of(t, struct instance, clock));
}

bool
instance_is_stale(const struct instance *inst)
{
	return inst->generation != inst->pool->generation;
}

bool
instance_is_idle(const struct instance *inst)
{
	return inst->state <= INSTANCE_UP && !inst->conversations.len;
}

void
instance_leave(struct conversation *c)
{
	struct instance *inst = c->instance;

	list_remove(&inst->conversations, &c->in_instance);
	if (!is_shared(inst) || inst->state == INSTANCE_ENDING)
		return;
	if (inst->state == INSTANCE_CLOSED && !count_turns(inst)) {
		instance_kill(inst);
	} else if (!inst->conversations.len &&
		   (inst->joined >= MAX_CONVERSATIONS ||
		    instance_is_stale(inst))) {
		instance_retire(inst);
	} else if (inst->state != INSTANCE_CLOSED && !inst->conversations.len) {
		wait_idly(inst);
		pool_limit_idle_runs(inst->pool);
	}
}

/* What harness.h offers to a harness, of a process */

void
instance_write(struct instance *inst, struct str s)
{
	program_write(&inst->program, s);
}

static struct conversation *
find_not_greeted(const struct instance *inst)
{
	list_each (&inst->conversations, n) {
		struct conversation *c =
			container_of(n, struct conversation, in_instance);

		if (!c->had_handshake)
			return c;
	}
	return NULL;
}

void
instance_ready(struct instance *inst)
{
	struct conversation *c;

	if (inst->state == INSTANCE_ENDING)
		return;
	if (inst->state == INSTANCE_STARTING)
		inst->state = INSTANCE_UP;
	while ((c = find_not_greeted(inst)))
		conversation_shake_hands(c);
	if (instance_is_idle(inst))
		wait_idly(inst);
}

void
instance_fail(struct instance *inst, const struct error *e)
{
	fail_all(inst, e);
}

struct conversation *
instance_conversation(struct instance *inst, const char *cli_id)
{
	list_each (&inst->conversations, n) {
		struct conversation *c =
			container_of(n, struct conversation, in_instance);

		if (!cli_id || strcmp(c->cli_id, cli_id))
			continue;
		conversation_is_alive(c);
		return c;
	}
	return NULL;
}

void
instance_unknown(struct instance *inst, const char *kind, const char *what)
{
	pool_note_unknown(inst->pool, kind, what);
}
