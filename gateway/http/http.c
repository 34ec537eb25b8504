#include "gateway/http/connection.h"

#include <errno.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/http/reader.h"
#include "proto/log.h"

enum {
	AT_ONCE = 64,	  /* connections accepted before others have a turn */
	NO_ROOM_MS = 100, /* until accepting is tried again */
};

/* What is to be done when the running callback has returned */

static void
on_soon(struct timer *t)
{
	struct http *h = container_of(t, struct http, soon);
	struct node *n;

	for (size_t i = h->pending.len; i && (n = list_first(&h->pending)); i--)
		connection_look(container_of(n, struct connection, pending));
	while ((n = list_first(&h->dead)))
		connection_free(container_of(n, struct connection, node));
	if (list_first(&h->pending))
		http_soon(h);
}

void
http_soon(struct http *h)
{
	if (!timer_is_set(&h->soon))
		loop_set(h->loop, &h->soon, 0, on_soon);
}

/* Accepting */

static void on_listening(struct watch *);

/* Who has sent no whole request yet, for the longest time, makes room. */
static bool
make_room(struct http *h)
{
	struct node *oldest = list_first(&h->idle);

	if (h->idle.len + h->busy.len < h->max_connections)
		return true;
	if (!oldest)
		return false;
	connection_drop(container_of(oldest, struct connection, node));
	return true;
}

static void
listen_again(struct timer *t)
{
	struct http *h = container_of(t, struct http, accept_again);
	struct error e = { 0 };

	if (h->closing || h->listening.fd >= 0)
		return;
	if (!loop_watch(h->loop, &h->listening, h->listen_fd, EPOLLIN,
			on_listening, &e))
		log_error("%s", e.text);
}

/* Clients wait in the listening socket meanwhile. */
static void
rest_from_accepting(struct http *h)
{
	loop_unwatch(h->loop, &h->listening);
	loop_set(h->loop, &h->accept_again, NO_ROOM_MS, listen_again);
}

static void
on_listening(struct watch *w)
{
	struct http *h = container_of(w, struct http, listening);
	int fd;

	for (int i = 0; i < AT_ONCE; i++) {
		if (!make_room(h)) {
			rest_from_accepting(h);
			return;
		}
		fd = accept4(h->listen_fd, NULL, NULL,
			     SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			connection_new(h, fd);
		} else if (errno == EMFILE || errno == ENFILE ||
			   errno == ENOMEM || errno == ENOBUFS) {
			log_warn("no connection can be accepted: %s",
				 strerrordesc_np(errno));
			rest_from_accepting(h);
			return;
		} else if (errno != ECONNABORTED && errno != EINTR) {
			return;
		}
	}
}

/* Life */

void
http_configure(struct http *h, const struct settings *s)
{
	h->max_body = s->max_body;
	h->max_bodies = s->max_bodies;
	h->max_connections = s->max_connections;
}

bool
http_init(struct http *h, struct loop *loop, int fd, const struct settings *s,
	  struct error *e)
{
	h->loop = loop;
	h->listen_fd = fd;
	h->listening = WATCH_INIT;
	list_init(&h->requests);
	list_init(&h->unpushed);
	list_init(&h->idle);
	list_init(&h->busy);
	list_init(&h->pending);
	list_init(&h->dead);
	http_configure(h, s);
	if (getrandom(&h->last_id, sizeof h->last_id, 0) < 0)
		return fail_errno(e, "getrandom");
	return reader_init(h, e) &&
	       loop_watch(loop, &h->listening, fd, EPOLLIN, on_listening, e);
}

static void
drop_idle(struct http *h)
{
	struct node *n;

	while ((n = list_first(&h->idle)))
		connection_drop(container_of(n, struct connection, node));
}

void
http_close(struct http *h)
{
	if (h->closing)
		return;
	h->closing = true;
	loop_unwatch(h->loop, &h->listening);
	loop_unset(h->loop, &h->accept_again);
	close(h->listen_fd);
	h->listen_fd = -1;
}

void
http_fini(struct http *h)
{
	struct node *n;

	if (!h->daemon)
		return;
	http_close(h);
	drop_idle(h);
	while ((n = list_first(&h->busy)))
		connection_drop(container_of(n, struct connection, node));
	reader_fini(h);
	while ((n = list_first(&h->dead)))
		connection_free(container_of(n, struct connection, node));
	loop_unset(h->loop, &h->push);
	loop_unset(h->loop, &h->soon);
}
