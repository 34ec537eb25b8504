#include "supervisor/progress.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	TICK_MS = 10, /* 100 ticks a second, on every Linux */
	MUCH = 5,     /* ticks between two looks that count as work */
};

/* False: the process is gone. */
static bool
read_thread(pid_t pid, char *state, uint64_t *ticks)
{
	char path[64], line[1024], *rest;
	unsigned long user, system;
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/task/%d/stat", (int)pid,
		 (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, line, sizeof line - 1);
	close(fd);
	line[n > 0 ? n : 0] = '\0';
	rest = strrchr(line, ')'); /* the program's name may have a ')' */
	if (!rest || sscanf(rest,
			    ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u "
			    "%lu %lu",
			    state, &user, &system) != 3)
		return false;
	*ticks = user + system;
	return true;
}

void
progress_begin(struct progress *p, pid_t pid)
{
	char state;

	if (!read_thread(pid, &state, &p->first))
		p->first = 0;
	p->last = p->first;
}

bool
progress_goes_on(struct progress *p, pid_t pid, uint64_t max_ms)
{
	uint64_t ticks, before = p->last;
	char state;

	if (!read_thread(pid, &state, &ticks))
		return false;
	p->last = ticks;
	if ((ticks - p->first) * TICK_MS > max_ms)
		return false;
	return state == 'R' || state == 'D' || ticks - before >= MUCH;
}
