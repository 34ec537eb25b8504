/* Only who likes events better than JSON is streamed to by Accept. */
#include "gateway/accept.h"
#include "tests/unit/unit.h"

#define wishes(text) assert_true(accept_prefers_events(STR(text)))
#define does_not_wish(text) assert_false(accept_prefers_events(STR(text)))

static void
naming_events_alone_is_a_wish(void **state)
{
	wishes("text/event-stream");
	wishes("Text/Event-Stream");
	wishes("text/event-stream; charset=utf-8");
	wishes("text/event-stream;q=0.5");
	wishes("text/html, text/event-stream");
}

static void
naming_both_is_none(void **state)
{
	does_not_wish("application/json, text/event-stream");
	does_not_wish("text/event-stream, application/json");
	does_not_wish("text/event-stream, */*");
	does_not_wish("text/event-stream,application/*");
	does_not_wish("application/json;q=0.5,text/event-stream;q=0.5");
}

static void
the_higher_weight_is_the_wish(void **state)
{
	wishes("text/event-stream, application/json;q=0.9");
	wishes("application/json;q=0.899 , text/event-stream ; Q=0.9");
	wishes("text/event-stream, */*;q=0.1");
	wishes("application/json; q=0, text/event-stream; q=0.001");
	does_not_wish("text/event-stream;q=0.9, application/json");
	does_not_wish("text/event-stream;q=0, application/json;q=0");
}

static void
the_range_that_names_it_best_counts(void **state)
{
	wishes("*/*;q=0.9, application/json;q=0.1, text/event-stream;q=0.5");
	does_not_wish(
		"text/*, text/event-stream;q=0.1, application/json;q=0.5");
}

static void
all_types_or_a_group_are_no_wish(void **state)
{
	does_not_wish("*/*");
	does_not_wish("text/*");
	does_not_wish("text/html,application/xhtml+xml,*/*;q=0.8");
	does_not_wish("application/json");
}

static void
what_can_not_be_understood_is_no_wish(void **state)
{
	assert_false(accept_prefers_events((struct str){ 0 }));
	does_not_wish("");
	does_not_wish(",,;;==/,*");
	does_not_wish("text/event-streams");
	does_not_wish("text/event-stream/x, text");
	does_not_wish("application/json;q=x, text/event-stream;q=0.9");
	does_not_wish("application/json;q=0.9999, text/event-stream;q=0.9");
	does_not_wish("application/json;q, text/event-stream;q=0.9");
	does_not_wish("application/json;q=0., text/event-stream;q=0");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(naming_events_alone_is_a_wish),
		cmocka_unit_test(naming_both_is_none),
		cmocka_unit_test(the_higher_weight_is_the_wish),
		cmocka_unit_test(the_range_that_names_it_best_counts),
		cmocka_unit_test(all_types_or_a_group_are_no_wish),
		cmocka_unit_test(what_can_not_be_understood_is_no_wish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
