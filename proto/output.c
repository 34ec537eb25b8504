#include "proto/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static bool
can_block(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || isatty(fd));
}

void
output_own(int fd)
{
	char path[sizeof "/proc/self/fd/" + 11];
	int own;

	if (!can_block(fd))
		return;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	own = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (own < 0)
		return;
	(void)dup2(own, fd);
	close(own);
}

static enum output_way
way_of(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode))
		return OUTPUT_SEND;
	if ((flags >= 0 && flags & O_NONBLOCK) || !can_block(fd))
		return OUTPUT_WRITE;
	return OUTPUT_POLL;
}

static ssize_t
write_now(struct output *o, const char *bytes, size_t len)
{
	struct pollfd ready = { .fd = o->fd, .events = POLLOUT };

	if (o->way == OUTPUT_UNKNOWN)
		o->way = way_of(o->fd);
	if (o->way == OUTPUT_SEND)
		return send(o->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (o->way == OUTPUT_POLL && poll(&ready, 1, 0) != 1)
		return -1;
	return write(o->fd, bytes, len);
}

/* After a cut line, the next one must begin on a line of its own. */
static bool
end_cut_line(struct output *o)
{
	if (o->is_cut && write_now(o, "\n", 1) == 1)
		o->is_cut = false;
	return !o->is_cut;
}

bool
output_line(struct output *o, const char *line, size_t len)
{
	int kept = errno;
	ssize_t n = end_cut_line(o) ? write_now(o, line, len) : -1;

	o->is_cut = o->is_cut || (n > 0 && (size_t)n < len);
	errno = kept;
	return n == (ssize_t)len;
}
