/*
 * What docker/stream.c promises: every byte arrives where it belongs, however
 * the connection cuts and glues; who is slow makes the other side wait; and the
 * end comes once, with the reason.
 */
#include "tests/unit/fake_engine.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/waits.h"
#include "workers/executor/docker/stream.h"

#define PATH "POST /v1.41/exec/e/start"
#define HEAD "HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\n"

enum {
	PATIENCE_MS = 20000,
	MUCH = 50 << 20,
	KEPT_BYTES = 2 << 20, /* in pipes, sockets and one piece, at most */
};

static struct docker_api *api;
static unsigned descriptors;
static bool is_impatient;
static unsigned wakes; /* of the loop */

/* Our ends of the three pipes, and what came out of them. */
static struct ends {
	int in, out, err; /* -1: closed */
	struct watch out_watch, err_watch, in_watch;
	struct buf out_bytes, err_bytes;
	size_t out_count, in_count;
	bool is_flood, is_wrong;
} ends;

static struct got {
	struct docker_stream *stream;
	unsigned opens, ends;
	struct error error; /* ERR_NONE: none */
	char first_words[300];
	bool drops_when_opened;
} got;

void __wrap_loop_set(struct loop *, struct timer *, uint64_t, timer_fn *);
void __real_loop_set(struct loop *, struct timer *, uint64_t, timer_fn *);

void
__wrap_loop_set(struct loop *l, struct timer *t, uint64_t ms, timer_fn *fire)
{
	if (is_impatient && ms == PATIENCE_MS)
		ms = 50;
	__real_loop_set(l, t, ms, fire);
}

int __wrap_epoll_wait(int, struct epoll_event *, int, int);
int __real_epoll_wait(int, struct epoll_event *, int, int);

int
__wrap_epoll_wait(int fd, struct epoll_event *events, int max, int ms)
{
	wakes++;
	return __real_epoll_wait(fd, events, max, ms);
}

static int
setup(void **state)
{
	char *host;

	descriptors = open_descriptors();
	is_impatient = false;
	engine_setup();
	engine_streams(PATH);
	memset(&got, 0, sizeof got);
	memset(&ends, 0, sizeof ends);
	ends.in = ends.out = ends.err = -1;
	ends.out_watch = ends.err_watch = ends.in_watch = WATCH_INIT;
	ends.out_bytes = ends.err_bytes = BUF_INIT(1u << 20);
	host = copy_format("unix://%s", engine.path);
	must((api = docker_api_new(&engine.loop, host, &e)));
	free(host);
	return 0;
}

static void
close_end(struct watch *w, int *fd)
{
	loop_unwatch(&engine.loop, w);
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void
close_ends(void)
{
	close_end(&ends.in_watch, &ends.in);
	close_end(&ends.out_watch, &ends.out);
	close_end(&ends.err_watch, &ends.err);
	buf_drop(&ends.out_bytes, ends.out_bytes.len);
	buf_drop(&ends.err_bytes, ends.err_bytes.len);
}

static int
teardown(void **state)
{
	if (got.stream)
		docker_stream_drop(got.stream);
	close_ends();
	buf_fini(&ends.out_bytes);
	buf_fini(&ends.err_bytes);
	docker_api_free(api);
	engine_teardown();
	assert_int_equal(open_descriptors(), descriptors);
	return 0;
}

/* The pipes */

static void
hear(struct watch *w, int *fd, struct buf *to)
{
	static char piece[64 << 10];
	ssize_t n = read(*fd, piece, sizeof piece);

	if (n <= 0) {
		close_end(w, fd);
		return;
	}
	if (ends.is_flood) {
		if (memcmp(piece, flood_bytes(ends.out_count), (size_t)n))
			ends.is_wrong = true;
		ends.out_count += (size_t)n;
	}
	if (!ends.is_flood)
		buf_put(to, (struct str){ piece, (size_t)n });
}

static void
on_out(struct watch *w)
{
	hear(w, &ends.out, &ends.out_bytes);
}

static void
on_err(struct watch *w)
{
	hear(w, &ends.err, &ends.err_bytes);
}

static void
listen_to_out(void)
{
	must(loop_watch(&engine.loop, &ends.out_watch, ends.out, EPOLLIN,
			on_out, &e));
}

/* Writes a flood into the input, and closes it then. */
static void
on_in(struct watch *w)
{
	size_t n = MUCH - ends.in_count;
	ssize_t written;

	if (n > FLOOD_BYTES)
		n = FLOOD_BYTES;
	written = write(ends.in, flood_bytes(ends.in_count), n);
	if (written > 0)
		ends.in_count += (size_t)written;
	else if (errno != EAGAIN)
		ends.is_wrong = true;
	if (ends.in_count == MUCH || ends.is_wrong)
		close_end(w, &ends.in);
}

static void
flood_input(void)
{
	must(loop_watch(&engine.loop, &ends.in_watch, ends.in, EPOLLOUT, on_in,
			&e));
}

/* The stream */

static void
on_opened(void *arg)
{
	assert_ptr_equal(arg, &got);
	assert_int_equal(got.ends, 0);
	got.opens++;
	if (got.drops_when_opened) {
		docker_stream_drop(got.stream);
		got.stream = NULL;
	}
}

static void
on_ended(void *arg, const struct error *e)
{
	struct str words = docker_stream_first_words(got.stream);

	assert_ptr_equal(arg, &got);
	got.ends++;
	if (e)
		got.error = *e;
	str_keep(got.first_words, sizeof got.first_words, words);
	got.stream = NULL;
}

static void
make_pipe(int *read_end, int *write_end)
{
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	*read_end = fds[0];
	*write_end = fds[1];
}

static void
start(void)
{
	struct docker_ends theirs;

	got.opens = got.ends = 0;
	got.error = (struct error){ 0 };
	make_pipe(&theirs.in, &ends.in);
	make_pipe(&ends.out, &theirs.out);
	make_pipe(&ends.err, &theirs.err);
	assert_int_equal(fcntl(ends.in, F_SETFL, O_NONBLOCK), 0);
	got.stream = docker_stream_open(api, "/exec/e/start",
					json_pack("{s:b}", "Tty", 0), &theirs,
					on_opened, on_ended, &got);
	assert_int_equal(got.opens + got.ends, 0);
	close(theirs.in);
	close(theirs.out);
	close(theirs.err);
	must(loop_watch(&engine.loop, &ends.err_watch, ends.err, EPOLLIN,
			on_err, &e));
}

static bool
is_open(void)
{
	return got.opens && engine.stream;
}

static bool
has_ended(void)
{
	return got.ends && (ends.out_watch.fd < 0 || ends.out < 0) &&
	       ends.err < 0;
}

static void
open_stream(void)
{
	start();
	listen_to_out();
	wait_until(&engine.loop, is_open);
}

static void
ends_well(void)
{
	wait_until(&engine.loop, has_ended);
	assert_int_equal(got.opens, 1);
	assert_int_equal(got.ends, 1);
	assert_string_equal(got.error.text, "");
	assert_int_equal(got.error.code, ERR_NONE);
}

static void
ends_with(enum error_code code, const char *text)
{
	wait_until(&engine.loop, has_ended);
	assert_int_equal(got.ends, 1);
	assert_int_equal(got.error.code, code);
	if (!strstr(got.error.text, text))
		fail_msg("\"%s\" is not in \"%s\"", text, got.error.text);
	close_ends();
}

static bool
input_has_ended(void)
{
	return engine.input_ended;
}

/* Bytes */

static void
bytes_go_where_they_belong(void **state)
{
	open_stream();
	assert_int_equal(write(ends.in, "to it\n", 6), 6);
	engine_sends_frame(1, "from it\n");
	engine_sends_frame(2, "oops\n");
	engine_sends_frame(1, "");
	engine_sends_frame(1, "more\n");
	wait_while(&engine.loop, engine.input.len < 6);
	engine_hangs_up();
	ends_well();
	assert_str(buf_str(&engine.input), "to it\n");
	assert_str(buf_str(&ends.out_bytes), "from it\nmore\n");
	assert_str(buf_str(&ends.err_bytes), "oops\n");
	assert_string_equal(got.first_words, "from it\nmore\n");
	assert_non_null(strstr(engine.bodies.ptr, "{\"Tty\":false}"));
}

/* Two pieces are two reads: the second is sent when the first was read. */
static void
no_cut_does_harm(void **state)
{
	static const char script[] = HEAD "\1\0\0\0\0\0\0\5first"
					  "\2\0\0\0\0\0\0\4oops"
					  "\1\0\0\0\0\0\0\0"
					  "\1\0\0\0\0\0\0\1\1"
					  "\2\0\0\0\0\0\0\3\2\0\0";
	size_t len = sizeof script - 1;

	for (size_t cut = sizeof "HTTP/1.1 101"; cut <= len; cut++) {
		engine_says(PATH, (struct str){ script, cut });
		start();
		listen_to_out();
		wait_while(&engine.loop, !engine_was_read());
		if (cut < len)
			engine_sends((struct str){ script + cut, len - cut });
		engine_hangs_up();
		ends_well();
		assert_str(buf_str(&ends.out_bytes), "first\1");
		assert_int_equal(ends.err_bytes.len, 7);
		assert_memory_equal(ends.err_bytes.ptr, "oops\2\0\0", 7);
		close_ends();
	}
}

static void
byte_by_byte_will_do(void **state)
{
	static const char script[] = "\1\0\0\0\0\0\0\3abc\2\0\0\0\0\0\0\2de"
				     "\1\0\0\0\0\0\0\1f";

	open_stream();
	for (size_t i = 0; i < sizeof script - 1; i++) {
		engine_sends((struct str){ script + i, 1 });
		wait_while(&engine.loop, !engine_was_read());
	}
	engine_hangs_up();
	ends_well();
	assert_str(buf_str(&ends.out_bytes), "abcf");
	assert_str(buf_str(&ends.err_bytes), "de");
}

static void
the_end_of_the_input_is_passed_on(void **state)
{
	open_stream();
	assert_int_equal(write(ends.in, "last", 4), 4);
	close_end(&ends.in_watch, &ends.in);
	wait_until(&engine.loop, input_has_ended);
	assert_str(buf_str(&engine.input), "last");
	engine_sends_frame(1, "after it");
	engine_hangs_up();
	ends_well();
	assert_str(buf_str(&ends.out_bytes), "after it");
}

static void
no_pipes_are_needed(void **state)
{
	struct docker_ends none = { -1, -1, -1 };

	got.stream = docker_stream_open(api, "/exec/e/start", NULL, &none, NULL,
					on_ended, &got);
	wait_until(&engine.loop, input_has_ended);
	engine_sends_frame(1, "for nobody");
	engine_sends_frame(2, "for nobody");
	engine_hangs_up();
	wait_until(&engine.loop, has_ended);
	assert_int_equal(got.error.code, ERR_NONE);
	assert_string_equal(got.first_words, "for nobody");
}

/* Back-pressure */

static bool
flood_stands_still(void)
{
	static size_t before;
	static unsigned same;

	same = engine.flooded == before ? same + 1 : 0;
	before = engine.flooded;
	return same > 20;
}

static void
a_slow_reader_makes_the_engine_wait(void **state)
{
	start();
	wait_until(&engine.loop, is_open);
	ends.is_flood = true;
	engine_floods(MUCH);
	wait_until(&engine.loop, flood_stands_still);
	assert_true(engine.flooded > 0 && engine.flooded < KEPT_BYTES);
	listen_to_out();
	ends_well();
	assert_false(ends.is_wrong);
	assert_int_equal(ends.out_count,
			 engine.flooded / (32 << 10) * ((32 << 10) - 8));
}

static bool
input_stands_still(void)
{
	static size_t before;
	static unsigned same;

	same = ends.in_count == before ? same + 1 : 0;
	before = ends.in_count;
	return same > 20;
}

static void
a_slow_engine_makes_the_writer_wait(void **state)
{
	open_stream();
	engine_listens(false);
	flood_input();
	wait_until(&engine.loop, input_stands_still);
	assert_true(ends.in_count > 0 && ends.in_count < KEPT_BYTES);
	engine_sends_frame(1, "meanwhile");
	wait_while(&engine.loop, ends.out_bytes.len < 9);
	engine_listens(true);
	wait_until(&engine.loop, input_has_ended);
	assert_false(ends.is_wrong);
	assert_int_equal(engine.input.len, MUCH);
	for (size_t i = 0; i < MUCH; i += FLOOD_BYTES)
		assert_memory_equal(engine.input.ptr + i, flood_bytes(i),
				    FLOOD_BYTES);
	engine_hangs_up();
	ends_well();
}

/* Who does not read makes the engine wait, but not us: the input goes on. */
static void
the_input_goes_on_while_the_output_is_full(void **state)
{
	start();
	wait_until(&engine.loop, is_open);
	ends.is_flood = true;
	engine_floods(MUCH);
	wait_until(&engine.loop, flood_stands_still);
	flood_input();
	wait_while(&engine.loop, ends.in_count < 64 << 10);
	docker_stream_drop(got.stream);
	got.stream = NULL;
}

/* The test's own timer wakes it once in each millisecond. */
static bool
loop_is_idle(void)
{
	unsigned before = wakes;

	wait_ms(&engine.loop, 300);
	return wakes - before < 1000;
}

/* Neither bytes nor a hang-up, which epoll can't be told to leave out, may wake
 * us again and again. */
static void
waiting_for_a_reader_costs_nothing(void **state)
{
	start();
	wait_until(&engine.loop, is_open);
	ends.is_flood = true;
	engine_floods(MUCH);
	wait_until(&engine.loop, flood_stands_still);
	assert_true(loop_is_idle());
	engine_hangs_up();
	assert_true(loop_is_idle());
	assert_int_equal(got.ends, 0);
	listen_to_out();
	wait_until(&engine.loop, has_ended);
	assert_false(ends.is_wrong);
}

/* Who goes */

static void
output_that_nobody_reads_is_thrown_away(void **state)
{
	open_stream();
	close_end(&ends.out_watch, &ends.out);
	engine_sends_frame(1, "for nobody");
	engine_sends_frame(2, "for you");
	engine_sends_frame(1, "for nobody");
	engine_hangs_up();
	ends_well();
	assert_str(buf_str(&ends.err_bytes), "for you");
}

static void
a_reader_may_go_while_the_pipe_is_full(void **state)
{
	start();
	wait_until(&engine.loop, is_open);
	engine_floods(MUCH);
	wait_until(&engine.loop, flood_stands_still);
	close_end(&ends.out_watch, &ends.out);
	ends_well();
}

static void
output_comes_though_nobody_takes_the_input(void **state)
{
	open_stream();
	shutdown(engine.stream->fd, SHUT_RD);
	flood_input();
	wait_while(&engine.loop, !ends.is_wrong);
	engine_sends_frame(1, "still here");
	engine_hangs_up();
	ends_well();
	assert_str(buf_str(&ends.out_bytes), "still here");
}

static bool
engine_has_bytes(void)
{
	char byte;

	return recv(engine.stream->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

static void
an_engine_that_dies_with_our_bytes_is_an_error(void **state)
{
	open_stream();
	engine_listens(false);
	assert_int_equal(write(ends.in, "unread", 6), 6);
	wait_until(&engine.loop, engine_has_bytes);
	engine_hangs_up();
	ends_with(ERR_UNAVAILABLE, "has gone away: Connection reset by peer");
}

static void
half_a_frame_is_an_error(void **state)
{
	open_stream();
	engine_sends_frame(1, "whole");
	engine_sends(STR("\1\0\0\0\0"));
	engine_hangs_up();
	ends_with(ERR_TRUNCATED, "inside of the header of a frame");
	open_stream();
	engine_sends(STR("\1\0\0\0\0\0\0\11half"));
	engine_hangs_up();
	ends_with(ERR_TRUNCATED, "of which 5 bytes are missing");
}

static void
half_a_frame_is_passed_on(void **state)
{
	open_stream();
	engine_sends(STR("\1\0\0\0\0\0\0\11half"));
	wait_while(&engine.loop, ends.out_bytes.len < 4);
	assert_str(buf_str(&ends.out_bytes), "half");
}

static void
bytes_that_are_no_frame_are_an_error(void **state)
{
	open_stream();
	engine_sends(STR("\4\0\0\0\0\0\0\1x"));
	ends_with(ERR_PROTOCOL, "no frame");
	open_stream();
	engine_sends(STR("\0\0\0\0\0\0\0\1x"));
	ends_with(ERR_PROTOCOL, "no frame");
	open_stream();
	engine_sends(STR("\1\0\0\1\0\0\0\1x"));
	ends_with(ERR_PROTOCOL, "no frame");
	open_stream();
	engine_sends(STR("OCI runtime exec failed\r\n"));
	ends_with(ERR_PROTOCOL, "no frame");
	engine_says(PATH, STR(HEAD "\4\0\0\0\0\0\0\1x"));
	open_stream();
	ends_with(ERR_PROTOCOL, "no frame");
	assert_int_equal(got.opens, 1);
}

static void
the_engine_may_tell_an_error_in_the_stream(void **state)
{
	open_stream();
	engine_sends_frame(1, "fine");
	engine_sends_frame(3, "the log is gone\n");
	ends_with(ERR_UNAVAILABLE, "docker: the log is gone");
}

/* Refusals */

static void
a_refusal_is_told_in_the_words_of_the_engine(void **state)
{
	engine_answers(PATH, 404, "{\"message\": \"No such exec: e\"}");
	start();
	ends_with(ERR_UNAVAILABLE, "docker: No such exec: e (404)");
	assert_int_equal(got.opens, 0);

	engine_says(PATH, STR("HTTP/1.1 409 Conflict\r\n"
			      "Transfer-Encoding: chunked\r\n\r\n"
			      "15\r\n{\"message\": \"stopped\"}\r\n0\r\n\r\n"));
	start();
	ends_with(ERR_UNAVAILABLE, "docker: stopped (409)");

	engine_hangs_up_after(PATH, STR("HTTP/1.1 500 Sorry\r\n\r\noops"));
	start();
	ends_with(ERR_UNAVAILABLE, "does not say why (500)");

	engine_answers(PATH, 200, "{}");
	start();
	ends_with(ERR_PROTOCOL, "makes no stream (200)");
}

static void
the_words_of_a_refusal_may_never_come(void **state)
{
	engine_says(PATH, STR("HTTP/1.1 403 No\r\nContent-Length: 9\r\n\r\n{"));
	start();
	ends_with(ERR_UNAVAILABLE, "does not say why (403)");
}

static void
a_refusal_may_be_too_long(void **state)
{
	static char answer[80 << 10] = "HTTP/1.1 500 Sorry\r\n\r\n{\"";

	memset(answer + 24, 'x', sizeof answer - 24);
	engine_says(PATH, (struct str){ answer, sizeof answer });
	start();
	ends_with(ERR_UNAVAILABLE, "does not say why (500)");
}

/* The engine may be another one than that which has told its version. */
static void
another_version_is_asked_for_after_a_refusal(void **state)
{
	engine_answers(PATH, 400,
		       "{\"message\": \"client version 1.41 is too "
		       "old\"}");
	start();
	ends_with(ERR_UNAVAILABLE, "is too old (400)");
	engine_has_version("1.44");
	engine_streams("POST /v1.44/exec/e/start");
	open_stream();
	engine_hangs_up();
	ends_well();
}

static void
what_is_no_engine_is_an_error(void **state)
{
	static char long_head[40 << 10] = "HTTP/1.1 101 UPGRADED\r\nX: ";

	engine_says(PATH, STR("220 mail.example.org ESMTP\r\n\r\n"));
	start();
	ends_with(ERR_PROTOCOL, "is no Docker engine");
	engine_says(PATH, STR("x\r\n\r\n"));
	start();
	ends_with(ERR_PROTOCOL, "is no Docker engine");
	memset(long_head + 26, 'x', sizeof long_head - 26);
	engine_says(PATH, (struct str){ long_head, sizeof long_head });
	start();
	ends_with(ERR_PROTOCOL, "is no Docker engine");
}

static void
an_engine_that_hangs_up_is_an_error(void **state)
{
	engine_hangs_up_after(PATH, STR(""));
	start();
	ends_with(ERR_UNAVAILABLE, "has gone away");
	engine_hangs_up_after(PATH, STR("HTTP/1.1 101 UPGRA"));
	start();
	ends_with(ERR_UNAVAILABLE, "has gone away");
}

static void
an_engine_that_hangs_is_an_error(void **state)
{
	is_impatient = true;
	engine_is_silent(PATH);
	start();
	ends_with(ERR_UNAVAILABLE, "does not answer");
}

static void
an_engine_that_is_not_there_is_an_error(void **state)
{
	engine_goes();
	start();
	ends_with(ERR_UNAVAILABLE, "No such file or directory");
	engine_comes();
	open_stream();
	engine_hangs_up();
	ends_well();
	close_ends();
	engine_goes(); /* its version is known now */
	start();
	ends_with(ERR_UNAVAILABLE, "No such file or directory");
}

static void
too_many_descriptors_are_an_error(void **state)
{
	struct rlimit old, few;

	open_stream();
	engine_hangs_up();
	ends_well();
	close_ends();
	start();
	getrlimit(RLIMIT_NOFILE, &old);
	few = (struct rlimit){ 3, old.rlim_max };
	setrlimit(RLIMIT_NOFILE, &few);
	wait_while(&engine.loop, !got.ends);
	setrlimit(RLIMIT_NOFILE, &old);
	ends_with(ERR_SYSTEM, "Too many open files");
}

/* The queue of an engine that is busy is full for a moment. */
static void
a_full_queue_is_waited_for(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fds[16], n = 0;

	open_stream();
	engine_hangs_up();
	ends_well();
	close_ends();
	str_keep(a.sun_path, sizeof a.sun_path, str_of(engine.path));
	loop_unwatch(&engine.loop, &engine.knocks);
	do
		fds[n++] = socket(
			AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	while (n < 16 && connect(fds[n - 1], (void *)&a, sizeof a) == 0);
	assert_int_equal(errno, EAGAIN);
	start();
	listen_to_out();
	wait_ms(&engine.loop, 30);
	assert_int_equal(got.ends, 0);
	must(loop_watch(&engine.loop, &engine.knocks, engine.listener, EPOLLIN,
			engine.knocks.ready, &e));
	wait_until(&engine.loop, is_open);
	while (n)
		close(fds[--n]);
	engine_hangs_up();
	ends_well();
}

/* Drops */

static void
what_is_dropped_is_not_told(void **state)
{
	start();
	docker_stream_drop(got.stream); /* before anything has happened */
	close_ends();
	engine_is_silent(PATH);
	start();
	wait_while(&engine.loop, !engine_was_asked(PATH));
	docker_stream_drop(got.stream); /* while it waits for an answer */
	close_ends();
	engine_streams(PATH);
	got.drops_when_opened = true;
	open_stream();
	assert_int_equal(got.ends, 0);
	assert_null(got.stream);
}

static void
a_stream_that_has_failed_may_be_dropped(void **state)
{
	engine_goes();
	start();
	wait_ms(&engine.loop, 0);
	if (!got.ends)
		docker_stream_drop(got.stream);
	got.stream = NULL;
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test(bytes_go_where_they_belong),
		test(no_cut_does_harm),
		test(byte_by_byte_will_do),
		test(the_end_of_the_input_is_passed_on),
		test(no_pipes_are_needed),
		test(a_slow_reader_makes_the_engine_wait),
		test(a_slow_engine_makes_the_writer_wait),
		test(the_input_goes_on_while_the_output_is_full),
		test(waiting_for_a_reader_costs_nothing),
		test(output_that_nobody_reads_is_thrown_away),
		test(a_reader_may_go_while_the_pipe_is_full),
		test(output_comes_though_nobody_takes_the_input),
		test(an_engine_that_dies_with_our_bytes_is_an_error),
		test(half_a_frame_is_an_error),
		test(half_a_frame_is_passed_on),
		test(bytes_that_are_no_frame_are_an_error),
		test(the_engine_may_tell_an_error_in_the_stream),
		test(a_refusal_is_told_in_the_words_of_the_engine),
		test(the_words_of_a_refusal_may_never_come),
		test(a_refusal_may_be_too_long),
		test(another_version_is_asked_for_after_a_refusal),
		test(what_is_no_engine_is_an_error),
		test(an_engine_that_hangs_up_is_an_error),
		test(an_engine_that_hangs_is_an_error),
		test(an_engine_that_is_not_there_is_an_error),
		test(too_many_descriptors_are_an_error),
		test(a_full_queue_is_waited_for),
		test(what_is_dropped_is_not_told),
		test(a_stream_that_has_failed_may_be_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
