/* What proto/link promises: all four ends in one process, over ipc. */
#include "waits.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <nng/nng.h>
#include <nng/protocol/pipeline0/push.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>

#include "proto/link.h"

enum { MANY = 10000, SOON = 5000 /* ms */ };

static struct loop loop;
static char directory[] = "/tmp/test_link.XXXXXX";
static char *requests, *events;

/* The worker's side. */
static struct server server;
static struct outlet outlet;
static unsigned cancels_heard, submits_heard, readers_changed;

/* The gateway's side. */
static struct client client;
static struct inlet inlet;
static unsigned changes, events_heard, breaches;
static uint64_t last_seq;
static bool inlet_is_slow;
static unsigned bad_events, taken;

static struct question {
	struct ask ask;
	unsigned answers;
	enum error_code code;
	uint32_t retry_ms;
	char text[64];
	bool was_asking; /* answered from within client_ask() */
} question;

static bool asking;

static int
opens(void **state)
{
	assert_non_null(mkdtemp(directory));
	requests = link_url(directory, "claude", "req");
	events = link_url(directory, "claude", "events");
	return 0;
}

static int
closes(void **state)
{
	auto_free char *one = copy_format("%s/claude.req", directory);
	auto_free char *two = copy_format("%s/claude.events", directory);

	(void)unlink(one);
	(void)unlink(two);
	(void)rmdir(directory);
	free(requests);
	free(events);
	return 0;
}

/* Words */

/* Refuses CANCEL 2, and does the rest. */
static void
on_request(struct server *s, const struct msg *m)
{
	struct error e = { 0 };

	cancels_heard += m->type == MSG_CANCEL;
	submits_heard += m->type == MSG_SUBMIT;
	if (m->type == MSG_CANCEL && m->body.cancel.turn == 2) {
		fail_with(&e, ERR_QUEUE_FULL, "too many");
		e.retry_ms = 1500;
		server_refuse(s, &e);
		return;
	}
	server_reply(s, MSG_DONE, NULL);
}

static void
starts_server(void)
{
	must(server_listen(&server, &loop, requests, WORKER,
			   SUPERVISOR | GATEWAY, on_request, &e));
}

static void
on_client(struct client *c)
{
	changes++;
}

static void
dials(void)
{
	must(client_dial(&client, &loop, requests, GATEWAY, WORKER, on_client,
			 &e));
}

static bool
they_are_connected(void)
{
	return client_is_connected(&client);
}

static bool
they_are_apart(void)
{
	return !client_is_connected(&client);
}

static void
on_answer(struct ask *a, const struct msg *reply, const struct error *e)
{
	struct question *q = container_of(a, struct question, ask);

	assert_true(!reply != !e);
	q->answers++;
	q->was_asking = asking;
	q->code = e ? e->code : ERR_NONE;
	q->retry_ms = e ? e->retry_ms : 0;
	snprintf(q->text, sizeof q->text, "%.60s", e ? e->text : "");
	if (reply)
		assert_int_equal(reply->type, MSG_DONE);
}

static bool
it_is_answered(void)
{
	return question.answers > 0;
}

static void
asks_to_cancel(uint64_t turn, uint64_t ms)
{
	const struct msg_cancel m = { .turn = turn };

	question = (struct question){ .code = ERROR_CODES };
	asking = true;
	client_ask(&client, MSG_CANCEL, &m, &question.ask, ms, on_answer);
	asking = false;
	assert_int_equal(question.answers, 0);
}

static void
the_answer_is(enum error_code code, const char *text)
{
	wait_until(&loop, it_is_answered);
	assert_int_equal(question.answers, 1);
	assert_false(question.was_asking);
	assert_int_equal(question.code, code);
	assert_string_equal(question.text, text);
}

static int
begins(void **state)
{
	cancels_heard = submits_heard = readers_changed = 0;
	changes = events_heard = breaches = 0;
	last_seq = 0;
	inlet_is_slow = false;
	bad_events = taken = 0;
	server = SERVER_INIT;
	outlet = OUTLET_INIT;
	client = CLIENT_INIT;
	inlet = INLET_INIT;
	must(loop_init(&loop, &e));
	return 0;
}

static int
ends(void **state)
{
	client_fini(&client);
	inlet_fini(&inlet);
	outlet_fini(&outlet);
	server_fini(&server);
	loop_fini(&loop);
	return 0;
}

/* Server and client */

static void
a_question_is_answered_once(void **state)
{
	starts_server();
	dials();
	wait_until(&loop, they_are_connected);
	asks_to_cancel(1, SOON);
	the_answer_is(ERR_NONE, "");
	wait_ms(&loop, 50);
	assert_int_equal(question.answers, 1);
	assert_int_equal(cancels_heard, 1);
}

static void
a_refusal_arrives_as_an_error(void **state)
{
	starts_server();
	dials();
	wait_until(&loop, they_are_connected);
	asks_to_cancel(2, SOON);
	the_answer_is(ERR_QUEUE_FULL, "too many");
	assert_int_equal(question.retry_ms, 1500);
}

static void
nobody_there_is_an_answer_too(void **state)
{
	dials();
	asks_to_cancel(1, SOON);
	the_answer_is(ERR_UNAVAILABLE, "the process is not running");
}

static void
a_server_that_comes_later_is_found(void **state)
{
	dials();
	wait_ms(&loop, 30);
	assert_int_equal(changes, 0);
	starts_server();
	wait_until(&loop, they_are_connected);
	assert_int_equal(changes, 1);
	asks_to_cancel(1, SOON);
	the_answer_is(ERR_NONE, "");
}

static void
many_questions_are_under_way_at_once(void **state)
{
	static struct question many[64];
	const struct msg_cancel m = { .turn = 1 };

	starts_server();
	dials();
	wait_until(&loop, they_are_connected);
	for (size_t i = 0; i < 64; i++) {
		many[i] = (struct question){ 0 };
		client_ask(&client, MSG_CANCEL, &m, &many[i].ask, SOON,
			   on_answer);
	}
	asks_to_cancel(2, SOON);
	the_answer_is(ERR_QUEUE_FULL, "too many");
	wait_ms(&loop, 100);
	for (size_t i = 0; i < 64; i++) {
		assert_int_equal(many[i].answers, 1);
		assert_int_equal(many[i].code, ERR_NONE);
	}
	assert_int_equal(cancels_heard, 65);
}

/* A socket of NNG's that takes questions and answers none. */
static nng_socket
listens_in_silence(void)
{
	nng_socket sock;

	assert_int_equal(nng_rep0_open_raw(&sock), 0);
	assert_int_equal(nng_listen(sock, requests, NULL, 0), 0);
	return sock;
}

static void
no_reply_in_time_is_a_timeout(void **state)
{
	nng_socket silent = listens_in_silence();
	uint64_t start;

	dials();
	wait_until(&loop, they_are_connected);
	start = loop_now();
	asks_to_cancel(1, 50);
	the_answer_is(ERR_TIMEOUT, "no reply in time");
	assert_in_range(loop_now() - start, 49, 2000);
	nng_close(silent);
}

static unsigned
questions_in(nng_socket sock)
{
	nng_msg *raw;
	unsigned n = 0;

	while (nng_recvmsg(sock, &raw, NNG_FLAG_NONBLOCK) == 0) {
		nng_msg_free(raw);
		n++;
	}
	return n;
}

/* NNG's own REQ would send it again, to whoever comes next. */
static void
a_question_lost_with_its_server_is_not_sent_twice(void **state)
{
	nng_socket silent = listens_in_silence();

	dials();
	wait_until(&loop, they_are_connected);
	asks_to_cancel(1, SOON);
	wait_ms(&loop, 50);
	assert_int_equal(questions_in(silent), 1);
	nng_close(silent);
	the_answer_is(ERR_WORKER_LOST, "the process went away");
	wait_until(&loop, they_are_apart);
	assert_int_equal(changes, 2);

	starts_server();
	wait_until(&loop, they_are_connected);
	wait_ms(&loop, 100);
	assert_int_equal(cancels_heard, 0);
	assert_int_equal(question.answers, 1);
	asks_to_cancel(1, SOON);
	the_answer_is(ERR_NONE, "");
	assert_int_equal(cancels_heard, 1);
}

/* While the loop does not turn, as when it has much else to do. */
static void
a_reply_that_came_in_time_counts_however_late_we_look(void **state)
{
	const struct msg_done done = {};
	const struct timespec long_enough = { .tv_nsec = 200000000 };
	nng_socket sock;
	nng_msg *raw;

	assert_int_equal(nng_rep0_open(&sock), 0);
	assert_int_equal(nng_listen(sock, requests, NULL, 0), 0);
	dials();
	wait_until(&loop, they_are_connected);
	asks_to_cancel(1, 100);
	assert_int_equal(nng_recvmsg(sock, &raw, 0), 0);
	nng_msg_free(raw);
	assert_int_equal(nng_sendmsg(sock, msg_pack(MSG_DONE, &done), 0), 0);
	nanosleep(&long_enough, NULL);
	the_answer_is(ERR_NONE, "");
	nng_close(sock);
}

static void
a_dropped_question_is_not_answered(void **state)
{
	starts_server();
	dials();
	wait_until(&loop, they_are_connected);
	asks_to_cancel(1, SOON);
	ask_drop(&question.ask);
	ask_drop(&question.ask);
	wait_ms(&loop, 50);
	assert_int_equal(question.answers, 0);
	assert_int_equal(cancels_heard, 1);
}

static void
what_is_told_needs_no_answer(void **state)
{
	const struct msg_cancel m = { .turn = 1 };

	dials();
	client_ask(&client, MSG_CANCEL, &m, NULL, 0, NULL);
	starts_server();
	wait_until(&loop, they_are_connected);
	client_ask(&client, MSG_CANCEL, &m, NULL, 0, NULL);
	asks_to_cancel(1, SOON);
	the_answer_is(ERR_NONE, "");
	assert_int_equal(cancels_heard, 2);
}

static void
a_large_body_arrives(void **state)
{
	auto_free char *body = xcalloc(1, MAX_BODY);
	const struct msg_submit m = { .worker = 1,
				      .turn = 1,
				      .dialect = DIALECT_CHAT,
				      .harness = STR("claude"),
				      .body = { body, MAX_BODY } };

	starts_server();
	dials();
	wait_until(&loop, they_are_connected);
	question = (struct question){ .code = ERROR_CODES };
	client_ask(&client, MSG_SUBMIT, &m, &question.ask, SOON, on_answer);
	the_answer_is(ERR_NONE, "");
	assert_int_equal(submits_heard, 1);
}

/* Sends what no client of ours would: a worker's event, as a question. */
static void
what_breaks_the_rules_is_refused_unheard(void **state)
{
	const struct msg_text m = { .turn = 1, .seq = 1, .text = STR("x") };
	nng_socket sock;
	nng_msg *raw;
	struct msg got;

	starts_server();
	assert_int_equal(nng_req0_open(&sock), 0);
	assert_int_equal(nng_dial(sock, requests, NULL, 0), 0);
	assert_int_equal(nng_sendmsg(sock, msg_pack(MSG_TEXT, &m), 0), 0);
	wait_ms(&loop, 100);
	assert_int_equal(nng_recvmsg(sock, &raw, NNG_FLAG_NONBLOCK), 0);
	must(msg_unpack(&got, raw, WORKER, GATEWAY, &e));
	assert_int_equal(got.type, MSG_REFUSED);
	assert_int_equal(got.body.refused.code, ERR_PROTOCOL);
	assert_str(got.body.refused.why, "TEXT: not from you");
	msg_fini(&got);
	nng_close(sock);
}

static void
only_we_may_connect(void **state)
{
	auto_free char *path = copy_format("%s/claude.req", directory);
	struct stat st;

	starts_server();
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

/* Outlet and inlet */

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

#define link_test(name) cmocka_unit_test_setup_teardown(name, begins, ends)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		link_test(a_question_is_answered_once),
		link_test(a_refusal_arrives_as_an_error),
		link_test(nobody_there_is_an_answer_too),
		link_test(a_server_that_comes_later_is_found),
		link_test(many_questions_are_under_way_at_once),
		link_test(no_reply_in_time_is_a_timeout),
		link_test(a_question_lost_with_its_server_is_not_sent_twice),
		link_test(
			a_reply_that_came_in_time_counts_however_late_we_look),
		link_test(a_dropped_question_is_not_answered),
		link_test(what_is_told_needs_no_answer),
		link_test(a_large_body_arrives),
		link_test(what_breaks_the_rules_is_refused_unheard),
		link_test(only_we_may_connect),
		link_test(all_events_arrive_in_order_however_slow_the_reader),
		link_test(what_waits_can_be_dropped),
		link_test(it_is_known_when_the_reader_goes),
		link_test(what_is_already_there_is_heard_at_once),
		link_test(a_bad_event_harms_none_beside_it),
		link_test(an_event_that_travels_alone_can_be_taken),
		link_test(what_can_wait_travels_with_what_comes_or_alone_soon),
		link_test(what_does_not_follow_the_rules_is_told),
	};

	return cmocka_run_group_tests(tests, opens, closes);
}
