/* What the order PROVE of cli-bridge-slot promises. */
#include "slot_world.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

enum { SOMEBODY = 12345 /* a user */, GROWTH_MS = 100 };

static struct slot_world world;
static struct piped run, live;

static int
begins(void **state)
{
	world_begins(&world);
	run_begins(&world, &live, "live", "echo up; exec cat");
	return 0;
}

/* Nothing that a test did has harmed the run that is live. */
static int
ends(void **state)
{
	run_says(&live, "still here");
	run_is_heard(&live, "still here");
	world_ends(&world);
	run_is_over(&live);
	return 0;
}

static void
proves_clean(const char *runs)
{
	struct str told;

	says(&world, "prove %s", runs);
	told = next_line(&world.slot);
	assert_true(str_starts(told, STR("clean ")));
}

/* Tests */

static void
where_nothing_is_left_nothing_is_killed(void **state)
{
	says(&world, "prove live");
	hears(&world, "clean 0");
}

static void
the_killed_are_counted(void **state)
{
	run_begins(&world, &run, "1",
		   "sleep 1000 & sleep 1000 & echo up; exec cat");
	says(&world, "prove 2 live 3");
	hears(&world, "clean 3");
	run_is_over(&run);
}

static void
an_empty_environment_saves_nobody(void **state)
{
	run_begins(&world, &run, "1", "exec env -i sh -c 'echo up; exec cat'");
	proves_clean("live");
	run_is_over(&run);
}

static void
running_away_saves_nobody(void **state)
{
	run_begins(&world, &run, "1",
		   "(setsid env -i sh -c 'echo up; exec sleep 1000' &); "
		   "exec sleep 1000");
	proves_clean("live");
	run_is_over(&run);
}

static void
an_environment_that_only_looks_like_it_saves_nobody(void **state)
{
	run_begins(&world, &run, "live2",
		   "export X=CLI_BRIDGE_RUN=live XCLI_BRIDGE_RUN=live; "
		   "env -u CLI_BRIDGE_RUN sleep 1000 & echo up; cat; exit");
	proves_clean("live");
	run_is_over(&run);
}

static void
the_first_thread_need_not_be_there(void **state)
{
	char script[4200], self[4096] = "";

	assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
	snprintf(script, sizeof script, "exec %s without-first-thread", self);
	run_begins(&world, &run, "1", script);
	proves_clean("live");
	run_is_over(&run);
}

static void
a_live_run_may_empty_an_environment(void **state)
{
	run_begins(&world, &run, "1",
		   "env -i sh -c 'echo up; cat; exit 0'; exit 0");
	says(&world, "prove 1 live");
	hears(&world, "clean 0");
	run_says(&run, "yes");
	run_is_heard(&run, "yes");
	proves_clean("live");
	run_is_over(&run);
}

/* PID 1 has adopted it; only its session tells whose it is. */
static void
a_live_run_may_have_orphans(void **state)
{
	run_begins(&world, &run, "1",
		   "exec 3<&0; (env -i sh -c 'read x; echo up; exec cat' <&3 "
		   "&); echo up; exec sleep 1000");
	run_says(&run, "");
	run_is_heard(&run, "up");
	says(&world, "prove live 1");
	hears(&world, "clean 0");
	run_says(&run, "yes");
	run_is_heard(&run, "yes");
	proves_clean("live");
	run_is_over(&run);
}

/* The other run's processes have no environment, but a descendant has one. */
static void
a_mark_of_ones_own_counts_more_than_the_parents(void **state)
{
	run_begins(&world, &run, "1",
		   "env CLI_BRIDGE_RUN=live sh -c 'echo up; exec sleep 1000' & "
		   "wait; exit 0");
	says(&world, "prove live");
	hears(&world, "clean 1");
	says(&world, "prove");
	hears(&world, "clean 2");
	run_is_over(&run);
	run_is_over(&live);
	run_begins(&world, &live, "live", "echo up; exec cat");
}

/*
 * A fork bomb that has as many processes as it may have (a limit that does not
 * hold for root).  Each one that is killed makes room for another.
 */
static const char bomb[] =
	"exec prlimit --nproc=100 setsid env -i perl -e "
	"'$| = 1; $SIG{CHLD} = \"IGNORE\"; print \"up\\n\"; fork while 1'";

static void
who_forks_faster_than_we_look_is_stopped(void **state)
{
	if (geteuid() != 0)
		skip();
	world_begins_as(&world, SOMEBODY);
	run_begins(&world, &live, "live", "echo up; exec cat");
	run_begins(&world, &run, "1", bomb);
	pause_ms(GROWTH_MS);
	proves_clean("live");
	run_is_over(&run);
	run_says(&live, "still here");
	run_is_heard(&live, "still here");
	world_ends(&world);
	run_is_over(&live);
}

/*
 * A process of another user can't be killed, so the proof takes its time.  The
 * engine starts a run meanwhile, which the proof does not name.
 */
static void
a_run_that_begins_meanwhile_is_live(void **state)
{
	struct pollfd told = { .events = POLLIN };
	struct piped roots;

	if (geteuid() != 0)
		skip();
	world_begins_as(&world, SOMEBODY);
	world.user = 0;
	run_begins(&world, &roots, "roots", "echo up; exec cat");
	world.user = SOMEBODY;
	run_begins(&world, &live, "old", "echo up; exec cat");
	says(&world, "prove");
	run_is_over(&live); /* so the proof is under way */
	run_begins(&world, &run, "1",
		   "env -i sh -c 'echo up; cat; exit 0'; exit 0");
	told.fd = world.slot.out;
	assert_int_equal(poll(&told, 1, 0), 0); /* or this test is no test */
	hears(&world, "dirty 1");
	run_says(&run, "yes");
	run_is_heard(&run, "yes");
	run_says(&roots, "yes");
	run_is_heard(&roots, "yes");
	world_ends(&world);
	run_is_over(&roots);
	run_is_over(&run);
}

static void *
say_and_wait(void *arg)
{
	(void)!write(STDOUT_FILENO, "up\n", 3);
	for (;;)
		(void)poll(NULL, 0, -1);
	return NULL;
}

static int
go_on_without_first_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, say_and_wait, NULL))
		return 1;
	pthread_exit(NULL);
}

int
main(int argc, char *argv[])
{
#define in_a_world(test) cmocka_unit_test_setup_teardown(test, begins, ends)
	const struct CMUnitTest tests[] = {
		in_a_world(where_nothing_is_left_nothing_is_killed),
		in_a_world(the_killed_are_counted),
		in_a_world(an_empty_environment_saves_nobody),
		in_a_world(running_away_saves_nobody),
		in_a_world(an_environment_that_only_looks_like_it_saves_nobody),
		in_a_world(the_first_thread_need_not_be_there),
		in_a_world(a_live_run_may_empty_an_environment),
		in_a_world(a_live_run_may_have_orphans),
		in_a_world(a_mark_of_ones_own_counts_more_than_the_parents),
		cmocka_unit_test(who_forks_faster_than_we_look_is_stopped),
		cmocka_unit_test(a_run_that_begins_meanwhile_is_live),
	};

	if (argc > 1)
		return go_on_without_first_thread();
	if (!world_is_possible())
		return SKIPPED;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
