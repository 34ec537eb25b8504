#include "gateway/http/connection.h"

#include <assert.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/http/reader.h"
#include "proto/log.h"

enum {
	IDLE_MS = 120000,  /* between requests */
	HEAD_MS = 15000,   /* from accept, or from the first byte of a head */
	CLOSING_MS = 2000, /* to read what we have said, and to stop sending */
	STALL_MS = 600000, /* in which a client takes nothing of its answer */
	MAX_DRAINED = 64 << 20, /* bytes of one who does not listen */
	MAX_LINE_ENDS = 4,	/* before a head */
};

/* Deadlines */

static void
on_deadline(struct timer *t)
{
	connection_event(container_of(t, struct connection, deadline), ON_TIME);
}

void
connection_set_deadline(struct connection *c, uint64_t ms)
{
	loop_set(c->http->loop, &c->deadline, ms, on_deadline);
}

static void
move_to(struct connection *c, struct list *to)
{
	if (c->in)
		list_remove(c->in, &c->node);
	c->in = to;
	list_append(to, &c->node);
}

/* The verbs of the table: each is called when its state has been entered. */

static void
stay(struct connection *c)
{
}

static void
look_soon(struct connection *c)
{
	if (!c->pending.next)
		list_append(&c->http->pending, &c->pending);
	http_soon(c->http);
}

/* Another request may come, or has come while the last one was served. */
static void
wait_for_request(struct connection *c)
{
	struct request *r = c->request;

	c->request = NULL;
	if (r)
		request_free(r);
	move_to(c, &c->http->idle);
	c->seen = c->step = 0;
	c->line_ends = 0;
	c->is_chunked = false;
	connection_set_deadline(c, IDLE_MS);
	if (c->has_input)
		look_soon(c);
}

static ssize_t
peek(struct connection *c, char *bytes, size_t size)
{
	ssize_t n;

	c->has_input = false;
	do
		n = recv(c->fd, bytes, size, MSG_PEEK | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n;
}

/* What the head says of the connection. */
static void
keep_facts(struct connection *c, const struct head *h, size_t peeked)
{
	bool ends_here = !h->is_chunked && peeked <= h->len + h->length;

	c->is_http_1_0 = h->is_http_1_0;
	c->is_chunked = h->is_chunked;
	c->keeps_alive = head_keeps_alive(h) && ends_here;
	c->taken += h->len + h->length;
}

/*
 * Some clients end a body with a line end that is not counted.  Whoever sends
 * many of them gets an error for the first line of the head, which is empty.
 */
static ssize_t
pass_line_ends(struct connection *c, char *bytes, size_t size)
{
	ssize_t n = peek(c, bytes, size);

	while (n >= 2 && !memcmp(bytes, "\r\n", 2) &&
	       c->line_ends++ < MAX_LINE_ENDS) {
		c->taken += 2;
		c->seen = 0;
		if (recv(c->fd, bytes, 2, MSG_DONTWAIT) != 2)
			return 0;
		n = peek(c, bytes, size);
	}
	return n;
}

/* A web page may read only an answer that names its origin, also this one. */
static void
keep_origin(struct connection *c, struct str bytes)
{
	struct str line, name, value;

	c->request = request_new(c);
	while (bytes.ptr) {
		line = str_cut(bytes, '\n', &bytes);
		name = str_cut(line, ':', &value);
		if (value.ptr && bytes.ptr && str_same(name, STR("Origin"))) {
			request_say(c->request, "Origin", str_trim(value));
			return;
		}
	}
}

static void
read_head(struct connection *c)
{
	static char bytes[MAX_HEAD + 1];
	struct error e = { 0 };
	struct head h = { 0 };
	ssize_t n = pass_line_ends(c, bytes, sizeof bytes);

	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			connection_event(c, ON_GONE);
		return;
	}
	switch (head_read(&h, (struct str){ bytes, (size_t)n }, &c->seen, &e)) {
	case HEAD_INCOMPLETE:
		break;
	case HEAD_COMPLETE:
		keep_facts(c, &h, (size_t)n);
		connection_event(c, ON_HEAD);
		break;
	case HEAD_REFUSED:
		keep_origin(c, (struct str){ bytes, (size_t)n });
		connection_fail(c, &e);
		break;
	}
}

/* Bytes of the last request's body may have announced themselves so late. */
static void
look_for_head(struct connection *c)
{
	char first[2];
	ssize_t n = pass_line_ends(c, first, sizeof first);

	if (n > 0)
		connection_event(c, ON_BEGUN);
	else if (n == 0 || errno != EAGAIN)
		connection_event(c, ON_GONE);
}

/* The time for a head begins with its first byte. */
static void
begin_head(struct connection *c)
{
	connection_set_deadline(c, HEAD_MS);
	read_head(c);
}

static void
start_reading(struct connection *c)
{
	struct error e = { 0 };

	move_to(c, &c->http->busy);
	c->request = request_new(c);
	connection_await_body(c);
	if (!reader_start(c, &e))
		connection_fail(c, &e);
}

/* Bytes that are behind the request's end were lost to libmicrohttpd. */
static bool
has_sent_more(const struct connection *c)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof info;

	return getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 ||
	       info.tcpi_bytes_received > c->taken;
}

static void
doubt(struct connection *c)
{
	static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct request *r = c->request;

	if (c->state == CONN_WAITING && !c->is_http_1_0)
		(void)!send(c->fd, interim, sizeof interim - 1,
			    MSG_NOSIGNAL | MSG_DONTWAIT);
	else if (c->state == CONN_STREAMING && r->doubted)
		r->doubted(r);
}

/* Who is refused, and has not sent all, makes room for others. */
static void
make_replaceable(struct connection *c)
{
	move_to(c, &c->http->idle);
}

static void
hand_over(struct connection *c)
{
	struct request *r = c->request;

	move_to(c, &c->http->busy);
	loop_unset(c->http->loop, &c->deadline);
	if (c->keeps_alive && has_sent_more(c))
		c->keeps_alive = false;
	if (r->refusal)
		request_fail(r, r->refusal);
	else
		c->http->ready(r);
	if (c->is_half && c->state == CONN_WAITING)
		doubt(c);
}

/* Its machine answers to what is written now if there is nobody any more. */
static void
note_half(struct connection *c)
{
	c->is_half = true;
	c->keeps_alive = false;
	doubt(c);
}

/* Another edge for libmicrohttpd, which may have missed this one. */
static void
end_reading(struct connection *c)
{
	c->is_half = true;
	c->keeps_alive = false;
	shutdown(c->fd, SHUT_RD);
}

/* The error is in c->error. */
static void
answer_failure(struct connection *c)
{
	reader_detach(c);
	c->keeps_alive = false;
	move_to(c, &c->http->busy);
	if (!c->request)
		c->request = request_new(c);
	request_fail(c->request, &c->error);
}

static void
fail_slow(struct connection *c)
{
	fail_with(&c->error, ERR_SLOW, "the request took too long to arrive");
	answer_failure(c);
}

static void
start_sending(struct connection *c)
{
	loop_unset(c->http->loop, &c->deadline);
}

/*
 * A socket that is closed while the other side still sends is reset, and what
 * was said last is lost with it.  So what comes is read for a while.
 */
static void
start_closing(struct connection *c)
{
	struct request *r = c->request;

	c->request = NULL;
	if (r)
		request_free(r);
	c->step = 0;
	shutdown(c->fd, SHUT_WR);
	connection_set_deadline(c, CLOSING_MS);
	c->has_input = true;
	look_soon(c);
}

static void
drain(struct connection *c)
{
	static char bytes[64 << 10];
	ssize_t n;

	for (int i = 0; i < 16; i++) {
		n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n > 0)
			c->step += (size_t)n;
		if (n <= 0 || c->step > MAX_DRAINED) {
			connection_event(c, ON_GONE);
			return;
		}
	}
	c->has_input = true;
	look_soon(c);
}

static void
end(struct connection *c)
{
	struct http *h = c->http;
	struct request *r = c->request;

	loop_unset(h->loop, &c->deadline);
	loop_unwatch(h->loop, &c->watch);
	list_remove(&h->pending, &c->pending);
	reader_detach(c);
	if (!c->resets)
		shutdown(c->fd, SHUT_RDWR); /* libmicrohttpd's copy, too */
	close(c->fd);
	c->fd = -1;
	move_to(c, &h->dead);
	http_soon(h);
	if (!r)
		return;
	list_remove(&h->unpushed, &r->unpushed);
	r->why = "client left";
	request_tell_left(r);
}

/* What is not in the table changes nothing. */
static const struct rule {
	enum connection_state next;
	void (*enter)(struct connection *);
} rules[CONN_STATES][CONN_EVENTS] = {
	/* clang-format off */
	[CONN_IDLE] = {
		[ON_INPUT]    = { CONN_IDLE,      look_for_head },
		[ON_BEGUN]    = { CONN_HEAD,      begin_head },
		[ON_HALF]     = { CONN_CLOSED,    end },
		[ON_GONE]     = { CONN_CLOSED,    end },
		[ON_TIME]     = { CONN_CLOSED,    end },
	},
	[CONN_HEAD] = {
		[ON_INPUT]    = { CONN_HEAD,      read_head },
		[ON_HEAD]     = { CONN_READING,   start_reading },
		[ON_FAILED]   = { CONN_WAITING,   answer_failure },
		[ON_HALF]     = { CONN_CLOSED,    end },
		[ON_GONE]     = { CONN_CLOSED,    end },
		[ON_TIME]     = { CONN_WAITING,   fail_slow },
	},
	[CONN_READING] = {
		[ON_REFUSED]  = { CONN_REFUSED,   make_replaceable },
		[ON_READ]     = { CONN_WAITING,   hand_over },
		[ON_FAILED]   = { CONN_WAITING,   answer_failure },
		[ON_GARBLED]  = { CONN_CLOSING,   start_closing },
		[ON_HALF]     = { CONN_READING,   end_reading },
		[ON_GONE]     = { CONN_CLOSED,    end },
		[ON_TIME]     = { CONN_WAITING,   fail_slow },
	},
	[CONN_REFUSED] = {
		[ON_READ]     = { CONN_WAITING,   hand_over },
		[ON_FAILED]   = { CONN_WAITING,   answer_failure },
		[ON_GARBLED]  = { CONN_CLOSING,   start_closing },
		[ON_HALF]     = { CONN_REFUSED,   end_reading },
		[ON_GONE]     = { CONN_CLOSED,    end },
		[ON_TIME]     = { CONN_WAITING,   fail_slow },
	},
	[CONN_WAITING] = {
		[ON_OPENED]   = { CONN_STREAMING, start_sending },
		[ON_ANSWERED] = { CONN_ANSWERED,  start_sending },
		[ON_HALF]     = { CONN_WAITING,   note_half },
		[ON_GONE]     = { CONN_CLOSED,    end },
	},
	[CONN_STREAMING] = {
		[ON_ANSWERED] = { CONN_ANSWERED,  stay },
		[ON_HALF]     = { CONN_STREAMING, note_half },
		[ON_GONE]     = { CONN_CLOSED,    end },
		[ON_TIME]     = { CONN_CLOSED,    end },
	},
	[CONN_ANSWERED] = {
		[ON_KEPT]     = { CONN_IDLE,      wait_for_request },
		[ON_DONE]     = { CONN_CLOSING,   start_closing },
		[ON_HALF]     = { CONN_ANSWERED,  note_half },
		[ON_GONE]     = { CONN_CLOSED,    end },
		[ON_TIME]     = { CONN_CLOSED,    end },
	},
	[CONN_CLOSING] = {
		[ON_INPUT]    = { CONN_CLOSING,   drain },
		[ON_HALF]     = { CONN_CLOSING,   drain },
		[ON_GONE]     = { CONN_CLOSED,    end },
		[ON_TIME]     = { CONN_CLOSED,    end },
	},
	/* clang-format on */
};

enum connection_state
connection_next(enum connection_state state, enum connection_event event)
{
	const struct rule *rule = &rules[state][event];

	return rule->enter ? rule->next : state;
}

void
connection_event(struct connection *c, enum connection_event event)
{
	const struct rule *rule = &rules[c->state][event];

	if (!rule->enter)
		return;
	c->state = rule->next;
	rule->enter(c);
}

void
connection_fail(struct connection *c, const struct error *e)
{
	c->error = *e;
	connection_event(c, ON_FAILED);
}

/* Sending */

static void
set_blocked(struct connection *c, bool blocked)
{
	struct request *r = c->request;

	if (r->is_blocked == blocked)
		return;
	r->is_blocked = blocked;
	loop_rewatch(c->http->loop, &c->watch,
		     EPOLLIN | EPOLLRDHUP | EPOLLET | (blocked ? EPOLLOUT : 0));
	if (!blocked)
		loop_unset(c->http->loop, &c->deadline);
}

/* An old client can't see that a body without a length is cut: a reset it
 * can. */
static void
finish(struct connection *c)
{
	const struct linger reset = { .l_onoff = 1 };

	c->resets = c->request->is_cut && c->is_http_1_0;
	if (!c->resets) {
		connection_event(c, c->keeps_alive ? ON_KEPT : ON_DONE);
		return;
	}
	(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	connection_event(c, ON_GONE);
}

void
connection_push(struct connection *c)
{
	struct request *r = c->request;
	uint64_t before = r->writer.total;
	struct error e;

	list_remove(&c->http->unpushed, &r->unpushed);
	if (!chunk_writer_push(&r->writer, c->fd, &e)) {
		connection_event(c, ON_GONE);
		return;
	}
	set_blocked(c, chunk_writer_waiting(&r->writer) > 0);
	if (r->is_blocked &&
	    (r->writer.total > before || !timer_is_set(&c->deadline)))
		connection_set_deadline(c, STALL_MS);
	if (r->taken)
		r->taken(r);
	if (c->state == CONN_ANSWERED && !r->is_blocked)
		finish(c);
}

/* Its socket */

void
connection_look(struct connection *c)
{
	list_remove(&c->http->pending, &c->pending);
	if (c->has_input)
		connection_event(c, ON_INPUT);
}

static void
on_socket(struct watch *w)
{
	struct connection *c = container_of(w, struct connection, watch);
	uint32_t events = w->events;

	if ((events & EPOLLERR) ||
	    ((events & EPOLLHUP) && c->state != CONN_CLOSING)) {
		connection_event(c, ON_GONE);
		return;
	}
	if ((events & EPOLLOUT) && c->request && c->request->is_blocked)
		connection_push(c);
	if (events & EPOLLIN) {
		c->has_input = true;
		connection_event(c, ON_INPUT);
	}
	if (events & EPOLLRDHUP)
		connection_event(c, ON_HALF);
}

void
connection_new(struct http *h, int fd)
{
	struct connection *c = xcalloc(1, sizeof *c);
	struct error e = { 0 };
	int on = 1;

	c->http = h;
	c->fd = fd;
	c->watch = WATCH_INIT;
	move_to(c, &h->idle);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	connection_set_deadline(c, HEAD_MS);
	if (loop_watch(h->loop, &c->watch, fd, EPOLLIN | EPOLLRDHUP | EPOLLET,
		       on_socket, &e))
		return;
	log_error("%s", e.text);
	connection_event(c, ON_GONE);
}

void
connection_drop(struct connection *c)
{
	connection_event(c, ON_GONE);
}

void
connection_free(struct connection *c)
{
	list_remove(c->in, &c->node);
	if (c->request)
		request_free(c->request);
	free(c);
}
