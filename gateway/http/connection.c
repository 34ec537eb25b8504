#include "gateway/http/connection.h"

#include <sys/socket.h>

#include "gateway/http/lingering_close.h"
#include "gateway/http/request.h"
#include "proto/log.h"

static void
on_socket(struct watch *w)
{
	struct connection *c = container_of(w, struct connection, watch);
	struct request *r = c->request;

	if (w->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
		c->gone = true;
		loop_unwatch(c->http->loop, w);
		if (r && request_is_ours(r))
			request_lose(r);
	} else if (r && r->stage == STREAMING) {
		request_push(r);
	}
}

/*
 * MHD is reading and must be told by the socket itself that it's over: at once
 * if there is nothing to say, or when there was time to read what we say.
 */
static void
on_deadline(struct timer *t)
{
	struct connection *c = container_of(t, struct connection, deadline);
	struct request *r = c->request;
	struct error e = { 0 };

	if (r && r->stage != HANDED_BACK) {
		fail_with(&e, ERR_SLOW, "the request took too long to arrive");
		request_cut_short(r, &e);
		connection_wait(c, LINGER_TIME);
		return;
	}
	shutdown(c->fd, SHUT_RDWR);
}

void
connection_wait(struct connection *c, uint64_t ms)
{
	loop_set(c->http->loop, &c->deadline, ms, on_deadline);
}

struct connection *
connection_new(struct http *h, int fd)
{
	struct connection *c = xcalloc(1, sizeof *c);
	struct error e;

	c->http = h;
	c->fd = fd;
	c->watch = WATCH_INIT;
	if (!loop_watch(h->loop, &c->watch, fd, EPOLLRDHUP | EPOLLET, on_socket,
			&e))
		log_error("%s", e.text);
	connection_wait(c, HEAD_TIME);
	return c;
}

void
connection_free(struct connection *c)
{
	loop_unset(c->http->loop, &c->deadline);
	loop_unwatch(c->http->loop, &c->watch);
	free(c);
}
