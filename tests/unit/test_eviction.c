/* What workers/cli/eviction promises. */
#include "unit.h"

#include "workers/cli/eviction.h"

enum { MANY = 8 };

static struct worker worker;
static struct harness harness;
static struct pool pool;
static struct instance instance;
static struct conversation conversations[MANY];
static struct turn turn;
static char ended[64]; /* their numbers, in this order */

void
conversation_retire(struct conversation *c)
{
	size_t n = strlen(ended);

	snprintf(ended + n, sizeof ended - n, "%u", c->number);
	c->state = CONVERSATION_LEAVING;
}

bool
instance_is_idle(const struct instance *inst)
{
	return inst->state == INSTANCE_UP && !inst->conversations.len;
}

bool
instance_is_ending(const struct instance *inst)
{
	return inst->state == INSTANCE_ENDING;
}

void
instance_retire(struct instance *inst)
{
	size_t n = strlen(ended);

	snprintf(ended + n, sizeof ended - n, "i");
	inst->state = INSTANCE_ENDING;
}

static int
setup(void **state)
{
	memset(conversations, 0, sizeof conversations);
	memset(&instance, 0, sizeof instance);
	memset(ended, 0, sizeof ended);
	worker = (struct worker){ .harness.max_idle = 2,
				  .harness.max_parked = 3 };
	pool = (struct pool){ .worker = &worker, .harness = &harness };
	list_init(&pool.conversations);
	list_init(&pool.instances);
	return 0;
}

static struct conversation *
add(enum conversation_state state, unsigned background)
{
	size_t n = pool.conversations.len;
	struct conversation *c = &conversations[n];

	*c = (struct conversation){ .pool = &pool,
				    .instance = &instance,
				    .state = state,
				    .number = (unsigned)n,
				    .background = background };
	list_append(&pool.conversations, &c->node);
	return c;
}

static void
the_one_that_was_idle_longest_goes_first(void **state)
{
	struct conversation *first = add(CONVERSATION_IDLE, 0);

	add(CONVERSATION_IDLE, 0);
	add(CONVERSATION_BUSY, 0);
	evict_surplus(&pool);
	assert_string_equal(ended, "");
	evict_behind(first);
	add(CONVERSATION_IDLE, 0);
	evict_surplus(&pool);
	assert_string_equal(ended, "1");
}

static void
as_many_may_work_by_themselves(void **state)
{
	add(CONVERSATION_IDLE, 1);
	add(CONVERSATION_IDLE, 0);
	add(CONVERSATION_ALONE, 0);
	add(CONVERSATION_IDLE, 0);
	evict_surplus(&pool);
	assert_string_equal(ended, "");
	add(CONVERSATION_ALONE, 2);
	evict_surplus(&pool);
	assert_string_equal(ended, "0");
}

static void
the_one_that_has_waited_longest_for_results_goes_first(void **state)
{
	struct conversation *first = add(CONVERSATION_PARKED, 0);

	first->turn = &turn; /* they have come */
	for (int i = 0; i < 3; i++)
		add(CONVERSATION_PARKED, 0);
	evict_surplus(&pool);
	assert_string_equal(ended, "");
	add(CONVERSATION_PARKED, 0);
	evict_surplus(&pool);
	assert_string_equal(ended, "1");
}

static void
one_that_waits_for_results_ends_last_to_make_room(void **state)
{
	add(CONVERSATION_PARKED, 0);
	add(CONVERSATION_ALONE, 0);
	add(CONVERSATION_IDLE, 0);
	assert_false(evict_for_room(&pool));
	assert_string_equal(ended, "210");
}

static void
one_for_which_a_turn_waits_is_none_of_them(void **state)
{
	add(CONVERSATION_ALONE, 0)->turn = &turn;
	add(CONVERSATION_ALONE, 0);
	add(CONVERSATION_ALONE, 0);
	evict_surplus(&pool);
	assert_string_equal(ended, "");
}

static void
what_does_nothing_ends_for_other_settings_and_what_works_goes_on(void **state)
{
	add(CONVERSATION_IDLE, 1);
	add(CONVERSATION_ALONE, 0);
	add(CONVERSATION_SPARE, 0);
	add(CONVERSATION_IDLE, 0);
	add(CONVERSATION_BUSY, 0);
	evict_idle(&pool);
	assert_string_equal(ended, "23");
}

static void
work_by_itself_ends_only_if_nothing_else_makes_room(void **state)
{
	struct instance idle = { .state = INSTANCE_UP };

	list_init(&idle.conversations);
	list_append(&pool.instances, &idle.node);
	add(CONVERSATION_ALONE, 0);
	assert_true(evict_for_room(&pool));
	assert_string_equal(ended, "i");
	idle.state = INSTANCE_CLOSED;
	assert_false(evict_for_room(&pool));
	assert_string_equal(ended, "i0");
}

static void
short_memory_takes_one_at_a_time_and_work_last(void **state)
{
	assert_false(evict_for_memory(&pool));
	add(CONVERSATION_IDLE, 1);
	add(CONVERSATION_IDLE, 0);
	assert_false(evict_for_memory(&pool));
	worker.harness.min_free_mb = UINT64_MAX;
	assert_true(evict_for_memory(&pool));
	assert_string_equal(ended, "1");
	assert_true(evict_for_memory(&pool));
	assert_string_equal(ended, "10");
	assert_false(evict_for_memory(&pool));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, setup)
		TEST(the_one_that_was_idle_longest_goes_first),
		TEST(as_many_may_work_by_themselves),
		TEST(the_one_that_has_waited_longest_for_results_goes_first),
		TEST(one_that_waits_for_results_ends_last_to_make_room),
		TEST(one_for_which_a_turn_waits_is_none_of_them),
		TEST(what_does_nothing_ends_for_other_settings_and_what_works_goes_on),
		TEST(work_by_itself_ends_only_if_nothing_else_makes_room),
		TEST(short_memory_takes_one_at_a_time_and_work_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
