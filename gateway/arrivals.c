#include "gateway/arrivals.h"

#include <sys/inotify.h>
#include <unistd.h>

/* What has appeared does not matter: `arrived` looks for whom it waits. */
static void
on_ready(struct watch *w)
{
	struct arrivals *a = container_of(w, struct arrivals, watch);
	char events[4096]
		__attribute__((aligned(__alignof__(struct inotify_event))));

	if (read(w->fd, events, sizeof events) > 0)
		a->arrived(a);
}

bool
arrivals_watch(struct arrivals *a, struct loop *loop, const char *directory,
	       void (*arrived)(struct arrivals *), struct error *e)
{
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	*a = ARRIVALS_INIT;
	a->loop = loop;
	a->arrived = arrived;
	if (fd < 0)
		return fail_errno(e, "inotify");
	if (inotify_add_watch(fd, directory, IN_CREATE | IN_MOVED_TO) < 0)
		fail_errno(e, "watch %s", directory);
	else if (loop_watch(loop, &a->watch, fd, EPOLLIN, on_ready, e))
		return true;
	close(fd);
	return false;
}

void
arrivals_fini(struct arrivals *a)
{
	int fd = a->watch.fd;

	if (fd < 0)
		return;
	loop_unwatch(a->loop, &a->watch);
	close(fd);
}
