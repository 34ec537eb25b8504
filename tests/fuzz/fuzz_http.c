/*
 * Any bytes of a client, cut anywhere: refused or served, never worse.
 *
 * The real HTTP side of the gateway, with libmicrohttpd, on real sockets.  What
 * must hold whatever comes: no request is served whose head the strict reader
 * would not have found, every answer looks like one, and when the client has
 * gone nothing of it is left.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/http/connection.h"
#include "proto/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { ROUNDS = 40 /* of the loop, in which an answer comes */ };

static struct loop loop;
static struct http http;
static struct sockaddr_in address;
static struct timer tick;
static int rounds;
static size_t served;

/* A gateway that knows three things to do. */

static bool
judge(struct request *r, struct error *e)
{
	r->wants_body = request_is(r, "POST");
	if (strstr(r->path, "refuse"))
		return fail_with(e, ERR_FORBIDDEN, "refused as asked");
	(void)request_header(r, "Host");
	(void)request_argument(r, "a");
	return request_header_agrees(r, "Accept") ||
	       fail_with(e, ERR_INVALID, "it must agree");
}

static bool
heard(struct request *r, struct str piece, struct error *e)
{
	return !memchr(piece.ptr, '!', piece.len) ||
	       fail_with(e, ERR_INVALID, "nobody may shout");
}

static void
ready(struct request *r)
{
	struct buf body = BUF_INIT(1 << 20);

	served++;
	buf_print(&body, "%s %zu", r->method, r->body.len);
	if (!strstr(r->path, "stream")) {
		request_answer(r, 200, &body);
		return;
	}
	request_open(r, 200);
	buf_put(request_begin(r), buf_str(&body));
	buf_fini(&body);
	if (strstr(r->path, "cut"))
		request_cut(r);
	else
		request_close(r);
}

static void
explain(struct request *r, const struct error *e, struct buf *body)
{
	buf_print(body, "%s", e->text);
}

static void
on_tick(struct timer *t)
{
	if (--rounds <= 0)
		loop_stop(&loop);
	else
		loop_set(&loop, t, 0, on_tick);
}

static void
run_for(int n)
{
	struct error e;

	loop.stopping = false;
	rounds = n;
	loop_set(&loop, &tick, 0, on_tick);
	if (!loop_run(&loop, &e))
		abort();
}

static bool
is_clear(void)
{
	return !http.busy.len && !http.idle.len && !http.dead.len &&
	       !http.readers.len;
}

/* A reset takes its time, and libmicrohttpd a second to give up what it is
 * stuck in. */
static void
run_until_clear(void)
{
	uint64_t until = loop_now() + 30000;

	while (!is_clear() && loop_now() < until)
		run_for(8);
}

static void
start(void)
{
	struct settings s = { .max_body = 4096,
			      .max_bodies = 16384,
			      .max_connections = 16 };
	struct error e;
	socklen_t len = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	log_open("fuzz", LOG_ERROR);
	address.sin_family = AF_INET;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
	    listen(fd, 16) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &len) < 0)
		abort();
	http.judge = judge;
	http.heard = heard;
	http.ready = ready;
	http.explain = explain;
	if (!loop_init(&loop, &e) || !http_init(&http, &loop, fd, &s, &e))
		abort();
}

/* How many requests the bytes are at most; SIZE_MAX: that is not known. */
static size_t
count_requests(struct str bytes)
{
	size_t n = 0;

	while (bytes.len) {
		struct head h = { 0 };
		struct error e;
		size_t seen = 0;

		if (head_read(&h, bytes, &seen, &e) != HEAD_COMPLETE)
			return n;
		if (h.is_chunked)
			return SIZE_MAX;
		if (h.length > bytes.len - h.len)
			return n;
		bytes = str_from(bytes, h.len + h.length);
		n++;
	}
	return n;
}

/* In pieces, whose length the input chooses. */
static void
send_all(int fd, struct str bytes, unsigned step)
{
	while (bytes.len) {
		size_t n = bytes.len < step ? bytes.len : step;

		if (send(fd, bytes.ptr, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			return;
		bytes = str_from(bytes, n);
		run_for(4);
	}
}

static void
check_answers(int fd)
{
	static char answer[1 << 20];
	ssize_t n = recv(fd, answer, sizeof answer - 1, MSG_DONTWAIT);

	if (n <= 0)
		return;
	answer[n] = '\0';
	assert(!strncmp(answer, "HTTP/1.1 ", 9));
	assert(strstr(answer, "\r\n\r\n"));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct linger reset = { .l_onoff = 1 };
	struct str bytes = { (const char *)data + 1, len - 1 };
	int fd;

	if (len < 2 || len > 64 << 10)
		return 0;
	if (!loop.epoll || loop.epoll == -1 || !http.loop)
		start();
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
		abort();
	served = 0;
	run_for(2);
	send_all(fd, bytes, data[0] < 128 ? 1u << 16 : data[0] - 127u);
	if (data[0] & 1)
		shutdown(fd, SHUT_WR);
	run_for(ROUNDS);
	assert(served <= count_requests(bytes));
	check_answers(fd);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	close(fd);
	run_until_clear();
	assert(is_clear());
	assert(!http.requests.len && !http.body_bytes);
	return 0;
}
