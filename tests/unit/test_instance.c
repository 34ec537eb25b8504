/* What workers/cli/instance promises: every cell of its table is walked. */
#include "unit.h"

#include <signal.h>

#include "proto/limits.h"
#include "workers/cli/conversation.h"
#include "workers/cli/eviction.h"
#include "workers/cli/orphans.h"
#include "workers/cli/pool.h"

/* ---- what is around it: a pool, a program, conversations, a harness ---- */

static struct {
	unsigned starts, closes, terms, kills, sweeps, handshakes, crashes;
	unsigned limits, retires;
	unsigned exits; /* of conversations */
	enum error_code code;
} did;

static struct worker worker;
static struct pool pool;
static struct executor executor;
static struct harness harness;
static bool may_start, fails_handshake;
static const struct error why = { .code = ERR_CRASHED, .text = "why" };

bool
program_start(struct program *p, struct executor *x, struct loop *loop,
	      const struct spawn *s, struct error *e)
{
	did.starts++;
	return may_start || fail_with(e, ERR_SYSTEM, "no");
}

void
program_kill(struct program *p)
{
	did.kills++;
}

void
program_fini(struct program *p)
{
}

void
program_write(struct program *p, struct str s)
{
}

void
program_close_input(struct program *p)
{
	did.closes++;
}

void
program_pause(struct program *p, bool paused)
{
	p->paused = paused;
}

void
program_signal(const struct program *p, int signal)
{
	assert_int_equal(signal, SIGTERM);
	did.terms++;
}

void
orphans_sweep_later(struct pool *p)
{
	did.sweeps++;
}

void
evict_surplus_instances(struct pool *p)
{
	did.limits++;
}

void
pool_explain_end(const struct instance *inst, struct error *e)
{
	fail_with(e, ERR_CRASHED, "it ended");
}

void
pool_note_unknown(struct pool *p, const char *kind, const char *what)
{
}

void
crashes_note(struct crashes *c, const char *session, uint64_t began)
{
	did.crashes++;
}

void
conversation_shake_hands(struct conversation *c)
{
	c->had_handshake = true;
	did.handshakes++;
}

void
conversation_hear(struct conversation *c, struct str line)
{
}

void
conversation_explain_end(struct conversation *c, struct error *e)
{
}

/* As the real one does: a conversation that ends leaves its instance. */
void
conversation_event(struct conversation *c, enum conversation_event event,
		   const struct outcome *o)
{
	if (event == ON_EXIT) {
		did.exits++;
		did.code = o->error ? o->error->code : ERR_NONE;
	}
	c->state = CONVERSATION_LEAVING;
	instance_leave(c);
	c->instance->references--;
}

void
conversation_retire(struct conversation *c)
{
	did.retires++;
	conversation_event(c, ON_RETIRE, NULL);
}

void
conversation_break(struct conversation *c, const struct error *e)
{
	instance_kill(c->instance);
}

static bool
command(struct conversation *c, struct words *argv, struct words *env,
	struct error *e)
{
	return true;
}

static bool
instance_command(struct instance *inst, struct words *argv, struct words *env,
		 struct error *e)
{
	return true;
}

static void
handshake(struct instance *inst)
{
	if (fails_handshake)
		instance_fail(inst, &why);
}

static bool
line(struct instance *inst, struct str s, struct error *e)
{
	return fail_with(e, ERR_HARNESS, "an odd line");
}

static int
setup(void **state)
{
	memset(&did, 0, sizeof did);
	worker = (struct worker){ .loop = LOOP_INIT,
				  .name = "test",
				  .mark = (char *)"mark/" };
	worker.harness.idle_ms = 60000;
	worker.harness.shares = 4;
	harness = (struct harness){ .shares = 4,
				    .command = command,
				    .instance_command = instance_command,
				    .instance_handshake = handshake,
				    .instance_line = line };
	pool = (struct pool){ .worker = &worker,
			      .harness = &harness,
			      .program = (char *)"/bin/true",
			      .executor = &executor,
			      .workspace = (char *)"/" };
	list_init(&pool.instances);
	list_init(&pool.ended_instances);
	may_start = true;
	fails_handshake = false;
	return 0;
}

static int
teardown(void **state)
{
	struct node *n;

	while ((n = list_first(&pool.instances))) {
		struct instance *inst = container_of(n, struct instance, node);

		instance_kill(inst);
		instance_event(inst, INSTANCE_ON_EXIT, &why);
	}
	while ((n = list_first(&pool.ended_instances))) {
		struct instance *inst = container_of(n, struct instance, node);

		inst->references = 0;
		loop_unset(&worker.loop, &inst->free_later);
		instance_free_later(&inst->free_later);
	}
	loop_fini(&worker.loop);
	return 0;
}

/* ---- an instance in each state, with or without a conversation ---- */

static struct turn turn;

static struct conversation
idle_conversation(void)
{
	return (struct conversation){ .pool = &pool,
				      .executor = &executor,
				      .cwd = "/",
				      .cli_id = "id",
				      .state = CONVERSATION_IDLE };
}

/* It has a turn under way. */
static struct conversation
busy_conversation(void)
{
	struct conversation c = idle_conversation();

	c.state = CONVERSATION_BUSY;
	c.turn = &turn;
	return c;
}

/* A shared instance, in which `c` has a place unless it is NULL. */
static struct instance *
in_state(enum instance_state state, struct conversation *c)
{
	struct error e = { 0 };
	struct instance *inst;

	if (c)
		assert_true(instance_join(c, &e));
	else
		assert_true(instance_ensure(&pool, "/work", &e));
	inst = container_of(list_first(&pool.instances), struct instance, node);
	if (state == INSTANCE_UP)
		instance_ready(inst);
	if (state == INSTANCE_CLOSED && !c)
		inst->state = INSTANCE_CLOSED; /* on its way to its end */
	else if (state == INSTANCE_CLOSED)
		instance_close(inst);
	if (state == INSTANCE_ENDING || state == INSTANCE_TERMINATING)
		instance_retire(inst);
	if (state == INSTANCE_TERMINATING)
		instance_event(inst, INSTANCE_ON_TIME, NULL);
	if (state == INSTANCE_KILLED || state == INSTANCE_ENDED)
		instance_kill(inst);
	if (state == INSTANCE_ENDED)
		instance_event(inst, INSTANCE_ON_EXIT, &why);
	assert_int_equal(inst->state, state);
	return inst;
}

/* ---- the table ---- */

#define STARTING INSTANCE_STARTING
#define UP INSTANCE_UP
#define CLOSED INSTANCE_CLOSED
#define ENDING INSTANCE_ENDING
#define TERM INSTANCE_TERMINATING
#define KILLED INSTANCE_KILLED
#define ENDED INSTANCE_ENDED

/* clang-format off */
static const enum instance_state
/* While a turn is under way in it... */
at_work[INSTANCE_STATES][INSTANCE_EVENTS] = {
	/*            START     NO_START  READY    JOIN      LEAVE     CLOSE   RETIRE  KILL    FAIL    TIME    EXIT */
	[STARTING] = { STARTING, ENDED,   UP,      STARTING, STARTING, CLOSED, ENDING, KILLED, KILLED, ENDING, ENDED },
	[UP]       = { UP,       ENDED,   UP,      UP,       UP,       CLOSED, ENDING, KILLED, KILLED, ENDING, ENDED },
	[CLOSED]   = { CLOSED,   CLOSED,  CLOSED,  CLOSED,   CLOSED,   CLOSED, ENDING, KILLED, KILLED, CLOSED, ENDED },
	[ENDING]   = { ENDING,   ENDING,  ENDING,  ENDING,   ENDING,   ENDING, ENDING, KILLED, KILLED, TERM,   ENDED },
	[TERM]     = { TERM,     TERM,    TERM,    TERM,     TERM,     TERM,   TERM,   KILLED, KILLED, KILLED, ENDED },
	[KILLED]   = { KILLED,   KILLED,  KILLED,  KILLED,   KILLED,   KILLED, KILLED, KILLED, KILLED, KILLED, ENDED },
	[ENDED]    = { ENDED,    ENDED,   ENDED,   ENDED,    ENDED,    ENDED,  ENDED,  ENDED,  ENDED,  ENDED,  ENDED },
},
/* ...and without any conversation: it is of no use once it is closed. */
at_rest[INSTANCE_STATES][INSTANCE_EVENTS] = {
	[STARTING] = { STARTING, ENDED,   UP,      STARTING, STARTING, ENDING, ENDING, KILLED, KILLED, ENDING, ENDED },
	[UP]       = { UP,       ENDED,   UP,      UP,       UP,       ENDING, ENDING, KILLED, KILLED, ENDING, ENDED },
	[CLOSED]   = { CLOSED,   CLOSED,  CLOSED,  CLOSED,   ENDING,   CLOSED, ENDING, KILLED, KILLED, CLOSED, ENDED },
	[ENDING]   = { ENDING,   ENDING,  ENDING,  ENDING,   ENDING,   ENDING, ENDING, KILLED, KILLED, TERM,   ENDED },
	[TERM]     = { TERM,     TERM,    TERM,    TERM,     TERM,     TERM,   TERM,   KILLED, KILLED, KILLED, ENDED },
	[KILLED]   = { KILLED,   KILLED,  KILLED,  KILLED,   KILLED,   KILLED, KILLED, KILLED, KILLED, KILLED, ENDED },
	[ENDED]    = { ENDED,    ENDED,   ENDED,   ENDED,    ENDED,    ENDED,  ENDED,  ENDED,  ENDED,  ENDED,  ENDED },
};
/* clang-format on */

static void
walk(enum instance_state state, enum instance_event event, bool works)
{
	static struct conversation c; /* outlives this: teardown() ends it */
	enum instance_state to = (works ? at_work : at_rest)[state][event];
	struct instance *inst;

	c = busy_conversation();
	inst = in_state(state, works ? &c : NULL);
	did.exits = 0;
	instance_event(inst, event, &why);
	if (inst->state != to)
		fail_msg("state %d, event %d: is %d, not %d", state, event,
			 inst->state, to);
	if ((event == INSTANCE_ON_EXIT || event == INSTANCE_ON_FAIL) &&
	    state < KILLED)
		assert_int_equal(did.exits, works);
	if (to >= KILLED)
		assert_false(timer_is_set(&inst->clock));
	if (to == ENDED)
		assert_int_equal(pool.instances.len, 0);
}

static void
every_cell_leads_where_it_must(void **state)
{
	for (int s = 0; s < INSTANCE_STATES; s++)
		for (int e = 0; e < INSTANCE_EVENTS; e++)
			for (int works = 0; works <= 1; works++) {
				teardown(NULL);
				setup(NULL);
				walk(s, e, works);
			}
}

/* ---- what it is for ---- */

static void
it_is_asked_to_end_before_it_is_killed(void **state)
{
	struct instance *inst = in_state(UP, NULL);

	instance_retire(inst);
	assert_int_equal(did.closes, 1);
	assert_true(instance_is_ending(inst));
	instance_event(inst, INSTANCE_ON_TIME, NULL);
	assert_int_equal(did.terms, 1);
	assert_int_equal(did.kills, 0);
	instance_event(inst, INSTANCE_ON_TIME, NULL);
	assert_int_equal(did.kills, 1);
}

static void
one_that_is_retired_twice_has_no_more_time(void **state)
{
	struct instance *inst = in_state(INSTANCE_TERMINATING, NULL);

	instance_retire(inst);
	assert_int_equal(did.closes, 1);
	instance_event(inst, INSTANCE_ON_TIME, NULL);
	assert_int_equal(inst->state, KILLED);
}

static void
it_waits_for_a_conversation_only_while_it_is_idle(void **state)
{
	struct conversation c = idle_conversation();
	struct instance *inst = in_state(UP, NULL);
	struct error e = { 0 };

	assert_true(timer_is_set(&inst->clock));
	assert_true(instance_join(&c, &e));
	assert_int_equal(did.starts, 1);
	assert_false(timer_is_set(&inst->clock));
	assert_false(instance_is_idle(inst));
	conversation_event(&c, ON_RETIRE, NULL);
	assert_true(timer_is_set(&inst->clock));
	assert_true(instance_is_idle(inst));
	assert_int_equal(did.limits, 1);
}

static void
a_closed_one_ends_with_its_last_turn(void **state)
{
	struct conversation a = busy_conversation();
	struct conversation b = busy_conversation();
	struct conversation idle = idle_conversation();
	struct conversation later = idle_conversation();
	struct instance *inst = in_state(UP, &a);
	struct error e = { 0 };

	assert_true(instance_join(&b, &e));
	assert_true(instance_join(&idle, &e));
	instance_close(inst);
	assert_int_equal(did.retires, 1);
	assert_false(instance_takes_turns(inst));
	assert_true(instance_join(&later, &e));
	assert_int_equal(did.starts, 2);
	conversation_event(&a, ON_END, NULL);
	assert_int_equal(inst->state, CLOSED);
	conversation_event(&b, ON_END, NULL);
	assert_int_equal(inst->state, ENDING);
	conversation_event(&later, ON_RETIRE, NULL);
}

static void
a_stale_one_ends_with_its_last_conversation(void **state)
{
	struct conversation c = idle_conversation();
	struct instance *inst = in_state(UP, &c);

	pool.generation++;
	assert_false(instance_takes_turns(inst));
	assert_int_equal(inst->state, UP);
	conversation_event(&c, ON_RETIRE, NULL);
	assert_int_equal(inst->state, ENDING);
}

static void
one_that_has_had_many_conversations_ends_with_the_last(void **state)
{
	struct conversation c = idle_conversation();
	struct instance *inst = in_state(UP, &c);

	inst->joined = MAX_CONVERSATIONS;
	conversation_event(&c, ON_RETIRE, NULL);
	assert_int_equal(inst->state, ENDING);
}

static void
a_crash_is_that_of_each_session_with_a_turn(void **state)
{
	struct conversation a = busy_conversation();
	struct conversation b = idle_conversation();
	struct instance *inst = in_state(UP, &a);
	struct error e = { 0 };

	assert_true(instance_join(&b, &e));
	inst->program.ended(&inst->program);
	assert_int_equal(did.crashes, 1);
	assert_int_equal(did.exits, 2);
	assert_int_equal(did.code, ERR_CRASHED);
}

static void
an_end_that_was_asked_for_is_no_crash(void **state)
{
	struct conversation a = busy_conversation();
	struct instance *inst = in_state(UP, &a);

	instance_retire(inst);
	inst->program.ended(&inst->program);
	assert_int_equal(did.crashes, 0);
	assert_int_equal(did.exits, 1);
}

static void
a_line_that_is_not_understood_fails_all(void **state)
{
	struct conversation a = busy_conversation();
	struct instance *inst = in_state(UP, &a);

	inst->program.heard(&inst->program, STR("?"));
	assert_int_equal(inst->state, KILLED);
	assert_int_equal(did.code, ERR_HARNESS);
	did.exits = 0;
	inst->program.heard(&inst->program, STR("?"));
	assert_int_equal(did.exits, 0);
}

static void
hands_are_shaken_with_all_that_have_waited(void **state)
{
	struct conversation a = busy_conversation();
	struct conversation b = busy_conversation();
	struct instance *inst = in_state(STARTING, &a);
	struct error e = { 0 };

	assert_true(instance_join(&b, &e));
	assert_int_equal(did.handshakes, 0);
	instance_ready(inst);
	assert_int_equal(did.handshakes, 2);
	conversation_event(&b, ON_END, NULL);
	conversation_event(&a, ON_END, NULL);
}

static void
one_whose_handshake_fails_is_none(void **state)
{
	struct conversation c = busy_conversation();
	struct error e = { 0 };

	fails_handshake = true;
	assert_false(instance_join(&c, &e));
	assert_int_equal(e.code, ERR_HARNESS);
	assert_int_equal(did.kills, 1);
}

static void
a_program_that_does_not_start_leaves_nothing(void **state)
{
	struct conversation c = busy_conversation();
	struct error e = { 0 };

	may_start = false;
	assert_false(instance_ensure(&pool, "/work", &e));
	assert_int_equal(e.code, ERR_SYSTEM);
	assert_int_equal(pool.instances.len, 0);
	harness.shares = 0;
	e.code = ERR_NONE;
	assert_false(instance_start_for(&c, &e));
	assert_int_equal(pool.instances.len, 0);
	instance_leave(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(every_cell_leads_where_it_must),
		TEST(it_is_asked_to_end_before_it_is_killed),
		TEST(one_that_is_retired_twice_has_no_more_time),
		TEST(it_waits_for_a_conversation_only_while_it_is_idle),
		TEST(a_closed_one_ends_with_its_last_turn),
		TEST(a_stale_one_ends_with_its_last_conversation),
		TEST(one_that_has_had_many_conversations_ends_with_the_last),
		TEST(a_crash_is_that_of_each_session_with_a_turn),
		TEST(an_end_that_was_asked_for_is_no_crash),
		TEST(a_line_that_is_not_understood_fails_all),
		TEST(hands_are_shaken_with_all_that_have_waited),
		TEST(one_whose_handshake_fails_is_none),
		TEST(a_program_that_does_not_start_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
