/* What proto/pipeline promises: both ends in one process, over ipc. */
#include "waits.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <nng/nng.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>

#include "proto/link.h"

enum {
	MANY = 10000,
	READERS = 400,
	FLOOD = 200, /* events that are on their way when a reader goes */
};

static struct loop loop;
static char directory[] = "/tmp/test_pipeline.XXXXXX";
static char *events;
static struct outlet outlet;
static struct inlet inlet;
static unsigned readers_changed, events_heard, breaches, bad_events, taken;
static uint64_t last_seq;
static bool inlet_is_slow;

static int
opens(void **state)
{
	assert_non_null(mkdtemp(directory));
	events = link_url(directory, "claude", "events");
	return 0;
}

static int
closes(void **state)
{
	auto_free char *path = copy_format("%s/claude.events", directory);

	(void)unlink(path);
	assert_int_equal(rmdir(directory), 0);
	free(events);
	return 0;
}

static int
begins(void **state)
{
	readers_changed = events_heard = breaches = bad_events = taken = 0;
	last_seq = 0;
	inlet_is_slow = false;
	outlet = OUTLET_INIT;
	inlet = INLET_INIT;
	must(loop_init(&loop, &e));
	return 0;
}

static int
ends(void **state)
{
	inlet_fini(&inlet);
	outlet_fini(&outlet);
	loop_fini(&loop);
	return 0;
}

/* Words */

static void
on_reader(struct outlet *o)
{
	readers_changed++;
}

static void
on_event(struct inlet *i, const struct msg *m)
{
	const struct timespec slowly = { .tv_nsec = 20000 };
	nng_msg *raw;

	assert_int_equal(m->type, MSG_TEXT);
	if (m->body.text.text.len == MAX_DELTA && (raw = inlet_take(i))) {
		taken++;
		assert_int_equal(m->body.text.text.ptr[MAX_DELTA - 1], 'x');
		nng_msg_free(raw);
		assert_null(inlet_take(i));
	}
	assert_int_equal(m->body.text.seq, last_seq + 1);
	last_seq++;
	events_heard++;
	if (inlet_is_slow)
		nanosleep(&slowly, NULL);
}

static void
on_broken(struct inlet *i, const struct error *e)
{
	breaches++;
}

static void
on_bad(struct inlet *i, const struct msg *m, const struct error *e)
{
	assert_int_equal(msg_turn(m), 7);
	bad_events++;
}

static void
opens_outlet(void)
{
	must(outlet_listen(&outlet, &loop, events, WORKER, on_reader, &e));
}

static void
opens_inlet(void)
{
	static const struct hearing hearing = {
		.self = GATEWAY,
		.peer = WORKER,
		.heard = on_event,
		.bad = on_bad,
		.broken = on_broken,
	};

	must(inlet_dial(&inlet, &loop, events, &hearing, &e));
}

static void
sends(uint64_t from, uint64_t to)
{
	for (uint64_t seq = from; seq <= to; seq++) {
		const struct msg_text m = { .turn = 1,
					    .seq = seq,
					    .text = STR("delta") };

		outlet_send(&outlet, MSG_TEXT, &m);
	}
}

static bool
a_reader_is_there(void)
{
	return outlet.reader.connected;
}

static bool
no_reader_is_there(void)
{
	return !outlet.reader.connected;
}

static bool
all_have_arrived(void)
{
	return events_heard == MANY;
}

static void
all_events_arrive_in_order_however_slow_the_reader(void **state)
{
	inlet_is_slow = true;
	opens_outlet();
	opens_inlet();
	wait_until(&loop, a_reader_is_there);
	assert_int_equal(readers_changed, 1);
	sends(1, MANY);
	wait_until(&loop, all_have_arrived);
	assert_int_equal(outlet.waiting.len, 0);
	assert_int_equal(outlet.watch.fd, -1);
	assert_int_equal(breaches, 0);
}

static void
what_waits_can_be_dropped(void **state)
{
	opens_outlet();
	for (int i = 0; i < 300; i++) {
		sends(1, 10);
		wait_ms(&loop, 1);
	}
	sends(1, 10);
	assert_true(outlet.waiting.len > 0);
	assert_non_null(outlet.batch);
	outlet_clear(&outlet);
	assert_int_equal(outlet.waiting.len, 0);
	assert_null(outlet.batch);
	outlet_clear(&outlet);
}

static void
it_is_known_when_the_reader_goes(void **state)
{
	opens_outlet();
	opens_inlet();
	wait_until(&loop, a_reader_is_there);
	inlet_fini(&inlet);
	wait_until(&loop, no_reader_is_there);
	assert_int_equal(readers_changed, 2);
}

/* Crosses NNG's threads, while our loop does not turn. */
static void
rests(long ms)
{
	const struct timespec rest = { .tv_nsec = ms * 1000000 };

	nanosleep(&rest, NULL);
}

static void
what_is_already_there_is_heard_at_once(void **state)
{
	opens_outlet();
	opens_inlet();
	wait_until(&loop, a_reader_is_there);
	sends(1, 10);
	wait_ms(&loop, 1);
	for (int i = 0; i < 100 && events_heard < 10; i++) {
		rests(10);
		inlet_drain(&inlet);
	}
	assert_int_equal(events_heard, 10);
}

static void
what_does_not_follow_the_rules_is_told(void **state)
{
	const struct msg_cancel m = { .turn = 1 };
	nng_socket sock;

	assert_int_equal(nng_push0_open(&sock), 0);
	assert_int_equal(nng_listen(sock, events, NULL, 0), 0);
	opens_inlet();
	assert_int_equal(nng_sendmsg(sock, msg_pack(MSG_CANCEL, &m), 0), 0);
	wait_ms(&loop, 100);
	assert_int_equal(breaches, 1);
	assert_int_equal(events_heard, 0);
	nng_close(sock);
}

/* A letter of the text is made one that is none. */
static void
sends_a_bad_event(void)
{
	const struct msg_text m = { .turn = 7, .seq = 1, .text = STR("delta") };
	nng_msg *raw = msg_pack(MSG_TEXT, &m);
	char *last = (char *)nng_msg_body(raw) + nng_msg_len(raw) - 1;

	assert_int_equal(*last, 'a');
	*last = '\xff';
	outlet_pass(&outlet, raw);
}

static bool
ten_have_arrived(void)
{
	return events_heard == 10;
}

static void
a_bad_event_harms_none_beside_it(void **state)
{
	opens_outlet();
	opens_inlet();
	wait_until(&loop, a_reader_is_there);
	sends(1, 5);
	sends_a_bad_event();
	sends(6, 10);
	wait_until(&loop, ten_have_arrived);
	assert_int_equal(bad_events, 1);
	assert_int_equal(breaches, 0);
}

static void
sends_large(uint64_t seq)
{
	auto_free char *text = xcalloc(1, MAX_DELTA);
	const struct msg_text m = { .turn = 1,
				    .seq = seq,
				    .text = { text, MAX_DELTA } };

	memset(text, 'x', MAX_DELTA);
	outlet_send(&outlet, MSG_TEXT, &m);
}

static bool
three_have_arrived(void)
{
	return events_heard == 3;
}

static void
an_event_that_travels_alone_can_be_taken(void **state)
{
	opens_outlet();
	opens_inlet();
	wait_until(&loop, a_reader_is_there);
	sends_large(1);
	wait_ms(&loop, 50);
	sends(2, 2);
	sends_large(3);
	wait_until(&loop, three_have_arrived);
	assert_int_equal(taken, 1);
}

static void
what_can_wait_travels_with_what_comes_or_alone_soon(void **state)
{
	const struct msg_text m = { .turn = 1, .seq = 1, .text = STR("late") };

	opens_outlet();
	opens_inlet();
	wait_until(&loop, a_reader_is_there);
	outlet_pass_late(&outlet, msg_pack(MSG_TEXT, &m));
	assert_non_null(outlet.batch);
	assert_null(outlet.flush.node.next);
	assert_true(timer_is_set(&outlet.late));
	sends(2, 10);
	assert_int_equal(outlet.waiting.len, 0);
	wait_until(&loop, ten_have_arrived);
	assert_false(timer_is_set(&outlet.late));
	events_heard = 0;
	last_seq = 0;
	outlet_pass_late(&outlet, msg_pack(MSG_TEXT, &m));
	for (int i = 0; i < LIMIT && !events_heard; i++)
		wait_ms(&loop, 1);
	assert_int_equal(events_heard, 1);
}

/* Readers that come and go */

static nng_socket
reader_comes(void)
{
	nng_socket sock;

	assert_int_equal(nng_pull0_open(&sock), 0);
	assert_int_equal(nng_socket_set_ms(sock, NNG_OPT_RECVTIMEO, LIMIT), 0);
	assert_int_equal(nng_socket_set_ms(sock, NNG_OPT_RECONNMINT, 1), 0);
	assert_int_equal(nng_socket_set_ms(sock, NNG_OPT_RECONNMAXT, 10), 0);
	assert_int_equal(nng_dial(sock, events, NULL, NNG_FLAG_NONBLOCK), 0);
	return sock;
}

static void
sends_of(uint64_t turn)
{
	const struct msg_text m = { .turn = turn,
				    .seq = 1,
				    .text = STR("delta") };

	outlet_send(&outlet, MSG_TEXT, &m);
}

/* For LeakSanitizer: NNG never frees a message that it takes while it closes
 * the pipe, see proto/README.md. */
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
	return "leak:floods\n";
}

/* In NNG messages of their own. */
static void
floods(uint64_t turn)
{
	for (int i = 0; i < FLOOD; i++) {
		sends_of(turn);
		loop_drop(&loop, &outlet.flush);
		outlet.flush.run(&outlet.flush);
	}
}

static void
reads_first(nng_socket sock, uint64_t turn)
{
	struct error e = { 0 };
	struct msg m;
	struct str left;
	nng_msg *raw;

	assert_int_equal(nng_recvmsg(sock, &raw, 0), 0);
	left = (struct str){ nng_msg_body(raw), nng_msg_len(raw) };
	assert_int_equal(msg_next(&m, &left, WORKER, GATEWAY, &e), MSG_GOOD);
	assert_int_equal(m.body.text.turn, turn);
	nng_msg_free(raw);
}

static void
each_reader_gets_what_is_sent_to_it_however_the_one_before_went(void **state)
{
	opens_outlet();
	for (uint64_t turn = 1; turn <= READERS; turn++) {
		nng_socket sock = reader_comes();

		wait_until(&loop, a_reader_is_there);
		floods(turn);
		reads_first(sock, turn);
		rests((long)(turn % 3));
		assert_int_equal(nng_close(sock), 0);
		wait_until(&loop, no_reader_is_there);
	}
	assert_true(readers_changed >= 2 * READERS);
}

static void
what_is_sent_before_a_reader_comes_waits_for_it(void **state)
{
	nng_socket sock;

	opens_outlet();
	sends_of(1);
	wait_ms(&loop, 10);
	sock = reader_comes();
	wait_until(&loop, a_reader_is_there);
	reads_first(sock, 1);
	assert_int_equal(nng_close(sock), 0);
}

/* NNG frees the pipe of a reader that has gone: the loop has not looked yet. */
static void
nothing_is_sent_on_the_socket_of_a_reader_that_has_gone(void **state)
{
	nng_socket sock;

	opens_outlet();
	sock = reader_comes();
	wait_until(&loop, a_reader_is_there);
	assert_int_equal(nng_close(sock), 0);
	rests(200);
	floods(1);
	floods(1);
	assert_int_equal(outlet.waiting.len, 0);
	assert_false(outlet.has_sent);
	wait_until(&loop, no_reader_is_there);
}

static nng_socket short_reader;

static void
leaves_at_once(struct outlet *o)
{
	readers_changed++;
	if (!o->reader.connected)
		return;
	assert_int_equal(nng_close(short_reader), 0);
	rests(100);
}

static bool
it_came_and_went(void)
{
	return readers_changed == 2;
}

static void
a_reader_that_goes_while_its_coming_is_told_is_told_to_have_gone(void **state)
{
	must(outlet_listen(&outlet, &loop, events, WORKER, leaves_at_once, &e));
	short_reader = reader_comes();
	wait_until(&loop, it_came_and_went);
	assert_false(outlet.reader.connected);
}

static void
what_was_sent_before_a_renewal_is_for_nobody(void **state)
{
	nng_socket sock;

	opens_outlet();
	sends_of(1);
	wait_ms(&loop, 10);
	assert_true(outlet.has_sent);
	outlet_renew(&outlet);
	sends_of(2);
	wait_ms(&loop, 10);
	sock = reader_comes();
	reads_first(sock, 2);
	assert_int_equal(nng_close(sock), 0);
}

static void
an_outlet_that_dials_finds_its_reader_again(void **state)
{
	nng_socket sock;

	assert_int_equal(nng_pull0_open(&sock), 0);
	assert_int_equal(nng_socket_set_ms(sock, NNG_OPT_RECVTIMEO, LIMIT), 0);
	assert_int_equal(nng_listen(sock, events, NULL, 0), 0);
	must(outlet_dial(&outlet, &loop, events, WORKER, on_reader, &e));
	wait_until(&loop, a_reader_is_there);
	outlet_renew(&outlet);
	assert_false(outlet.reader.connected);
	wait_until(&loop, a_reader_is_there);
	sends_of(1);
	wait_ms(&loop, 1);
	reads_first(sock, 1);
	assert_int_equal(nng_close(sock), 0);
}

/* With no descriptor left there is no new socket. */
static void
what_is_sent_without_a_socket_waits_for_one(void **state)
{
	struct rlimit all, none;
	nng_socket sock;

	opens_outlet();
	sends_of(1);
	wait_ms(&loop, 10);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &all), 0);
	none = (struct rlimit){ 3, all.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	outlet_renew(&outlet);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &all), 0);
	assert_true(timer_is_set(&outlet.reopen));
	sends_of(2);
	sends_of(3);
	wait_ms(&loop, 10);
	assert_true(outlet.waiting.len > 0);
	sock = reader_comes();
	wait_until(&loop, a_reader_is_there);
	wait_ms(&loop, 1);
	reads_first(sock, 2);
	assert_int_equal(nng_close(sock), 0);
}

static bool
one_went_and_one_came(void)
{
	return readers_changed == 3;
}

static void
a_second_reader_takes_no_events_from_the_first(void **state)
{
	nng_socket first = reader_comes(), second;
	nng_msg *raw;

	opens_outlet();
	wait_until(&loop, a_reader_is_there);
	second = reader_comes();
	wait_ms(&loop, 50);
	for (uint64_t turn = 1; turn <= 10; turn++) {
		sends_of(turn);
		wait_ms(&loop, 1);
		reads_first(first, turn);
	}
	assert_int_equal(nng_recvmsg(second, &raw, NNG_FLAG_NONBLOCK),
			 NNG_EAGAIN);
	assert_int_equal(readers_changed, 1);
	assert_int_equal(nng_close(first), 0);
	wait_until(&loop, one_went_and_one_came);
	sends_of(11);
	wait_ms(&loop, 1);
	reads_first(second, 11);
	assert_int_equal(nng_close(second), 0);
}

#define pipeline_test(name) cmocka_unit_test_setup_teardown(name, begins, ends)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		pipeline_test(
			all_events_arrive_in_order_however_slow_the_reader),
		pipeline_test(what_waits_can_be_dropped),
		pipeline_test(it_is_known_when_the_reader_goes),
		pipeline_test(what_is_already_there_is_heard_at_once),
		pipeline_test(what_does_not_follow_the_rules_is_told),
		pipeline_test(a_bad_event_harms_none_beside_it),
		pipeline_test(an_event_that_travels_alone_can_be_taken),
		pipeline_test(
			what_can_wait_travels_with_what_comes_or_alone_soon),
		pipeline_test(
			each_reader_gets_what_is_sent_to_it_however_the_one_before_went),
		pipeline_test(what_is_sent_before_a_reader_comes_waits_for_it),
		pipeline_test(
			nothing_is_sent_on_the_socket_of_a_reader_that_has_gone),
		pipeline_test(
			a_reader_that_goes_while_its_coming_is_told_is_told_to_have_gone),
		pipeline_test(what_was_sent_before_a_renewal_is_for_nobody),
		pipeline_test(an_outlet_that_dials_finds_its_reader_again),
		pipeline_test(what_is_sent_without_a_socket_waits_for_one),
		pipeline_test(a_second_reader_takes_no_events_from_the_first),
	};

	return cmocka_run_group_tests(tests, opens, closes);
}
