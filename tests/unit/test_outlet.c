/*
 * What proto/pipeline promises of an outlet whose readers come and go: it
 * survives each of them, and tells the next one all, and nothing that was meant
 * for another.
 */
#include "waits.h"

#include <stdlib.h>
#include <unistd.h>

#include <nng/nng.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>

#include "proto/link.h"

enum {
	READERS = 400,
	FLOOD = 200,  /* events that are on their way when a reader goes */
	STAY_US = 60, /* how much later each reader goes than the one before */
};

static struct loop loop;
static char directory[] = "/tmp/test_outlet.XXXXXX";
static char *events;
static struct outlet outlet;
static unsigned changes;

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

static void
on_reader(struct outlet *o)
{
	changes++;
}

static int
begins(void **state)
{
	changes = 0;
	must(loop_init(&loop, &e));
	must(outlet_listen(&outlet, &loop, events, WORKER, on_reader, &e));
	return 0;
}

static int
ends(void **state)
{
	outlet_fini(&outlet);
	loop_fini(&loop);
	return 0;
}

/* Words */

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

static void
sends(uint64_t turn)
{
	const struct msg_text m = { .turn = turn,
				    .seq = 1,
				    .text = STR("delta") };

	outlet_send(&outlet, MSG_TEXT, &m);
}

/* In NNG messages of their own. */
static void
floods(uint64_t turn)
{
	for (int i = 0; i < FLOOD; i++) {
		sends(turn);
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

/* Tests */

static void
each_reader_gets_what_is_sent_to_it_however_the_one_before_went(void **state)
{
	for (uint64_t turn = 1; turn <= READERS; turn++) {
		nng_socket sock = reader_comes();

		wait_until(&loop, a_reader_is_there);
		floods(turn);
		reads_first(sock, turn);
		usleep((useconds_t)(turn % 20 * STAY_US));
		assert_int_equal(nng_close(sock), 0);
		floods(turn);
		wait_until(&loop, no_reader_is_there);
	}
	assert_true(changes >= 2 * READERS);
}

static void
what_is_sent_before_a_reader_comes_waits_for_it(void **state)
{
	nng_socket sock;

	sends(1);
	wait_ms(&loop, 10);
	sock = reader_comes();
	wait_until(&loop, a_reader_is_there);
	reads_first(sock, 1);
	assert_int_equal(nng_close(sock), 0);
}

static void
a_second_reader_takes_no_events_from_the_first(void **state)
{
	nng_socket first = reader_comes(), second;
	nng_msg *raw;

	wait_until(&loop, a_reader_is_there);
	second = reader_comes();
	wait_ms(&loop, 50);
	for (uint64_t turn = 1; turn <= 10; turn++) {
		sends(turn);
		wait_ms(&loop, 1);
		reads_first(first, turn);
	}
	assert_int_equal(nng_recvmsg(second, &raw, NNG_FLAG_NONBLOCK),
			 NNG_EAGAIN);
	assert_int_equal(nng_close(first), 0);
	wait_until(&loop, no_reader_is_there);
	wait_until(&loop, a_reader_is_there);
	sends(11);
	wait_ms(&loop, 1);
	reads_first(second, 11);
	assert_int_equal(nng_close(second), 0);
}

#define outlet_test(name) cmocka_unit_test_setup_teardown(name, begins, ends)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		outlet_test(
			each_reader_gets_what_is_sent_to_it_however_the_one_before_went),
		outlet_test(what_is_sent_before_a_reader_comes_waits_for_it),
		outlet_test(a_second_reader_takes_no_events_from_the_first),
	};

	return cmocka_run_group_tests(tests, opens, closes);
}
