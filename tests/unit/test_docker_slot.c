/*
 * What docker/slot.h and docker/control.h promise, of an engine that says what
 * a test wants: who looks for the program and who rests, what is tried again
 * and what is not, and that no slot waits for an engine that does not answer.
 */
#include "tests/unit/fake_engine.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "tests/unit/waits.h"
#include "workers/executor/docker/control.h"
#include "workers/executor/docker/run.h"

#define V "/v1.41"
#define IMAGE "GET " V "/images/some/json"
#define LIST "GET " V "/containers/json"
#define LOOK_0 "GET " V "/containers/pool-0/json"
#define CREATE "POST " V "/containers/create"
#define CREATE_0 "POST " V "/containers/create?name=pool-0"
#define CREATE_1 "POST " V "/containers/create?name=pool-1"
#define ATTACH "POST " V "/containers/c/attach"
#define START "POST " V "/containers/c/start"
#define INSPECT "GET " V "/containers/c/json"
#define REMOVE "DELETE " V "/containers/c"
#define CREATE_EXEC "POST " V "/containers/c/exec"
#define START_EXEC "POST " V "/exec/e/start"

enum { SLOTS = 3 };

/* Constants of the product that are waited for as if they were short. */
static struct {
	uint64_t from, to;
} hurried[4];

void __wrap_loop_set(struct loop *, struct timer *, uint64_t, timer_fn *);
void __real_loop_set(struct loop *, struct timer *, uint64_t, timer_fn *);

void
__wrap_loop_set(struct loop *l, struct timer *t, uint64_t ms, timer_fn *fire)
{
	for (size_t i = 0; i < sizeof hurried / sizeof *hurried; i++)
		if (hurried[i].from && ms == hurried[i].from)
			ms = hurried[i].to;
	__real_loop_set(l, t, ms, fire);
}

static uint64_t skipped_ms;
uint64_t __wrap_loop_now(void);
uint64_t __real_loop_now(void);

uint64_t
__wrap_loop_now(void)
{
	return __real_loop_now() + skipped_ms;
}

static void
hurries(uint64_t from, uint64_t to)
{
	size_t i = 0;

	while (hurried[i].from)
		i++;
	hurried[i].from = from;
	hurried[i].to = to;
}

static struct slot_terms terms;
static struct slot slots[SLOTS];
static unsigned changes;

static void
on_changed(struct slot_terms *t)
{
	changes++;
}

static int
setup(void **state)
{
	auto_free char *host = NULL;

	engine_setup();
	memset(hurried, 0, sizeof hurried);
	skipped_ms = changes = 0;
	engine_answers(IMAGE, 200, "{\"Id\": \"one\"}");
	engine_answers(CREATE, 201, "{\"Id\": \"c\"}");
	engine_answers(START, 204, "");
	engine_answers(REMOVE, 204, "");
	engine_streams(ATTACH);
	terms = (struct slot_terms){
		.loop = &engine.loop,
		.name = "mine",
		.program = (char *)"cli",
		.mark = (char *)"mark",
		.home = (char *)"/home",
		.uid_gid = (char *)"0:0",
		.changed = on_changed,
		.settings = { .image = (char *)"some",
			      .prefix = (char *)"pool" },
	};
	host = copy_format("unix://%s", engine.path);
	must((terms.api = docker_api_new(&engine.loop, host, &e)));
	slot_terms_init(&terms);
	for (unsigned n = 0; n < SLOTS; n++) {
		struct mounts none = { 0 };

		slots[n] = (struct slot){ 0 };
		slot_init(&slots[n], &terms, n, &none);
	}
	return 0;
}

static int
teardown(void **state)
{
	for (unsigned n = 0; n < SLOTS; n++)
		slot_fini(&slots[n]);
	docker_api_free(terms.api);
	free(terms.lacking);
	engine_teardown();
	return 0;
}

static void
all_begin(void)
{
	for (unsigned n = 0; n < SLOTS; n++)
		slot_begin(&slots[n]);
}

static bool
has_stream(void)
{
	return engine.stream != NULL;
}

static bool
is_greeting(void)
{
	return slots[0].state == SLOT_GREETING;
}

/* The container of slot 0 has said so; the stream is its. */
static void
the_first_tells(const char *word)
{
	wait_until(&engine.loop, has_stream);
	engine_sends_frame(1, "ready\n");
	wait_until(&engine.loop, is_greeting);
	engine_sends_frame(1, word);
}

static bool
the_first_is_up(void)
{
	return slot_is_up(&slots[0]);
}

static void
the_first_comes_up(void)
{
	slot_begin(&slots[0]);
	the_first_tells("found cli /bin/cli\n");
	wait_until(&engine.loop, the_first_is_up);
}

/* Its container is of no use any more; the next has a stream of its own. */
static void
the_stream_is_left(void)
{
	wait_while(&engine.loop, !engine.input_ended);
	engine_hangs_up();
	engine.input_ended = false;
}

static bool
orders_have(const char *words)
{
	return engine.input.len &&
	       memmem(engine.input.ptr, engine.input.len, words, strlen(words));
}

/* What the pool has asked may still be on its way to the engine. */
static void
is_asked(const char *what, unsigned times)
{
	wait_while(&engine.loop, engine_was_asked(what) < times);
	assert_int_equal(engine_was_asked(what), times);
}

/* Who looks, and who rests */

static void
the_others_rest_until_the_first_is_up(void **state)
{
	all_begin();
	wait_until(&engine.loop, has_stream);
	for (unsigned n = 1; n < SLOTS; n++) {
		assert_int_equal(slots[n].state, SLOT_RESTING);
		assert_true(slot_is_coming(&slots[n]));
	}
	the_first_tells("found cli /bin/cli\n");
	wait_until(&engine.loop, the_first_is_up);
	for (unsigned n = 1; n < SLOTS; n++)
		wait_while(&engine.loop, slots[n].state < SLOT_CREATING);
	is_asked(CREATE, SLOTS);
}

static void
an_image_without_the_program_costs_one_container(void **state)
{
	hurries(1000, 10);
	hurries(2000, 10);
	hurries(4000, 10);
	hurries(8000, 10);
	all_begin();
	the_first_tells("missing cli\n");
	the_stream_is_left();
	wait_while(&engine.loop, engine_was_asked(IMAGE) < 5);
	is_asked(CREATE, 1);
	is_asked(REMOVE, 1);
	for (unsigned n = 0; n < SLOTS; n++) {
		const struct error *e = &slot_in_trouble(&slots[n])->trouble;

		assert_false(slot_is_coming(&slots[n]));
		assert_int_equal(e->code, ERR_NOT_SET_UP);
		assert_non_null(strstr(e->text, "some has no program cli"));
		assert_non_null(strstr(e->text, "MINE_DOCKER_IMAGE"));
	}
	/* Another image of that name. */
	engine_answers(IMAGE, 200, "{\"Id\": \"two\"}");
	the_first_tells("found cli /bin/cli\n");
	wait_until(&engine.loop, the_first_is_up);
	for (unsigned n = 1; n < SLOTS; n++)
		wait_while(&engine.loop, slots[n].state < SLOT_CREATING);
}

static void
it_is_tried_again_after_a_long_time_and_after_a_reload(void **state)
{
	hurries(1000, 10);
	hurries(2000, 10);
	slot_begin(&slots[0]);
	the_first_tells("missing cli\n");
	the_stream_is_left();
	wait_while(&engine.loop, engine_was_asked(IMAGE) < 3);
	is_asked(CREATE, 1);
	skipped_ms = 10 * 60 * 1000;
	the_first_tells("missing cli\n");
	the_stream_is_left();
	wait_while(&engine.loop, slots[0].state != SLOT_WAITING);
	is_asked(CREATE, 2);
	slot_hurry(&slots[0]);
	wait_while(&engine.loop, engine_was_asked(CREATE) < 3);
}

static void
a_slot_with_a_trouble_of_its_own_is_no_scout_for_long(void **state)
{
	engine_answers(LOOK_0, 200,
		       "{\"Config\": {\"Labels\": "
		       "{\"cli-bridge.owner\": \"another\"}}}");
	all_begin();
	wait_while(&engine.loop, !engine_was_asked(CREATE_1));
	is_asked(CREATE, 1);
	assert_int_equal(slots[0].trouble.code, ERR_NOT_SET_UP);
	assert_true(slot_is_coming(&slots[1]));
	assert_true(slot_is_coming(&slots[2]));
}

static void
one_asks_for_an_engine_that_is_not_there(void **state)
{
	hurries(1000, 10);
	hurries(2000, 10);
	engine_goes();
	all_begin();
	wait_while(&engine.loop, slots[0].failures < 3);
	assert_int_equal(slots[1].failures, 0);
	for (unsigned n = 0; n < SLOTS; n++)
		assert_int_equal(slot_in_trouble(&slots[n])->trouble.code,
				 ERR_UNAVAILABLE);
	engine_comes();
	the_first_tells("found cli /bin/cli\n");
	wait_until(&engine.loop, the_first_is_up);
	wait_while(&engine.loop, engine_was_asked(CREATE) < SLOTS);
}

/* Names */

static void
a_name_that_is_never_free_is_a_failure_with_the_engines_words(void **state)
{
	engine_answers(CREATE, 409, "{\"message\": \"the name is in use\"}");
	slot_begin(&slots[0]);
	wait_while(&engine.loop, engine_was_asked(CREATE) < 3);
	assert_int_equal(slots[0].trouble.code, ERR_NONE);
	skipped_ms = 11000;
	wait_while(&engine.loop, !slots[0].trouble.code);
	assert_string_equal(slots[0].trouble.text,
			    "docker: the name is in use (409)");
}

static void
why_it_cannot_be_attached_to_is_told(void **state)
{
	engine_answers(ATTACH, 500, "{\"message\": \"out of luck\"}");
	slot_begin(&slots[0]);
	wait_while(&engine.loop, !slots[0].trouble.code);
	assert_non_null(strstr(slots[0].trouble.text, "out of luck"));
}

static void
a_long_name_of_a_program_is_asked_for_as_it_is(void **state)
{
	char name[1001] = { 0 };
	auto_free char *order = NULL;

	memset(name, 'n', sizeof name - 1);
	order = copy_format("find %s\n", name);
	terms.program = name;
	slot_begin(&slots[0]);
	the_first_tells("");
	wait_while(&engine.loop, !orders_have(order));
}

/* An engine that does not answer */

static struct process process;
static int ends;

static void
on_ended(struct process *p)
{
	ends++;
}

static void
a_run_begins(void)
{
	static const char *const argv[] = { "cli", NULL };
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	ends = 0;
	must(run_start(
		&slots[0], &process,
		&(struct spawn){ .argv = argv, .in = fd, .out = fd, .err = fd },
		on_ended, &e));
	close(fd);
}

static void
a_run_that_the_engine_does_not_start_keeps_no_turn_waiting(void **state)
{
	the_first_comes_up();
	engine_answers(CREATE_EXEC, 201, "{\"Id\": \"e\"}");
	engine_is_silent(START_EXEC);
	a_run_begins();
	wait_while(&engine.loop, !engine_was_asked(START_EXEC));
	run_forget(run_of(&slots[0], &process));
	assert_false(slot_is_free(&slots[0], NULL));
	wait_while(&engine.loop, !orders_have("prove login\n"));
	engine_sends_frame(1, "clean 0\n");
	wait_while(&engine.loop, !slot_is_free(&slots[0], NULL));
	assert_int_equal(slots[0].runs.len, 1); /* it may come even now */
}

static void
a_run_that_the_engine_does_not_create_has_never_been(void **state)
{
	the_first_comes_up();
	engine_is_silent(CREATE_EXEC);
	a_run_begins();
	wait_while(&engine.loop, !engine_was_asked(CREATE_EXEC));
	run_forget(run_of(&slots[0], &process));
	assert_true(slot_is_free(&slots[0], NULL));
	assert_int_equal(slots[0].runs.len, 0);
}

static void
a_container_that_is_silent_is_replaced_and_why_is_told(void **state)
{
	hurries(5000, 20); /* between two questions */
	engine_answers(INSPECT, 200, "{\"State\": {\"Paused\": true}}");
	the_first_comes_up();
	slots[0].turns = 1;
	control_watch(&slots[0]);
	wait_while(&engine.loop, !orders_have("answer\n"));
	engine.input.len = 0;
	engine_sends_frame(1, "answers\n");
	wait_while(&engine.loop, !orders_have("answer\n"));
	skipped_ms = 31000;
	wait_while(&engine.loop, slot_is_up(&slots[0]));
	is_asked(INSPECT, 1);
	is_asked(REMOVE, 1);
}

static void
an_engine_that_is_silent_as_well_is_named(void **state)
{
	hurries(5000, 20);
	hurries(10000, 20); /* for the engine to answer */
	engine_is_silent(INSPECT);
	engine_is_silent(REMOVE);
	the_first_comes_up();
	slots[0].turns = 1;
	a_run_begins();
	control_watch(&slots[0]);
	skipped_ms = 31000;
	wait_while(&engine.loop, slot_is_up(&slots[0]));
	wait_while(&engine.loop, !ends);
	assert_true(slots[0].is_pools_trouble);
}

static void
one_without_turns_is_asked_if_another_has_trouble(void **state)
{
	hurries(5000, 20);
	hurries(10000, 20);
	engine_is_silent(INSPECT);
	engine_is_silent(REMOVE);
	the_first_comes_up();
	slots[0].terms->is_in_trouble = true;
	control_watch(&slots[0]);
	skipped_ms = 11000;
	wait_while(&engine.loop, slot_is_up(&slots[0]));
	assert_true(slots[0].is_pools_trouble);
}

static void
a_container_without_turns_is_not_asked(void **state)
{
	hurries(5000, 5);
	the_first_comes_up();
	control_watch(&slots[0]);
	wait_while(&engine.loop, !orders_have("answer\n"));
	engine_sends_frame(1, "answers\n");
	wait_while(&engine.loop, timer_is_set(&slots[0].beat));
	assert_true(slot_is_up(&slots[0]));
}

/* Its port */

static void
the_port_of_a_container_is_known_as_long_as_that_lives(void **state)
{
	slot_begin(&slots[0]);
	the_first_tells("exposes 0 40961\nfound cli /bin/cli\n");
	wait_until(&engine.loop, the_first_is_up);
	assert_true(orders_have("expose 0 /cli-bridge-net/inlet\nfind cli\n"));
	assert_int_equal(slots[0].inlet_port, 40961);
	engine_hangs_up();
	wait_while(&engine.loop, slot_is_up(&slots[0]));
	assert_int_equal(slots[0].inlet_port, 0);
}

static void
a_container_without_a_port_is_replaced_and_why_is_told(void **state)
{
	slot_begin(&slots[0]);
	the_first_tells("fails 0 Too many open files\n");
	wait_while(&engine.loop, !slots[0].trouble.code);
	assert_non_null(strstr(slots[0].trouble.text, "Too many open files"));
	assert_false(slot_is_up(&slots[0]));
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_others_rest_until_the_first_is_up),
		T(an_image_without_the_program_costs_one_container),
		T(it_is_tried_again_after_a_long_time_and_after_a_reload),
		T(a_slot_with_a_trouble_of_its_own_is_no_scout_for_long),
		T(one_asks_for_an_engine_that_is_not_there),
		T(a_name_that_is_never_free_is_a_failure_with_the_engines_words),
		T(why_it_cannot_be_attached_to_is_told),
		T(a_long_name_of_a_program_is_asked_for_as_it_is),
		T(a_run_that_the_engine_does_not_start_keeps_no_turn_waiting),
		T(a_run_that_the_engine_does_not_create_has_never_been),
		T(a_container_that_is_silent_is_replaced_and_why_is_told),
		T(an_engine_that_is_silent_as_well_is_named),
		T(one_without_turns_is_asked_if_another_has_trouble),
		T(a_container_without_turns_is_not_asked),
		T(the_port_of_a_container_is_known_as_long_as_that_lives),
		T(a_container_without_a_port_is_replaced_and_why_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
