/* Whether a session's earlier prompt was charged anew: a verdict, or none */
#include "unit.h"

#include "workers/cli/cache_use.h"

static const struct amount unknown;

static struct cache_use
used(uint64_t before, struct amount all, struct amount cached)
{
	const struct prompt_tokens first = { all, cached };

	return cache_use_of(before, true, &first);
}

static void
is(struct cache_use u, uint64_t expected, uint64_t cached, uint64_t fresh,
   bool rebilled)
{
	assert_true(u.expected.is_known && u.cached.is_known &&
		    u.fresh.is_known && u.rebilled.is_known);
	assert_int_equal(u.expected.count, expected);
	assert_int_equal(u.cached.count, cached);
	assert_int_equal(u.fresh.count, fresh);
	assert_int_equal(u.rebilled.count, rebilled);
}

static void
is_none(struct cache_use u)
{
	assert_false(u.expected.is_known || u.cached.is_known ||
		     u.fresh.is_known || u.rebilled.is_known);
}

static void
a_prompt_that_is_not_in_the_cache_is_charged_anew(void **state)
{
	is(used(1000, amount_of(1100), amount_of(0)), 1000, 0, 1100, true);
	/* What is the same in all conversations is there. */
	is(used(20000, amount_of(20100), amount_of(6000)), 20000, 6000, 14100,
	   true);
}

static void
one_that_is_there_is_not(void **state)
{
	is(used(1000, amount_of(1100), amount_of(990)), 1000, 990, 110, false);
	/* However much is new. */
	is(used(1000, amount_of(50000), amount_of(990)), 1000, 990, 49010,
	   false);
	is(used(1000, amount_of(700), amount_of(400)), 1000, 400, 300, false);
}

static void
without_numbers_there_is_no_verdict(void **state)
{
	const struct prompt_tokens first = { amount_of(1100), amount_of(0) };

	is_none(used(0, amount_of(1100), amount_of(0)));
	is_none(used(1000, unknown, amount_of(0)));
	is_none(used(1000, amount_of(1100), unknown));
	is_none(used(1000, amount_of(10), amount_of(11)));
	is_none(cache_use_of(1000, false, &first));
}

static void
a_conversation_that_was_summarised_is_another_prompt(void **state)
{
	is_none(used(1000, amount_of(400), amount_of(0)));
}

static struct cache_use
turn(struct session *s, bool goes_on, struct prompt_tokens first,
     struct amount last)
{
	struct usage u = { .input = first.all,
			   .cached = first.cached,
			   .first = first,
			   .last = { last, unknown } };

	cache_use_judge(s, &u, goes_on);
	return u.cache;
}

#define PROMPT(all, cached) \
	((struct prompt_tokens){ amount_of(all), amount_of(cached) })

static void
a_turn_is_compared_with_the_last_prompt_of_the_one_before(void **state)
{
	struct session s = { 0 };

	is_none(turn(&s, false, PROMPT(100, 40), amount_of(300)));
	is(turn(&s, true, PROMPT(310, 0), amount_of(500)), 300, 0, 310, true);
	is(turn(&s, true, PROMPT(510, 490), amount_of(510)), 500, 490, 20,
	   false);
	/* Of one that goes back, or begins anew, nothing is expected. */
	is_none(turn(&s, false, PROMPT(520, 0), amount_of(520)));
	is(turn(&s, true, PROMPT(530, 510), amount_of(530)), 520, 510, 20,
	   false);
	/* What was shown before is shown still. */
	is_none(turn(&s, true, (struct prompt_tokens){ 0 }, unknown));
	is(turn(&s, true, PROMPT(600, 0), unknown), 530, 0, 600, true);
	is_none(turn(&s, false, (struct prompt_tokens){ 0 }, unknown));
	is_none(turn(&s, true, PROMPT(600, 0), amount_of(600)));
}

/* To a CLI, a vendor without a cache is one that never finds anything. */
static void
a_vendor_that_tells_of_no_cache_is_believed_to_have_none(void **state)
{
	struct session s = { 0 };

	is_none(turn(&s, false, PROMPT(100, 0), amount_of(100)));
	is_none(turn(&s, true, PROMPT(200, 0), amount_of(200)));
	is(turn(&s, true, PROMPT(300, 190), amount_of(300)), 200, 190, 110,
	   false);
	is(turn(&s, true, PROMPT(400, 0), amount_of(400)), 300, 0, 400, true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_prompt_that_is_not_in_the_cache_is_charged_anew),
		cmocka_unit_test(one_that_is_there_is_not),
		cmocka_unit_test(without_numbers_there_is_no_verdict),
		cmocka_unit_test(
			a_conversation_that_was_summarised_is_another_prompt),
		cmocka_unit_test(
			a_turn_is_compared_with_the_last_prompt_of_the_one_before),
		cmocka_unit_test(
			a_vendor_that_tells_of_no_cache_is_believed_to_have_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
