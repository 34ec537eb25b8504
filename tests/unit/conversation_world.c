#include "conversation_world.h"

#include "workers/cli/eviction.h"
#include "workers/cli/prompt.h"
#include "workers/cli/spares.h"

struct did did;
struct worker worker;
struct pool pool;
struct harness harness;
static struct executor executor;
struct instance instance;
struct asked turn;
bool ends_on_interrupt, exits_on_close;
struct error another, why;

void
instance_kill(struct instance *inst)
{
	did.kills++;
}

void
instance_retire(struct instance *inst)
{
	did.retires++;
}

void
instance_close(struct instance *inst)
{
	inst->state = INSTANCE_CLOSED;
}

void
instance_leave(struct conversation *c)
{
	did.leaves++;
}

bool
instance_takes_turns(const struct instance *inst)
{
	return inst->state <= INSTANCE_UP &&
	       inst->generation == pool.generation;
}

bool
instance_is_idle(const struct instance *inst)
{
	return false;
}

static bool
take_place(struct conversation *c)
{
	c->instance = &instance;
	instance.references++;
	return true;
}

bool
instance_start_for(struct conversation *c, struct error *e)
{
	return take_place(c);
}

bool
instance_join(struct conversation *c, struct error *e)
{
	return take_place(c);
}

void
instance_write(struct instance *inst, struct str s)
{
}

void
program_pause(struct program *p, bool paused)
{
	p->paused = paused;
}

void
program_close_input(struct program *p)
{
}

struct str
program_last_words(const struct program *p)
{
	return STR("last words");
}

bool
pool_fail_missing(const struct pool *p, struct error *e)
{
	return fail_with(e, ERR_NOT_SET_UP, "not there");
}

void
evict_behind(struct conversation *c)
{
	did.idles++;
}

void
evict_surplus(struct pool *p)
{
	did.counts++;
}

void
crashes_forget(struct crashes *c, const char *session)
{
}

void
spares_expire(struct conversation *c)
{
}

void
pool_trial_is_over(struct pool *p, const struct error *e)
{
	did.trials++;
}

void
pool_learn_models(struct pool *p, json_t *models)
{
	json_decref(models);
}

void
turn_text(struct turn *t, struct str s)
{
	buf_put(&did.text, s);
}

void
turn_reasoning(struct turn *t, struct str s)
{
}

void
turn_holds(struct turn *t)
{
}

void
turn_call(struct turn *t, struct str json, struct str arguments)
{
	(void)t;
}

void
turn_tool(struct turn *t, struct str json)
{
}

void
turn_note(struct turn *t, struct str text)
{
}

size_t
turn_backlog(const struct turn *t)
{
	return 0;
}

bool
turn_is_blocked(const struct turn *t)
{
	return false;
}

uint64_t
answer_add(uint64_t answer, struct str text)
{
	return answer + text.len;
}

static void
on_ready(struct conversation *c)
{
	conversation_say(c, "model", NULL, NULL, 0);
}

static void
on_spoke(struct conversation *c)
{
}

static void
on_over(struct turn *t, struct conversation *c, const struct outcome *o)
{
	struct asked *a = container_of(t, struct asked, turn);

	a->told++;
	a->outcome = *o;
}

static void
handshake(struct conversation *c)
{
	did.handshakes++;
}

static void
say(struct conversation *c)
{
	did.says++;
}

static void
interrupt(struct conversation *c)
{
	did.interrupts++;
	if (ends_on_interrupt)
		conversation_finish(c, FINISH_STOP, NULL, NULL);
}

static void
interrupt_own(struct conversation *c)
{
	did.own_interrupts++;
	if (ends_on_interrupt)
		conversation_falls_silent(c);
}

static void
close_it(struct conversation *c)
{
	const struct outcome o = { .error = &another };

	did.closes++;
	if (exits_on_close)
		conversation_event(c, ON_EXIT, &o);
}

/* ---- a conversation in each state ---- */

static struct conversation *
start(bool is_spare)
{
	const struct conversation_plan plan = {
		.session = is_spare ? NULL : "s",
		.cli_id = "id",
		.cwd = "/",
		.kept = true,
		.spare = is_spare,
	};
	struct error e = { 0 };

	return conversation_start(&pool, &plan, &e);
}

struct conversation *
in_state(enum conversation_state state)
{
	struct conversation *c = start(state == CONVERSATION_SPARE);

	memset(&turn, 0, sizeof turn);
	if (state == CONVERSATION_SPARE)
		return c;
	conversation_give(c, &turn.turn);
	if (state == CONVERSATION_STARTING)
		return c;
	conversation_ready(c);
	if (state == CONVERSATION_IDLE || state == CONVERSATION_ALONE)
		conversation_finish(c, FINISH_STOP, NULL, NULL);
	if (state == CONVERSATION_ALONE || state == CONVERSATION_QUEUED)
		conversation_speaks_alone(c);
	if (state == CONVERSATION_PARKED)
		conversation_park(c, json_array(), NULL, NULL);
	if (state == CONVERSATION_STOPPING)
		conversation_stop(c, &why);
	if (state == CONVERSATION_LEAVING)
		conversation_break(c, &why);
	return c;
}

int
setup(void **state)
{
	memset(&did, 0, sizeof did);
	did.text = BUF_INIT(4096);
	memset(&instance, 0, sizeof instance);
	instance.state = INSTANCE_UP;
	instance.pool = &pool;
	worker = (struct worker){ .loop = LOOP_INIT, .name = "test" };
	worker.harness.timeout_ms = worker.harness.start_ms = 1000;
	worker.harness.idle_ms = worker.harness.cancel_ms = 1000;
	worker.harness.tool_wait_ms = 1000;
	worker.harness.max_parked = 8;
	harness = (struct harness){ .can = CAN_WARMTH,
				    .handshake = handshake,
				    .say = say,
				    .interrupt = interrupt,
				    .interrupt_own = interrupt_own,
				    .close = close_it };
	pool = (struct pool){ .worker = &worker,
			      .harness = &harness,
			      .program = (char *)"/bin/true",
			      .executor = &executor,
			      .ready = on_ready,
			      .spoke = on_spoke,
			      .over = on_over };
	list_init(&pool.conversations);
	list_init(&pool.leavings);
	list_init(&pool.partings);
	ends_on_interrupt = exits_on_close = false;
	return 0;
}

int
teardown(void **state)
{
	struct node *n;

	while ((n = list_first(&pool.conversations)))
		conversation_leave(container_of(n, struct conversation, node));
	while ((n = list_first(&pool.leavings))) {
		struct conversation *c =
			container_of(n, struct conversation, node);

		loop_unset(&worker.loop, &c->free_later);
		conversation_free_later(&c->free_later);
	}
	buf_fini(&did.text);
	loop_fini(&worker.loop);
	return 0;
}
