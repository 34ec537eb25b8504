#include "workers/executor/docker/slot_connection.h"

#include <errno.h>
#include <unistd.h>

#include "proto/buf.h"
#include "workers/executor/docker/slot_gate.h"

enum { PIECE_BYTES = 32 << 10 };

static_assert((int)MAX_GATE_BYTES < (int)PIECE_BYTES, "the gate must decide");

/* A socket, and the bytes that it has sent and the other one has not got. */
struct side {
	struct relayed *connection;
	struct side *other;
	int fd;
	struct watch watch;
	bool is_connecting;
	bool is_gone;	/* can't be written to */
	bool has_ended; /* nothing more can be read from it */
	bool is_over;	/* ...and the other side has got all of it */
	enum gate gate; /* that its bytes have not passed yet */
	size_t from, len;
	char bytes[PIECE_BYTES];
};

struct relayed {
	struct node node; /* in its owner's list */
	struct loop *loop;
	struct side client, server;
	void (*ended)(void *arg, struct relayed *);
	void *arg;
};

struct node *
relayed_node(struct relayed *c)
{
	return &c->node;
}

struct relayed *
relayed_of(struct node *n)
{
	return container_of(n, struct relayed, node);
}

/* Behind what is there already. */
static void
read_some(struct side *s)
{
	ssize_t n;

	if (!s->len)
		s->from = 0;
	n = recv(s->fd, s->bytes + s->len, sizeof s->bytes - s->len, 0);
	if (n > 0) {
		s->len += (size_t)n;
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		s->has_ended = true;
	}
}

/* Passes on what `s` has sent. */
static void
write_some(struct side *s)
{
	ssize_t n =
		send(s->other->fd, s->bytes + s->from, s->len, MSG_NOSIGNAL);

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			s->other->is_gone = true;
		return;
	}
	s->from += (size_t)n;
	s->len -= (size_t)n;
}

/* What does not pass is as if the other side could not take it. */
static void
pass_gate(struct side *s)
{
	enum gate_answer answer =
		s->gate == GATE_OPEN
			? GATE_PASSES
			: gate_look((struct str){ s->bytes, s->len });

	if (answer == GATE_PASSES)
		s->gate = GATE_OPEN;
	else if (answer == GATE_REFUSES || s->has_ended)
		s->other->is_gone = s->is_gone = true;
}

/* Moves bytes, and the end of them, from `s` to the other side. */
static void
advance(struct side *s)
{
	struct side *to = s->other;
	bool is_closed;

	if (s->is_over || s->is_connecting || to->is_connecting)
		return;
	is_closed = s->gate != GATE_OPEN;
	if ((!s->len || is_closed) && !s->has_ended && !to->is_gone)
		read_some(s);
	if (is_closed)
		pass_gate(s);
	if (s->len && !to->is_gone && s->gate == GATE_OPEN)
		write_some(s);
	if (to->is_gone) {
		s->len = 0;
		s->is_over = true;
	} else if (s->has_ended && !s->len) {
		s->is_over = true;
		(void)shutdown(to->fd, SHUT_WR);
	}
}

static void on_side(struct watch *);

/*
 * What has hung up is not watched while nothing is read from it, for epoll
 * would report that again and again.
 */
static bool
watch_side(struct side *s)
{
	struct loop *l = s->connection->loop;
	uint32_t events = 0;
	struct error e;

	if (s->is_connecting || (s->other->len && s->other->gate == GATE_OPEN))
		events |= EPOLLOUT;
	if (!s->is_over && !s->has_ended && (!s->len || s->gate != GATE_OPEN) &&
	    !s->other->is_connecting)
		events |= EPOLLIN;
	if (s->is_gone && !(events & EPOLLIN)) {
		loop_unwatch(l, &s->watch);
		return true;
	}
	if (s->watch.fd < 0)
		return loop_watch(l, &s->watch, s->fd, events, on_side, &e);
	loop_rewatch(l, &s->watch, events);
	return true;
}

static bool
has_connected(struct side *s)
{
	s->is_connecting = false;
	return place_has_connected(s->fd);
}

static void
on_side(struct watch *w)
{
	struct side *s = container_of(w, struct side, watch);
	struct relayed *c = s->connection;
	bool ok = !s->is_connecting || has_connected(s);

	if (w->events & (EPOLLHUP | EPOLLERR))
		s->is_gone = true;
	advance(&c->client);
	advance(&c->server);
	if (!ok || (c->client.is_over && c->server.is_over) ||
	    !watch_side(&c->client) || !watch_side(&c->server))
		c->ended(c->arg, c);
}

static void
side_init(struct side *s, struct relayed *c, struct side *other)
{
	s->connection = c;
	s->other = other;
	s->fd = -1;
	s->watch = WATCH_INIT;
}

struct relayed *
relayed_new(struct loop *l, int client, const struct place *to, enum gate gate,
	    void (*ended)(void *arg, struct relayed *), void *arg)
{
	struct relayed *c = xcalloc(1, sizeof *c);

	c->loop = l;
	c->ended = ended;
	c->arg = arg;
	side_init(&c->client, c, &c->server);
	side_init(&c->server, c, &c->client);
	c->client.fd = client;
	c->client.gate = gate;
	c->server.is_connecting = true;
	c->server.fd = place_connect(to);
	if (c->server.fd >= 0 && watch_side(&c->client) &&
	    watch_side(&c->server))
		return c;
	relayed_free(c);
	return NULL;
}

static void
side_fini(struct side *s)
{
	loop_unwatch(s->connection->loop, &s->watch);
	if (s->fd >= 0)
		close(s->fd);
}

void
relayed_free(struct relayed *c)
{
	side_fini(&c->client);
	side_fini(&c->server);
	free(c);
}
