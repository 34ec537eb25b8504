/*
 * What workers/http.c promises: a question gets one answer, or one error, and
 * a stream is heard line by line; whoever is called may drop and free.
 */
#include "tests/unit/unit.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/waits.h"
#include "workers/io/http.h"

/* A server that takes one connection at a time, and says what it was told. */
static struct server {
	struct loop loop;
	int listener, client; /* -1: none */
	struct watch knocks, speaks;
	char url[64];
	struct buf heard;
	struct str answer; /* to be said once a request is whole */
	bool closes;	   /* when it is said */
	unsigned connections, requests;
} server;

static struct http *http;

static struct {
	struct buf lines, body;
	struct http_call *call;
	int status;
	struct error error;
	unsigned dones;
	unsigned drop_at; /* after so many lines; 0: never */
	unsigned free_at;
	unsigned line_count;
} got;

static void
hang_up(void)
{
	if (server.client < 0)
		return;
	loop_unwatch(&server.loop, &server.speaks);
	close(server.client);
	server.client = -1;
}

static bool
is_whole(struct str request)
{
	const char *end = memmem(request.ptr, request.len, "\r\n\r\n", 4);
	const char *length =
		memmem(request.ptr, request.len, "Content-Length: ", 16);
	size_t body = length ? strtoul(length + 16, NULL, 10) : 0;

	return end && (size_t)(request.ptr + request.len - end) >= 4 + body;
}

static void
on_speech(struct watch *w)
{
	char bytes[4096];
	ssize_t n = read(w->fd, bytes, sizeof bytes);

	if (n <= 0) {
		hang_up();
		return;
	}
	must(buf_add(&server.heard, ((struct str){ bytes, (size_t)n }), &e));
	if (!is_whole(buf_str(&server.heard)))
		return;
	server.requests++;
	n = write(w->fd, server.answer.ptr, server.answer.len);
	assert_int_equal(n, server.answer.len);
	if (server.closes)
		hang_up();
}

static void
on_knock(struct watch *w)
{
	hang_up();
	server.client = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC);
	server.connections++;
	must(loop_watch(&server.loop, &server.speaks, server.client, EPOLLIN,
			on_speech, &e));
}

static int
setup(void **state)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof a;
	struct error why;

	server = (struct server){ .loop = LOOP_INIT, .client = -1 };
	server.knocks = server.speaks = WATCH_INIT;
	server.heard = BUF_INIT(1u << 20);
	must(loop_init(&server.loop, &e));
	server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server.listener, (void *)&a, sizeof a), 0);
	assert_int_equal(listen(server.listener, 8), 0);
	getsockname(server.listener, (void *)&a, &len);
	snprintf(server.url, sizeof server.url, "http://127.0.0.1:%u/way",
		 ntohs(a.sin_port));
	must(loop_watch(&server.loop, &server.knocks, server.listener, EPOLLIN,
			on_knock, &e));
	memset(&got, 0, sizeof got);
	got.lines = got.body = BUF_INIT(1u << 20);
	http = http_new(&server.loop, &why);
	assert_non_null(http);
	return 0;
}

static int
teardown(void **state)
{
	http_free(http);
	hang_up();
	loop_unwatch(&server.loop, &server.knocks);
	close(server.listener);
	loop_fini(&server.loop);
	buf_fini(&server.heard);
	buf_fini(&got.lines);
	buf_fini(&got.body);
	return 0;
}

static void
on_line(void *arg, struct str line)
{
	got.line_count++;
	buf_print(&got.lines, "[" STR_FMT "]", STR_ARG(line));
	if (got.line_count == got.drop_at)
		http_drop(got.call);
	if (got.line_count == got.free_at) {
		http_free(http);
		http = NULL;
	}
}

static void
on_done(void *arg, int status, struct str body, const struct error *why)
{
	assert_ptr_equal(arg, &got);
	got.dones++;
	got.status = status;
	if (why)
		got.error = *why;
	must(buf_add(&got.body, body, &e));
}

static bool
is_done(void)
{
	return got.dones > 0;
}

static bool
has_lines(void)
{
	return got.line_count >= 2;
}

static struct http_request
request(const char *method)
{
	return (struct http_request){ .method = method,
				      .url = server.url,
				      .deadline_ms = LIMIT,
				      .done = on_done,
				      .arg = &got };
}

static void
ask(const struct http_request *r)
{
	got.dones = 0;
	got.call = http_ask(http, r);
	assert_int_equal(got.dones, 0);
}

static void
a_question_gets_its_answer(void **state)
{
	struct http_request r = request("GET");

	server.answer = STR("HTTP/1.1 404 Not Found\r\n"
			    "Content-Length: 4\r\n\r\nwhat");
	r.user = "me";
	r.password = "secret";
	ask(&r);
	wait_until(&server.loop, is_done);
	assert_int_equal(got.status, 404);
	assert_int_equal(got.error.code, ERR_NONE);
	assert_str(buf_str(&got.body), "what");
	assert_true(
		str_starts(buf_str(&server.heard), STR("GET /way HTTP/1.1")));
	assert_non_null(memmem(server.heard.ptr, server.heard.len,
			       "Basic bWU6c2VjcmV0", 18));
}

static void
a_body_is_sent_as_json(void **state)
{
	struct http_request r = request("POST");
	struct str heard;
	char body[] = "{\"a\":1}";

	server.answer = STR("HTTP/1.1 204 No Content\r\n\r\n");
	r.body = str_of(body);
	ask(&r);
	memset(body, '?', sizeof body); /* it was copied */
	wait_until(&server.loop, is_done);
	assert_int_equal(got.status, 204);
	heard = buf_str(&server.heard);
	assert_non_null(memmem(heard.ptr, heard.len,
			       "Content-Type: application/json", 30));
	assert_memory_equal(heard.ptr + heard.len - 7, "{\"a\":1}", 7);
}

static void
a_stream_is_heard_line_by_line(void **state)
{
	struct http_request r = request("GET");

	server.answer = STR("HTTP/1.1 200 OK\r\n\r\none\n\ntwo\nthree");
	server.closes = true;
	r.line = on_line;
	ask(&r);
	wait_until(&server.loop, is_done);
	assert_str(buf_str(&got.lines), "[one][][two][three]");
	assert_int_equal(got.body.len, 0);
	assert_int_equal(got.status, 200);
}

static void
a_refusal_is_no_stream(void **state)
{
	struct http_request r = request("GET");

	server.answer = STR("HTTP/1.1 401 Unauthorized\r\n\r\nno\n");
	server.closes = true;
	r.line = on_line;
	ask(&r);
	wait_until(&server.loop, is_done);
	assert_int_equal(got.line_count, 0);
	assert_str(buf_str(&got.body), "no\n");
	assert_int_equal(got.status, 401);
}

static void
half_an_answer_is_an_error(void **state)
{
	struct http_request r = request("GET");

	server.answer = STR("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
	server.closes = true;
	ask(&r);
	wait_until(&server.loop, is_done);
	assert_int_equal(got.status, 0);
	assert_int_equal(got.error.code, ERR_UPSTREAM);
	assert_int_equal(got.body.len, 0);
}

static void
nobody_there_is_an_error(void **state)
{
	struct http_request r = request("GET");

	loop_unwatch(&server.loop, &server.knocks);
	close(server.listener);
	server.listener = -1;
	ask(&r);
	wait_until(&server.loop, is_done);
	assert_int_equal(got.error.code, ERR_UPSTREAM);
	assert_non_null(strstr(got.error.text, "can't be reached"));
}

static void
an_answer_has_its_time(void **state)
{
	struct http_request r = request("GET");

	server.answer = STR("");
	r.deadline_ms = 50;
	ask(&r);
	wait_until(&server.loop, is_done);
	assert_int_equal(got.error.code, ERR_TIMEOUT);
}

/* curl repeats a request whose connection was closed under its feet. */
static void
a_request_that_does_something_is_sent_once(void **state)
{
	struct http_request get = request("GET"), post = request("POST");

	server.answer = STR("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	ask(&get);
	wait_until(&server.loop, is_done);
	server.answer = STR("");
	server.closes = true;
	ask(&post);
	wait_until(&server.loop, is_done);
	assert_int_equal(got.error.code, ERR_UPSTREAM);
	assert_int_equal(server.requests, 2);
	assert_int_equal(server.connections, 2);
}

static void
who_hears_a_line_may_drop_the_call(void **state)
{
	struct http_request r = request("GET");

	server.answer = STR("HTTP/1.1 200 OK\r\n\r\none\ntwo\nthree\n");
	r.line = on_line;
	got.drop_at = 2;
	ask(&r);
	wait_until(&server.loop, has_lines);
	wait_ms(&server.loop, 20);
	assert_str(buf_str(&got.lines), "[one][two]");
	assert_int_equal(got.dones, 0);
}

static void
who_hears_a_line_may_free_it_all(void **state)
{
	struct http_request r = request("GET");

	server.answer = STR("HTTP/1.1 200 OK\r\n\r\none\ntwo\nthree\n");
	r.line = on_line;
	got.free_at = 2;
	ask(&r);
	wait_until(&server.loop, has_lines);
	wait_ms(&server.loop, 20);
	assert_str(buf_str(&got.lines), "[one][two]");
}

static void
what_is_dropped_is_not_heard_of(void **state)
{
	struct http_request r = request("GET");

	ask(&r);
	http_drop(got.call);
	wait_ms(&server.loop, 20);
	assert_int_equal(got.dones, 0);
}

static void
no_proxy_is_asked(void **state)
{
	struct http_request r = request("GET");

	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	server.answer = STR("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	ask(&r);
	wait_until(&server.loop, is_done);
	unsetenv("http_proxy");
	unsetenv("ALL_PROXY");
	assert_int_equal(got.status, 200);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test(a_question_gets_its_answer),
		test(a_body_is_sent_as_json),
		test(a_stream_is_heard_line_by_line),
		test(a_refusal_is_no_stream),
		test(half_an_answer_is_an_error),
		test(nobody_there_is_an_error),
		test(an_answer_has_its_time),
		test(a_request_that_does_something_is_sent_once),
		test(who_hears_a_line_may_drop_the_call),
		test(who_hears_a_line_may_free_it_all),
		test(what_is_dropped_is_not_heard_of),
		test(no_proxy_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
