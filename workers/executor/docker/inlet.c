#include "workers/executor/docker/inlet.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "workers/executor/docker/slot_connection.h"
#include "workers/executor/docker/slot_forward.h"
#include "workers/executor/docker/slot_orders.h"

struct inlet {
	struct loop *loop;
	char *path;
	int fd;
	struct watch arrival;
	struct place to;
	struct list connections; /* at most MAX_FORWARDED */
};

static void
drop(struct inlet *in, struct relayed *c)
{
	list_remove(&in->connections, relayed_node(c));
	relayed_free(c);
}

static void
on_ended(void *arg, struct relayed *c)
{
	struct inlet *in = arg;

	drop(in, c);
	loop_rewatch(in->loop, &in->arrival, EPOLLIN);
}

static void
on_arrival(struct watch *w)
{
	struct inlet *in = container_of(w, struct inlet, arrival);
	struct relayed *c;
	int fd;

	if (in->connections.len >= MAX_FORWARDED) {
		loop_rewatch(in->loop, w, 0);
		return;
	}
	fd = accept4(in->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	c = relayed_new(in->loop, fd, &in->to, GATE_OPEN, on_ended, in);
	if (c)
		list_append(&in->connections, relayed_node(c));
}

/* Its folder belongs to whom the programs run as, and nobody else gets into
 * that. */
static bool
listens(struct inlet *in, struct error *e)
{
	struct place at = place_of_path(str_of(in->path));

	in->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if ((unlink(in->path) == 0 || errno == ENOENT) && in->fd >= 0 &&
	    bind(in->fd, &at.address.any, at.size) == 0 &&
	    chmod(in->path, 0666) == 0 && listen(in->fd, SOMAXCONN) == 0)
		return loop_watch(in->loop, &in->arrival, in->fd, EPOLLIN,
				  on_arrival, e);
	return fail_errno(e, "the socket %s", in->path);
}

static bool
fits(const char *path, struct error *e)
{
	return strlen(path) <= MAX_SOCKET_PATH_BYTES ||
	       fail_with(e, ERR_NOT_SET_UP,
			 "%s is too long for the name of a socket: choose a "
			 "BRIDGE_DATA_DIR with a shorter path",
			 path);
}

struct inlet *
inlet_new(struct loop *loop, const char *path, unsigned port, struct error *e)
{
	struct inlet *in;

	if (!fits(path, e))
		return NULL;
	in = xcalloc(1, sizeof *in);
	in->loop = loop;
	in->path = copy(str_of(path));
	in->arrival = WATCH_INIT;
	in->to = place_of_port((int)port);
	list_init(&in->connections);
	if (listens(in, e))
		return in;
	inlet_free(in);
	return NULL;
}

void
inlet_free(struct inlet *in)
{
	if (!in)
		return;
	loop_unwatch(in->loop, &in->arrival);
	list_each (&in->connections, n)
		drop(in, relayed_of(n));
	if (in->fd >= 0)
		close(in->fd);
	(void)unlink(in->path);
	free(in->path);
	free(in);
}

bool
inlet_hears(struct slot *s, struct str word, struct str rest)
{
	struct str what, wanted = str_cut(rest, ' ', &what);
	struct error e = { 0 };

	if (!str_is(wanted, "0"))
		return false;
	if (str_is(word, "exposes")) {
		s->inlet_port = (unsigned)strtoul(what.ptr, NULL, 10);
		return true;
	}
	if (!str_is(word, "fails"))
		return false;
	fail_with(&e, ERR_UNAVAILABLE,
		  "its container has no port by which it reaches us: " STR_FMT,
		  STR_ARG(what));
	slot_fail(s, &e);
	return true;
}
