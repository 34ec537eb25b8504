#include "gateway/http/lingering_close.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/buf.h"

enum {
	MAX_READ = 64, /* MiB; from one who does not listen */
	PIECE = 64 << 10,
};

struct lingering {
	struct node node; /* in the list it was started with */
	struct list *list;
	struct loop *loop;
	struct watch watch;
	struct timer end;
	size_t read;
};

static void
lingering_free(struct lingering *l)
{
	int fd = l->watch.fd;

	loop_unset(l->loop, &l->end);
	loop_unwatch(l->loop, &l->watch);
	close(fd);
	list_remove(l->list, &l->node);
	free(l);
}

static void
on_end(struct timer *t)
{
	lingering_free(container_of(t, struct lingering, end));
}

static void
on_more(struct watch *w)
{
	struct lingering *l = container_of(w, struct lingering, watch);
	char piece[PIECE];
	ssize_t n = recv(w->fd, piece, sizeof piece, MSG_DONTWAIT);

	if (n > 0)
		l->read += (size_t)n;
	if (n <= 0 || l->read > (size_t)MAX_READ << 20)
		lingering_free(l);
}

void
lingering_close(struct list *lingering, struct loop *loop, int fd)
{
	struct lingering *l;
	struct error e;
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	shutdown(fd, SHUT_WR);
	if (own < 0)
		return;
	l = xcalloc(1, sizeof *l);
	l->list = lingering;
	l->loop = loop;
	list_append(lingering, &l->node);
	l->watch = WATCH_INIT;
	loop_set(loop, &l->end, LINGER_TIME, on_end);
	if (loop_watch(loop, &l->watch, own, EPOLLIN, on_more, &e))
		return;
	l->watch.fd = own;
	lingering_free(l);
}

void
lingering_close_end_all(struct list *lingering)
{
	list_each (lingering, n)
		lingering_free(container_of(n, struct lingering, node));
}
