/* What a conversation promises while its CLI works by itself. */
#include "conversation_world.h"

#include "proto/limits.h"

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

	harness.can |= CAN_RECALL;
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(words_between_turns_are_in_no_answer),
		TEST(a_turn_that_was_said_first_may_come_second),
		TEST(a_turn_of_the_clis_own_is_not_interrupted_for_another),
		TEST(a_turn_behind_one_of_the_clis_own_is_taken_back),
		TEST(a_turn_waits_for_the_end_of_one_of_the_clis_own),
		TEST(a_turn_may_interrupt_one_of_the_clis_own),
		TEST(a_turn_of_the_clis_own_may_end_as_soon_as_it_is_interrupted),
		TEST(a_turn_that_waits_for_a_stopped_one_interrupts_what_follows_that),
		TEST(a_turn_that_was_said_is_not_put_at_risk_by_an_interrupt),
		TEST(too_much_between_turns_is_cut),
		TEST(its_own_turn_has_a_limit_even_if_silence_has_none),
		TEST(the_end_of_its_own_turn_does_not_lengthen_its_life),
		TEST(one_that_works_by_itself_is_counted),
		TEST(one_that_is_stale_ends_with_its_work_in_the_background),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
