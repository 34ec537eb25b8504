#include "workers/executor/docker/slot_forward.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	MAX_FORWARDS = 64,
	BACKLOG = 256,
};

struct forward {
	struct node node; /* in forwards.all */
	struct forwards *forwards;
	int port, fd;
	struct watch arrival;
	struct place from, to;
	struct stat file; /* the socket that we have made */
	struct list connections;
};

void
forwards_init(struct forwards *f, struct loop *l, struct teller *t)
{
	*f = (struct forwards){ .loop = l, .teller = t, .max = MAX_FORWARDED };
	list_init(&f->all);
}

static bool
is_exposure(const struct forward *f)
{
	return f->from.address.any.sa_family == AF_INET;
}

static const char *
path_of(const struct forward *f)
{
	return f->from.address.local.sun_path;
}

static void
drop_connection(struct forward *f, struct relayed *c)
{
	list_remove(&f->connections, relayed_node(c));
	relayed_free(c);
	f->forwards->connections--;
}

/* Somebody else may have put another file in its place. */
static void
remove_socket(struct forward *f)
{
	struct stat now;

	if (lstat(path_of(f), &now) == 0 && now.st_dev == f->file.st_dev &&
	    now.st_ino == f->file.st_ino)
		(void)unlink(path_of(f));
}

/* Whoever sees the end of a connection finds no socket any more. */
static void
forward_free(struct forward *f)
{
	loop_unwatch(f->forwards->loop, &f->arrival);
	if (f->file.st_ino)
		remove_socket(f);
	if (f->fd >= 0)
		close(f->fd);
	list_each (&f->connections, n)
		drop_connection(f, relayed_of(n));
	list_remove(&f->forwards->all, &f->node);
	free(f);
}

void
forwards_fini(struct forwards *f)
{
	if (!f->loop)
		return;
	list_each (&f->all, n)
		forward_free(container_of(n, struct forward, node));
}

/* While there are too many connections, nobody is accepted. */
static void
set_accepting(struct forwards *f, uint32_t events)
{
	list_each (&f->all, n)
		loop_rewatch(f->loop,
			     &container_of(n, struct forward, node)->arrival,
			     events);
}

static void
remove_port(struct forwards *f, int port, bool exposed)
{
	list_each (&f->all, n) {
		struct forward *one = container_of(n, struct forward, node);

		if (one->port == port && is_exposure(one) == exposed)
			forward_free(one);
	}
	set_accepting(f, EPOLLIN);
}

void
forwards_remove(struct forwards *f, int port)
{
	remove_port(f, port, false);
}

static void
on_ended(void *arg, struct relayed *c)
{
	struct forward *f = arg;

	drop_connection(f, c);
	set_accepting(f->forwards, EPOLLIN);
}

static void
on_arrival(struct watch *w)
{
	struct forward *f = container_of(w, struct forward, arrival);
	struct forwards *all = f->forwards;
	struct relayed *c;
	int fd;

	if (all->connections >= all->max) {
		set_accepting(all, 0);
		return;
	}
	fd = accept4(f->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	c = relayed_new(all->loop, fd, &f->to,
			is_exposure(f) ? GATE_OPEN : all->gate, on_ended, f);
	if (!c)
		return;
	list_append(&f->connections, relayed_node(c));
	all->connections++;
}

static const char *
make_way(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? NULL : strerror(errno);
	if (!S_ISSOCK(st.st_mode))
		return "there is a file of that name, which is no socket";
	return unlink(path) < 0 ? strerror(errno) : NULL;
}

/* The socket belongs to its owner alone, as the umask is that way, unless it is
 * for others. */
static bool
is_made(struct forward *f)
{
	if (is_exposure(f))
		return true;
	return lstat(path_of(f), &f->file) == 0 &&
	       (!f->forwards->is_for_others || chmod(path_of(f), 0666) == 0);
}

static bool
listens(struct forward *f)
{
	const int yes = 1;
	struct error e;

	f->fd = socket(f->from.address.any.sa_family,
		       SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (f->fd < 0)
		return false;
	if (is_exposure(f))
		(void)setsockopt(f->fd, SOL_SOCKET, SO_REUSEADDR, &yes,
				 sizeof yes);
	return bind(f->fd, &f->from.address.any, f->from.size) == 0 &&
	       is_made(f) && listen(f->fd, BACKLOG) == 0 &&
	       loop_watch(f->forwards->loop, &f->arrival, f->fd, EPOLLIN,
			  on_arrival, &e);
}

/* With the port that the kernel has chosen, if any would do. */
static void
tell_of(struct forward *f, const char *verb)
{
	struct sockaddr_in at = { 0 };
	socklen_t size = sizeof at;

	if (f->port) {
		tell(f->forwards->teller, "%s %d", verb, f->port);
		return;
	}
	(void)getsockname(f->fd, (struct sockaddr *)&at, &size);
	f->port = ntohs(at.sin_port);
	tell(f->forwards->teller, "%s 0 %d", verb, f->port);
}

static void
add(struct forwards *all, int port, struct place from, struct place to,
    const char *verb)
{
	struct forward *f;
	const char *why;

	if (all->all.len == MAX_FORWARDS) {
		tell(all->teller, "fails %d too many ports are forwarded",
		     port);
		return;
	}
	f = xcalloc(1, sizeof *f);
	f->forwards = all;
	f->port = port;
	f->fd = -1;
	f->arrival = WATCH_INIT;
	f->from = from;
	f->to = to;
	list_init(&f->connections);
	list_append(&all->all, &f->node);
	why = is_exposure(f) ? NULL : make_way(path_of(f));
	if (!why && !listens(f))
		why = strerror(errno);
	if (!why) {
		tell_of(f, verb);
		return;
	}
	tell(all->teller, "fails %d %s", port, why);
	forward_free(f);
}

void
forwards_add(struct forwards *all, int port, struct str path)
{
	remove_port(all, port, false);
	add(all, port, place_of_path(path), place_of_port(port), "forwards");
}

void
forwards_expose(struct forwards *all, int port, struct str path)
{
	remove_port(all, port, true);
	add(all, port, place_of_port(port), place_of_path(path), "exposes");
}
