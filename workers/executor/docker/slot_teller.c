#include "workers/executor/docker/slot_teller.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { MUCH_KEPT_BYTES = 16 << 10, MAX_KEPT_BYTES = 64 << 10 };

void
teller_init(struct teller *t, struct loop *l, int fd,
	    void (*caught_up)(struct teller *), void (*lost)(struct teller *))
{
	*t = (struct teller){ .loop = l,
			      .fd = fd,
			      .room = WATCH_INIT,
			      .kept = BUF_INIT(MAX_KEPT_BYTES),
			      .caught_up = caught_up,
			      .lost = lost };
}

void
teller_fini(struct teller *t)
{
	if (t->loop)
		loop_unwatch(t->loop, &t->room);
	buf_fini(&t->kept);
}

static void
lose(struct teller *t)
{
	loop_unwatch(t->loop, &t->room);
	t->is_lost = true;
	t->lost(t);
}

static void write_kept(struct teller *);

static void
on_room(struct watch *w)
{
	struct teller *t = container_of(w, struct teller, room);

	write_kept(t);
	if (!t->is_lost && !t->kept.len)
		t->caught_up(t);
}

bool
teller_is_behind(const struct teller *t)
{
	return t->kept.len >= MUCH_KEPT_BYTES;
}

static void
write_kept(struct teller *t)
{
	struct error e;
	ssize_t n = write(t->fd, t->kept.ptr, t->kept.len);

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		lose(t);
		return;
	}
	buf_drop(&t->kept, n > 0 ? (size_t)n : 0);
	if (!t->kept.len)
		loop_unwatch(t->loop, &t->room);
	else if (t->room.fd < 0 &&
		 !loop_watch(t->loop, &t->room, t->fd, EPOLLOUT, on_room, &e))
		lose(t);
}

void
tell(struct teller *t, const char *fmt, ...)
{
	char *line;
	va_list ap;
	struct error e;
	int len;
	bool is_kept;

	if (t->is_lost)
		return;
	va_start(ap, fmt);
	len = vasprintf(&line, fmt, ap);
	va_end(ap);
	if (len < 0)
		abort();
	line[len] = '\n'; /* in place of the final NUL */
	is_kept = buf_add(&t->kept, (struct str){ line, (size_t)len + 1 }, &e);
	free(line);
	if (!is_kept)
		lose(t);
	else if (t->room.fd < 0)
		write_kept(t);
}
