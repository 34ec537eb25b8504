#include "proto/sweep.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/buf.h"

enum {
	MAX_ROUNDS = 50, /* against a process that never stops forking */
	ENV_END = 51,	 /* the field's number in /proc/<pid>/stat, from 1 */
};

/* Reads a file of /proc, whose size is not known in advance. */
static bool
read_all(int fd, struct buf *b)
{
	struct error e;
	ssize_t n;

	b->len = 0;
	do {
		if (!buf_reserve(b, 4096, &e))
			return true;
		n = read(fd, b->ptr + b->len, 4096);
		if (n > 0)
			b->len += (size_t)n;
	} while (n > 0);
	return n == 0;
}

struct search {
	struct str mark; /* as it appears in an environment */
	bool (*is_over)(void *, uint64_t);
	void *arg;
	struct buf environment;
	bool is_unsure; /* a process had no environment yet */
};

/* The text behind a mark, which is at the start or behind a NUL. */
static const char *
find_mark(const struct search *s)
{
	const struct buf *b = &s->environment;
	const char *at = b->ptr, *end = b->ptr + b->len;

	while ((at = memmem(at, (size_t)(end - at), s->mark.ptr,
			    s->mark.len))) {
		if (at == b->ptr || at[-1] == '\0')
			return at + s->mark.len;
		at++;
	}
	return NULL;
}

/*
 * The environment ends with a NUL, so a number in it ends there at the latest.
 */
static bool
is_wanted(const struct search *s)
{
	const char *behind = find_mark(s);
	char *end;
	uint64_t number;

	if (!behind || !s->is_over)
		return behind != NULL;
	number = strtoull(behind, &end, 10);
	return end > behind && s->is_over(s->arg, number);
}

/* False also if the process belongs to another user. */
static bool
read_file(int proc, const char *pid, const char *name, struct buf *b)
{
	char path[300];
	struct stat st;
	bool ok;
	int fd;

	snprintf(path, sizeof path, "%s/%s", pid, name);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ok = fstat(fd, &st) == 0 && st.st_uid == geteuid() && read_all(fd, b);
	close(fd);
	return ok;
}

/*
 * During execve() a process has its new program a moment before its
 * environment.  (Zombies and kernel threads have no program; a process that was
 * started without any variable has an empty environment.)
 */
static bool
is_becoming(int proc, const char *pid, struct buf *scratch)
{
	char path[300], program;
	struct str rest;

	snprintf(path, sizeof path, "%s/exe", pid);
	if (readlinkat(proc, path, &program, 1) != 1 ||
	    !read_file(proc, pid, "stat", scratch))
		return false;
	rest = buf_str(scratch);
	while (rest.ptr && memchr(rest.ptr, ')', rest.len))
		str_cut(rest, ')', &rest); /* the name may have a ')' */
	for (int field = 2; rest.ptr && field < ENV_END; field++)
		str_cut(rest, ' ', &rest);
	return rest.ptr && str_starts(rest, STR("0 "));
}

static bool
is_found(int proc, const char *pid, struct search *s)
{
	struct buf *b = &s->environment;

	if (!read_file(proc, pid, "environ", b))
		return false;
	if (b->len == 0) {
		s->is_unsure = s->is_unsure || is_becoming(proc, pid, b);
		return false;
	}
	return !b->ptr[b->len - 1] && is_wanted(s);
}

/*
 * A pidfd holds the process before it is looked at: if it ends in between and
 * another process gets its number, the signal does not hit that one.
 */
static bool
kill_if_found(int proc, const char *name, pid_t pid, struct search *s)
{
	int fd = pidfd_open(pid, 0);
	bool killed = fd >= 0 && is_found(proc, name, s) &&
		      pidfd_send_signal(fd, SIGKILL, NULL, 0) == 0;

	if (fd >= 0)
		close(fd);
	return killed;
}

static unsigned
sweep_once(struct search *s)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	unsigned n = 0;
	pid_t pid;

	while (proc && (entry = readdir(proc))) {
		pid = (pid_t)strtol(entry->d_name, NULL, 10);
		if (pid <= 1 || pid == getpid())
			continue;
		if (is_found(dirfd(proc), entry->d_name, s))
			n += kill_if_found(dirfd(proc), entry->d_name, pid, s);
	}
	if (proc)
		closedir(proc);
	return n;
}

unsigned
sweep_numbers(const char *mark, bool (*is_over)(void *, uint64_t), void *arg)
{
	auto_free char *variable = copy_format(OWNER_VARIABLE "=%s", mark);
	struct search s = {
		.mark = str_of(variable),
		.is_over = is_over,
		.arg = arg,
		.environment = BUF_INIT(MAX_ENVIRONMENT),
	};
	unsigned n = 0, found;
	int round = 0;

	do {
		s.is_unsure = false;
		found = sweep_once(&s);
		n += found;
		if (!found && s.is_unsure)
			sched_yield();
	} while ((found || s.is_unsure) && ++round < MAX_ROUNDS);
	buf_fini(&s.environment);
	return n;
}

unsigned
sweep(const char *mark)
{
	return sweep_numbers(mark, NULL, NULL);
}
