/* What workers/cli/conversation promises: every cell of its table is walked. */
#include "unit.h"

#include "workers/cli/conversation.h"
#include "workers/cli/eviction.h"
#include "workers/cli/pool.h"
#include "workers/cli/prompt.h"
#include "workers/cli/spares.h"

/* ---- what is around it: a pool, an instance, turns and a harness ---- */

struct asked {
	struct turn turn;
	unsigned told; /* how often its end was told */
	struct outcome outcome;
};

static struct {
	unsigned kills, retires, leaves, says, interrupts, handshakes, idles;
	unsigned trials, closes, own_interrupts, counts;
	struct buf text; /* of turns */
} did;

static struct worker worker;
static struct pool pool;
static struct executor executor;
static struct harness harness;
static struct instance instance;
static struct asked turn;
static bool ends_on_interrupt, exits_on_close;
static struct error another;

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
	conversation_say(c, "model", NULL, 0);
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

static struct error why;

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

static struct conversation *
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
	if (state == CONVERSATION_STOPPING)
		conversation_stop(c, &why);
	if (state == CONVERSATION_LEAVING)
		conversation_break(c, &why);
	return c;
}

static int
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
	harness = (struct harness){ .handshake = handshake,
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
	ends_on_interrupt = exits_on_close = false;
	return 0;
}

static int
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

/* ---- the table ---- */

#define SPARE CONVERSATION_SPARE
#define STARTING CONVERSATION_STARTING
#define IDLE CONVERSATION_IDLE
#define BUSY CONVERSATION_BUSY
#define QUEUED CONVERSATION_QUEUED
#define STOPPING CONVERSATION_STOPPING
#define ALONE CONVERSATION_ALONE
#define LEAVING CONVERSATION_LEAVING

/* clang-format off */
static const enum conversation_state
wanted[CONVERSATION_STATES][CONVERSATION_EVENTS] = {
	/*            SPARE     TAKEN     TURN      READY     END       BREAK     LOST      ALONE     SILENT    SIGN      BACKGR.   STOP      TIME      RETIRE    EXIT */
	[SPARE]    = { SPARE,    STARTING, SPARE,    SPARE,    SPARE,    LEAVING,  SPARE,    SPARE,    SPARE,    SPARE,    SPARE,    SPARE,    LEAVING,  LEAVING,  LEAVING },
	[STARTING] = { STARTING, STARTING, STARTING, BUSY,     LEAVING,  LEAVING,  LEAVING,  STARTING, STARTING, STARTING, STARTING, LEAVING,  LEAVING,  LEAVING,  LEAVING },
	[IDLE]     = { IDLE,     IDLE,     BUSY,     IDLE,     IDLE,     LEAVING,  IDLE,     ALONE,    IDLE,     IDLE,     IDLE,     IDLE,     LEAVING,  LEAVING,  LEAVING },
	[BUSY]     = { BUSY,     BUSY,     BUSY,     BUSY,     IDLE,     LEAVING,  LEAVING,  QUEUED,   BUSY,     BUSY,     BUSY,     STOPPING, LEAVING,  LEAVING,  LEAVING },
	[QUEUED]   = { QUEUED,   QUEUED,   QUEUED,   QUEUED,   IDLE,     LEAVING,  LEAVING,  QUEUED,   BUSY,     QUEUED,   QUEUED,   LEAVING,  LEAVING,  LEAVING,  LEAVING },
	[STOPPING] = { STOPPING, STOPPING, STOPPING, STOPPING, IDLE,     LEAVING,  STOPPING, ALONE,    STOPPING, STOPPING, STOPPING, STOPPING, LEAVING,  LEAVING,  LEAVING },
	[ALONE]    = { ALONE,    ALONE,    ALONE,    ALONE,    ALONE,    LEAVING,  ALONE,    ALONE,    IDLE,     ALONE,    ALONE,    ALONE,    LEAVING,  LEAVING,  LEAVING },
	[LEAVING]  = { LEAVING,  LEAVING,  LEAVING,  LEAVING,  LEAVING,  LEAVING,  LEAVING,  LEAVING,  LEAVING,  LEAVING,  LEAVING,  LEAVING,  LEAVING,  LEAVING,  LEAVING },
};
/* clang-format on */

static void
walk(enum conversation_state state, enum conversation_event event)
{
	const struct outcome o = { .error = event == ON_END ? NULL : &why };
	struct conversation *c = in_state(state);
	bool had_turn;

	assert_int_equal(c->state, state);
	if (event == ON_TURN && conversation_is_free(c)) {
		memset(&turn, 0, sizeof turn);
		conversation_give(c, &turn.turn);
	} else {
		had_turn = c->turn;
		conversation_event(c, event, &o);
		if (!c->turn && had_turn)
			assert_int_equal(turn.told, 1);
	}
	if (c->state != wanted[state][event])
		fail_msg("state %d, event %d: is %d, not %d", state, event,
			 c->state, wanted[state][event]);
	if (c->turn)
		assert_int_equal(turn.told, 0);
	if (c->state == LEAVING)
		assert_null(c->turn);
}

static void
every_cell_leads_where_it_must(void **state)
{
	for (int s = 0; s < CONVERSATION_STATES; s++)
		for (int e = 0; e < CONVERSATION_EVENTS; e++)
			for (int way = 0; way < 4; way++) {
				teardown(NULL);
				setup(NULL);
				harness.shares = way % 2;
				worker.harness.interrupts_own = way / 2;
				walk(s, e);
			}
}

/* ---- what it is for ---- */

static void
a_turn_that_is_stopped_is_over_at_once(void **state)
{
	struct conversation *c = in_state(BUSY);
	struct asked next = { 0 };

	conversation_stop(c, &why);
	assert_int_equal(turn.told, 1);
	assert_ptr_equal(turn.outcome.error, &why);
	assert_int_equal(did.interrupts, 1);
	assert_true(conversation_is_free(c));

	conversation_give(c, &next.turn);
	assert_int_equal(did.says, 1);
	conversation_finish(c, FINISH_STOP, NULL, NULL); /* of the first */
	assert_int_equal(next.told, 0);
	assert_int_equal(did.says, 2);
	conversation_finish(c, FINISH_STOP, NULL, NULL);
	assert_int_equal(next.told, 1);
	assert_null(next.outcome.error);
}

static void
a_cli_may_stop_at_once(void **state)
{
	struct conversation *c = in_state(BUSY);

	ends_on_interrupt = true;
	conversation_stop(c, &why);
	assert_int_equal(turn.told, 1);
	assert_ptr_equal(turn.outcome.error, &why);
	assert_int_equal(c->state, IDLE);
}

static void
a_turn_that_only_waited_can_begin_elsewhere(void **state)
{
	struct conversation *c = in_state(STOPPING);
	struct asked next = { 0 };

	conversation_give(c, &next.turn);
	conversation_event(c, ON_TIME, NULL);
	assert_int_equal(next.told, 1);
	assert_true(next.outcome.not_begun);
	assert_false(turn.outcome.not_begun);
}

static void
one_that_is_dismissed_stops_first(void **state)
{
	struct conversation *c = in_state(STOPPING);

	conversation_dismiss(c);
	assert_int_equal(c->state, STOPPING);
	assert_false(conversation_is_free(c));
	conversation_finish(c, FINISH_STOP, NULL, NULL);
	assert_int_equal(c->state, LEAVING);
}

static void
a_process_that_ends_while_it_is_left_changes_no_outcome(void **state)
{
	struct conversation *c;

	harness.shares = 1;
	exits_on_close = true;
	c = in_state(BUSY);
	conversation_break(c, &why);
	assert_int_equal(turn.told, 1);
	assert_ptr_equal(turn.outcome.error, &why);
}

static void
a_conversation_that_is_retired_under_its_turn_fails_it(void **state)
{
	conversation_retire(in_state(BUSY));
	assert_int_equal(turn.told, 1);
	assert_non_null(turn.outcome.error);
}

static void
words_between_turns_are_in_no_answer(void **state)
{
	struct conversation *c = in_state(ALONE);
	auto_free char *meanwhile = NULL;
	struct asked next = { 0 };

	conversation_text(c, STR("by itself"));
	conversation_give(c, &next.turn);
	conversation_text(c, STR(", and on"));
	assert_int_equal(did.says, 1);
	conversation_falls_silent(c);
	assert_int_equal(did.says, 2);
	conversation_text(c, STR("the answer"));
	meanwhile = conversation_take_meanwhile(c);
	assert_string_equal(meanwhile, "by itself, and on");
	assert_str(buf_str(&did.text), "the answer");
	assert_null(conversation_take_meanwhile(c));
}

static void
a_turn_that_was_said_first_may_come_second(void **state)
{
	struct conversation *c = in_state(BUSY);

	conversation_speaks_alone(c);
	conversation_text(c, STR("not ours"));
	conversation_falls_silent(c);
	conversation_text(c, STR("ours"));
	conversation_finish(c, FINISH_STOP, NULL, NULL);
	assert_str(buf_str(&did.text), "ours");
	assert_int_equal(turn.told, 1);
}

static void
a_turn_of_the_clis_own_is_not_interrupted_for_another(void **state)
{
	struct conversation *c = in_state(QUEUED);

	conversation_stop(c, &why);
	assert_int_equal(did.interrupts, 0);
	assert_int_equal(turn.told, 1);
	assert_int_equal(did.kills, 1);
}

static void
a_turn_behind_one_of_the_clis_own_is_taken_back(void **state)
{
	struct conversation *c = in_state(QUEUED);

	harness.recalls = true;
	conversation_stop(c, &why);
	assert_int_equal(did.interrupts, 1);
	assert_int_equal(turn.told, 1);
	assert_int_equal(c->state, STOPPING);
	conversation_speaks_alone(c);
	assert_int_equal(c->state, ALONE);
	conversation_falls_silent(c);
	assert_int_equal(c->state, IDLE);
	assert_int_equal(did.kills, 0);
}

static void
a_turn_waits_for_the_end_of_one_of_the_clis_own(void **state)
{
	struct conversation *c = in_state(ALONE);
	struct asked next = { 0 };

	conversation_give(c, &next.turn);
	assert_int_equal(did.own_interrupts, 0);
	assert_int_equal(did.says, 1);
	conversation_falls_silent(c);
	assert_int_equal(did.says, 2);
}

static void
a_turn_may_interrupt_one_of_the_clis_own(void **state)
{
	struct conversation *c = in_state(ALONE);
	struct asked dropped = { 0 }, next = { 0 };

	worker.harness.interrupts_own = true;
	conversation_give(c, &dropped.turn);
	assert_int_equal(did.own_interrupts, 1);
	conversation_stop(c, &why);
	conversation_give(c, &next.turn);
	assert_int_equal(did.own_interrupts, 1);
	assert_int_equal(did.says, 1); /* not before the CLI has ended */
	conversation_falls_silent(c);
	assert_int_equal(did.says, 2);
	assert_int_equal(did.interrupts, 0);

	conversation_finish(c, FINISH_STOP, NULL, NULL);
	conversation_speaks_alone(c);
	conversation_give(c, &next.turn);
	assert_int_equal(did.own_interrupts, 2);
}

static void
a_turn_of_the_clis_own_may_end_as_soon_as_it_is_interrupted(void **state)
{
	struct conversation *c = in_state(ALONE);
	struct asked next = { 0 };

	worker.harness.interrupts_own = ends_on_interrupt = true;
	conversation_give(c, &next.turn);
	assert_int_equal(c->state, BUSY);
	assert_int_equal(did.says, 2);
	assert_int_equal(next.told, 0);
}

static void
a_turn_that_waits_for_a_stopped_one_interrupts_what_follows_that(void **state)
{
	struct conversation *c = in_state(STOPPING);
	struct asked next = { 0 };

	worker.harness.interrupts_own = true;
	conversation_give(c, &next.turn);
	assert_int_equal(did.own_interrupts, 0);
	conversation_speaks_alone(c);
	assert_int_equal(did.own_interrupts, 1);
}

/* It may have begun already when the interrupt is read. */
static void
a_turn_that_was_said_is_not_put_at_risk_by_an_interrupt(void **state)
{
	worker.harness.interrupts_own = true;
	assert_int_equal(in_state(QUEUED)->state, QUEUED);
	assert_int_equal(did.own_interrupts, 0);
}

static void
the_end_of_a_stopped_turn_moves_no_mark(void **state)
{
	struct conversation *c = in_state(BUSY);

	conversation_mark(c, "one");
	conversation_stop(c, &why);
	conversation_mark(c, "two");
	assert_string_equal(c->position, "one");
}

static void
too_much_between_turns_is_cut(void **state)
{
	struct conversation *c = in_state(ALONE);
	auto_free char *meanwhile = NULL;

	for (size_t n = 0; n < MAX_MEANWHILE; n++)
		conversation_text(c, STR("é"));
	meanwhile = conversation_take_meanwhile(c);
	assert_int_equal(strlen(meanwhile), MAX_MEANWHILE);
}

static void
a_spare_may_be_ready_before_it_is_taken(void **state)
{
	const struct conversation_plan plan = { .session = "s" };
	struct conversation *c = in_state(SPARE);

	conversation_ready(c);
	conversation_adopt(c, &plan);
	conversation_give(c, &turn.turn);
	assert_int_equal(did.says, 0);
	conversation_event(c, ON_TIME, NULL);
	assert_int_equal(did.says, 1);
	assert_int_equal(c->state, BUSY);
}

static void
its_own_turn_has_a_limit_even_if_silence_has_none(void **state)
{
	struct conversation *c;
	struct asked next = { 0 };

	worker.harness.timeout_ms = 0;
	worker.harness.background_ms = 60000;
	c = in_state(ALONE);
	assert_true(timer_is_set(&c->clock));
	conversation_give(c, &next.turn);
	c->last_turn -= 60000;
	conversation_event(c, ON_TIME, NULL);
	assert_int_equal(c->state, LEAVING);
	assert_int_equal(next.told, 1);
	assert_true(next.outcome.not_begun);
	assert_int_equal(next.outcome.error->code, ERR_TIMEOUT);
}

static void
the_end_of_its_own_turn_does_not_lengthen_its_life(void **state)
{
	struct conversation *c = in_state(ALONE);

	c->last_turn -= 1000; /* idle_ms */
	conversation_falls_silent(c);
	assert_int_equal(c->state, IDLE);
	assert_true(c->clock.due / 1000 <= loop_now() + 1);
}

static void
one_that_works_by_itself_is_counted(void **state)
{
	struct conversation *c = in_state(IDLE);

	conversation_speaks_alone(c);
	assert_int_equal(did.counts, 1);
}

static void
one_that_is_stale_ends_with_its_work_in_the_background(void **state)
{
	struct conversation *c = in_state(IDLE);

	conversation_background(c, 1);
	pool.generation++;
	assert_int_equal(c->state, IDLE);
	conversation_background(c, 0);
	assert_int_equal(c->state, LEAVING);
	assert_int_equal(did.retires, 1);
}

static void
the_name_default_is_no_model(void **state_)
{
	struct conversation c = { 0 };

	conversation_take_model(&c, "small");
	assert_string_equal(c.model, "small");
	conversation_take_model(&c, "default");
	assert_null(c.model);
	conversation_take_model(&c, NULL);
	assert_null(c.model);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(every_cell_leads_where_it_must),
		TEST(a_turn_that_is_stopped_is_over_at_once),
		TEST(a_cli_may_stop_at_once),
		TEST(a_turn_that_only_waited_can_begin_elsewhere),
		TEST(one_that_is_dismissed_stops_first),
		TEST(a_process_that_ends_while_it_is_left_changes_no_outcome),
		TEST(a_conversation_that_is_retired_under_its_turn_fails_it),
		TEST(words_between_turns_are_in_no_answer),
		TEST(a_turn_that_was_said_first_may_come_second),
		TEST(a_turn_of_the_clis_own_is_not_interrupted_for_another),
		TEST(a_turn_behind_one_of_the_clis_own_is_taken_back),
		TEST(a_turn_waits_for_the_end_of_one_of_the_clis_own),
		TEST(a_turn_may_interrupt_one_of_the_clis_own),
		TEST(a_turn_of_the_clis_own_may_end_as_soon_as_it_is_interrupted),
		TEST(a_turn_that_waits_for_a_stopped_one_interrupts_what_follows_that),
		TEST(a_turn_that_was_said_is_not_put_at_risk_by_an_interrupt),
		TEST(the_end_of_a_stopped_turn_moves_no_mark),
		TEST(too_much_between_turns_is_cut),
		TEST(the_name_default_is_no_model),
		TEST(a_spare_may_be_ready_before_it_is_taken),
		TEST(its_own_turn_has_a_limit_even_if_silence_has_none),
		TEST(the_end_of_its_own_turn_does_not_lengthen_its_life),
		TEST(one_that_works_by_itself_is_counted),
		TEST(one_that_is_stale_ends_with_its_work_in_the_background),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
