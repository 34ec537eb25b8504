/* What proto/link promises: both ends in one process, over ipc. */
#include "waits.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>

#include "proto/link.h"

enum { MANY_PEERS = 50, SOON = 5000 /* ms */ };

static struct loop loop;
static char directory[] = "/tmp/test_link.XXXXXX";
static char *requests;

/* The worker's side. */
static struct server server;
static unsigned cancels_heard, submits_heard;

/* The gateway's side. */
static struct client client;
static unsigned changes;

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
	return 0;
}

static int
closes(void **state)
{
	auto_free char *path = copy_format("%s/claude.req", directory);

	(void)unlink(path);
	(void)rmdir(directory);
	free(requests);
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
	cancels_heard = submits_heard = changes = 0;
	server = SERVER_INIT;
	client = CLIENT_INIT;
	must(loop_init(&loop, &e));
	return 0;
}

static int
ends(void **state)
{
	client_fini(&client);
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

/* A peer that has gone is no end of our own socket's: see proto/stream.h. */
static void
a_write_to_nobody_is_told_as_that(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	auto_free char *url = copy_format("ipc://%s/nobody", directory);
	char hello[] = "hello";
	nng_iov bytes = { .iov_buf = hello, .iov_len = sizeof hello };
	nng_stream_dialer *dialer;
	nng_stream *stream;
	nng_aio *aio;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%s/nobody",
		 directory);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address),
			 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(nng_aio_alloc(&aio, NULL, NULL), 0);
	assert_int_equal(nng_stream_dialer_alloc(&dialer, url), 0);
	nng_stream_dialer_dial(dialer, aio);
	nng_aio_wait(aio);
	assert_int_equal(nng_aio_result(aio), 0);
	stream = nng_aio_get_output(aio, 0);
	assert_int_equal(close(accept4(fd, NULL, NULL, SOCK_CLOEXEC)), 0);
	assert_int_equal(nng_aio_set_iov(aio, 1, &bytes), 0);
	nng_stream_send(stream, aio);
	nng_aio_wait(aio);
	assert_int_equal(nng_aio_result(aio), NNG_ECONNRESET);
	nng_stream_free(stream);
	nng_stream_dialer_free(dialer);
	nng_aio_free(aio);
	assert_int_equal(close(fd), 0);
	assert_int_equal(unlink(address.sun_path), 0);
}

/*
 * It is gone before the server greets it.  To be connected is not enough: NNG's
 * part of the other side would do that for a server that accepts nobody.
 */
static void
a_peer_that_goes_at_once_harms_no_other(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof address.sun_path, "%s/claude.req",
		 directory);
	starts_server();
	for (int i = 0; i < MANY_PEERS; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		assert_int_equal(connect(fd, (struct sockaddr *)&address,
					 sizeof address),
				 0);
		assert_int_equal(close(fd), 0);
	}
	wait_ms(&loop, 50);
	dials();
	wait_until(&loop, they_are_connected);
	asks_to_cancel(1, SOON);
	the_answer_is(ERR_NONE, "");
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
		link_test(a_write_to_nobody_is_told_as_that),
		link_test(a_peer_that_goes_at_once_harms_no_other),
	};

	return cmocka_run_group_tests(tests, opens, closes);
}
