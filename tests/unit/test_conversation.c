/* What workers/cli/conversation promises: every cell of its table is walked. */
#include "conversation_world.h"

/* clang-format off */
static const enum conversation_state
wanted[CONVERSATION_STATES][CONVERSATION_EVENTS] = {
	/*            SPARE     TAKEN     TURN      READY     END       PARK      BREAK     LOST      ALONE     SILENT    SIGN      BACKGR.   STOP      TIME      RETIRE    EXIT */
	[SPARE]     = { SPARE,    STARTING, SPARE,    SPARE,    SPARE,    SPARE,    LEAVING,  SPARE,    SPARE,    SPARE,    SPARE,    SPARE,    SPARE,    LEAVING,  LEAVING,  LEAVING },
	[STARTING]  = { STARTING, STARTING, STARTING, BUSY,     LEAVING,  STARTING, LEAVING,  LEAVING,  STARTING, STARTING, STARTING, STARTING, LEAVING,  LEAVING,  LEAVING,  LEAVING },
	[IDLE]      = { IDLE,     IDLE,     BUSY,     IDLE,     IDLE,     IDLE,     LEAVING,  IDLE,     ALONE,    IDLE,     IDLE,     IDLE,     IDLE,     LEAVING,  LEAVING,  LEAVING },
	[BUSY]      = { BUSY,     BUSY,     BUSY,     BUSY,     IDLE,     PARKED,   LEAVING,  LEAVING,  QUEUED,   BUSY,     BUSY,     BUSY,     STOPPING, LEAVING,  LEAVING,  LEAVING },
	[QUEUED]    = { QUEUED,   QUEUED,   QUEUED,   QUEUED,   IDLE,     QUEUED,   LEAVING,  LEAVING,  QUEUED,   BUSY,     QUEUED,   QUEUED,   LEAVING,  LEAVING,  LEAVING,  LEAVING },
	[STOPPING]  = { STOPPING, STOPPING, STOPPING, STOPPING, IDLE,     STOPPING, LEAVING,  STOPPING, ALONE,    STOPPING, STOPPING, STOPPING, STOPPING, LEAVING,  LEAVING,  LEAVING },
	[ALONE]     = { ALONE,    ALONE,    ALONE,    ALONE,    ALONE,    ALONE,    LEAVING,  ALONE,    ALONE,    IDLE,     ALONE,    ALONE,    ALONE,    LEAVING,  LEAVING,  LEAVING },
	[PARKED]    = { PARKED,   PARKED,   BUSY,     PARKED,   LEAVING,  PARKED,   LEAVING,  LEAVING,  LEAVING,  PARKED,   PARKED,   PARKED,   PARKED,   LEAVING,  LEAVING,  LEAVING },
	[LEAVING]   = { LEAVING,  LEAVING,  LEAVING,  LEAVING,  LEAVING,  LEAVING,  LEAVING,  LEAVING,  LEAVING,  LEAVING,  LEAVING,  LEAVING,  LEAVING,  LEAVING,  LEAVING,  LEAVING },
};
/* clang-format on */

static void
walk(enum conversation_state state, enum conversation_event event)
{
	const struct outcome o = { .error = event == ON_END ? NULL : &why };
	struct conversation *c = in_state(state);
	bool had_turn;

	assert_int_equal(c->state, state);
	if (event == ON_TURN && (conversation_is_free(c) || state == PARKED)) {
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
the_end_of_a_stopped_turn_moves_no_mark(void **state)
{
	struct conversation *c = in_state(BUSY);

	conversation_mark(c, "one");
	conversation_stop(c, &why);
	conversation_mark(c, "two");
	assert_string_equal(c->position, "one");
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
		TEST(the_end_of_a_stopped_turn_moves_no_mark),
		TEST(the_name_default_is_no_model),
		TEST(a_spare_may_be_ready_before_it_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
