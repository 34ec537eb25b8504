/* a connection's table leaves nobody waiting, and ends whoever is gone */
#include "gateway/http/connection.h"
#include "tests/unit/unit.h"

static const char *const names[CONN_STATES] = {
	"IDLE",	     "HEAD",	 "READING", "REFUSED", "WAITING",
	"STREAMING", "ANSWERED", "CLOSING", "CLOSED",
};

static enum connection_state state;

static void
happens(enum connection_event event, const char *want)
{
	state = connection_next(state, event);
	assert_string_equal(names[state], want);
}

static void
begin(void)
{
	state = CONN_IDLE;
	happens(ON_INPUT, "IDLE");
	happens(ON_BEGUN, "HEAD");
	happens(ON_INPUT, "HEAD");
	happens(ON_HEAD, "READING");
}

static void
a_request_is_answered_and_the_next_one_awaited(void **st)
{
	begin();
	happens(ON_INPUT, "READING");
	happens(ON_READ, "WAITING");
	happens(ON_ANSWERED, "ANSWERED");
	happens(ON_KEPT, "IDLE");
}

static void
a_stream_is_opened_and_ended(void **st)
{
	begin();
	happens(ON_READ, "WAITING");
	happens(ON_OPENED, "STREAMING");
	happens(ON_INPUT, "STREAMING");
	happens(ON_ANSWERED, "ANSWERED");
	happens(ON_DONE, "CLOSING");
	happens(ON_INPUT, "CLOSING");
	happens(ON_GONE, "CLOSED");
}

static void
half_a_head_and_a_hang_up_is_the_end(void **st)
{
	state = CONN_IDLE;
	happens(ON_INPUT, "IDLE");
	happens(ON_BEGUN, "HEAD");
	happens(ON_HALF, "CLOSED");
}

static void
who_sends_no_more_still_gets_the_answer(void **st)
{
	begin();
	happens(ON_HALF, "READING");
	happens(ON_READ, "WAITING");
	happens(ON_HALF, "WAITING");
	happens(ON_OPENED, "STREAMING");
	happens(ON_HALF, "STREAMING");
	happens(ON_ANSWERED, "ANSWERED");
	happens(ON_HALF, "ANSWERED");
	happens(ON_DONE, "CLOSING");
}

static void
a_bad_head_and_a_slow_one_are_answered(void **st)
{
	state = CONN_HEAD;
	happens(ON_FAILED, "WAITING");
	happens(ON_ANSWERED, "ANSWERED");
	state = CONN_HEAD;
	happens(ON_TIME, "WAITING");
	begin();
	happens(ON_TIME, "WAITING");
}

static void
a_refused_request_is_read_to_its_end_first(void **st)
{
	begin();
	happens(ON_REFUSED, "REFUSED");
	happens(ON_READ, "WAITING");
}

/* Whatever it does. */
static void
who_is_gone_is_let_go_in_every_state(void **st)
{
	for (int s = 0; s < CONN_CLOSED; s++)
		assert_int_equal(
			connection_next((enum connection_state)s, ON_GONE),
			CONN_CLOSED);
}

static void
what_is_closed_stays_closed(void **st)
{
	for (int e = 0; e < CONN_EVENTS; e++)
		assert_int_equal(
			connection_next(CONN_CLOSED, (enum connection_event)e),
			CONN_CLOSED);
}

/* Only a handler may take its time, and it has deadlines of its own. */
static void
time_ends_every_state_but_waiting(void **st)
{
	for (int s = 0; s < CONN_CLOSED; s++) {
		enum connection_state from = (enum connection_state)s;
		bool stays = connection_next(from, ON_TIME) == from;

		assert_int_equal(stays, from == CONN_WAITING);
	}
}

static void
an_answer_is_given_once(void **st)
{
	for (int s = CONN_ANSWERED; s < CONN_STATES; s++) {
		enum connection_state from = (enum connection_state)s;

		assert_int_equal(connection_next(from, ON_ANSWERED), from);
		assert_int_equal(connection_next(from, ON_OPENED), from);
		assert_int_equal(connection_next(from, ON_FAILED), from);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_request_is_answered_and_the_next_one_awaited),
		cmocka_unit_test(a_stream_is_opened_and_ended),
		cmocka_unit_test(half_a_head_and_a_hang_up_is_the_end),
		cmocka_unit_test(who_sends_no_more_still_gets_the_answer),
		cmocka_unit_test(a_bad_head_and_a_slow_one_are_answered),
		cmocka_unit_test(a_refused_request_is_read_to_its_end_first),
		cmocka_unit_test(who_is_gone_is_let_go_in_every_state),
		cmocka_unit_test(what_is_closed_stays_closed),
		cmocka_unit_test(time_ends_every_state_but_waiting),
		cmocka_unit_test(an_answer_is_given_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
