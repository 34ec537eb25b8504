#include "workers/executor/docker/slot_proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "proto/limits.h"
#include "proto/loop.h"
#include "workers/executor/docker/slot_orders.h"

/* The numbers of the fields of /proc/<pid>/stat, from 1. */
enum {
	STATE = 3,
	PARENT = 4,
	SESSION = 6,
	THREADS = 20,
	START = 22,
	ENVIRONMENT_END = 51,
	FIELDS,
};

bool
proc_init(struct proc_list *l, struct error *e)
{
	*l = (struct proc_list){ .scratch = BUF_INIT(MAX_ENVIRONMENT) };
	l->proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return l->proc >= 0 || fail_errno(e, "/proc");
}

void
proc_fini(struct proc_list *l)
{
	if (l->proc >= 0)
		close(l->proc);
	free(l->entries);
	buf_fini(&l->scratch);
	*l = (struct proc_list){ .proc = -1, .scratch = l->scratch };
}

/* Reads a file of /proc, whose size is not known in advance; errno. */
static bool
read_file(struct proc_list *l, pid_t pid, const char *name)
{
	struct buf *b = &l->scratch;
	struct error e;
	char path[32];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof path, "%d/%s", (int)pid, name);
	fd = openat(l->proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	b->len = 0;
	while (buf_reserve(b, 4096, &e) &&
	       (n = read(fd, b->ptr + b->len, 4096)) > 0)
		b->len += (size_t)n;
	close(fd);
	return n >= 0;
}

/*
 * The name of the program, the second field, may have any byte, a ')' too; no
 * field behind it has one.  The state is a letter.
 */
static bool
read_stat(struct proc_list *l, pid_t pid, long long fields[FIELDS])
{
	const char *at;
	char *end;

	if (!read_file(l, pid, "stat") || !l->scratch.len)
		return false;
	l->scratch.ptr[l->scratch.len - 1] = '\0'; /* was the newline */
	at = memrchr(l->scratch.ptr, ')', l->scratch.len);
	if (!at || at[1] != ' ' || !at[2])
		return false;
	fields[STATE] = at[2];
	at += 3;
	for (int i = PARENT; i < FIELDS; i++, at = end)
		fields[i] = (long long)strtoull(at, &end, 10);
	return true;
}

/*
 * A zombie has ended, unless only its first thread has: then the other threads
 * are counted.
 */
static bool
is_alive(const long long fields[FIELDS])
{
	if (fields[STATE] == 'X')
		return false;
	return fields[STATE] != 'Z' || fields[THREADS] > 1;
}

static void
list_one(struct proc_list *l, pid_t pid)
{
	long long fields[FIELDS];

	if (!read_stat(l, pid, fields) || !is_alive(fields))
		return;
	if (l->count == l->room) {
		l->room = l->room ? l->room * 2 : 64;
		l->entries = xrealloc(l->entries, l->room * sizeof *l->entries);
	}
	l->entries[l->count++] = (struct proc_entry){
		.pid = pid,
		.parent = (pid_t)fields[PARENT],
		.session = (pid_t)fields[SESSION],
		.start = (uint64_t)fields[START],
	};
}

static int
compare(const void *a, const void *b)
{
	const struct proc_entry *x = a, *y = b;

	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

bool
proc_look(struct proc_list *l, uint64_t until)
{
	int fd = openat(l->proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	bool in_time = true;
	long pid;

	l->count = 0;
	if (!folder) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while (in_time && (entry = readdir(folder))) {
		pid = strtol(entry->d_name, NULL, 10);
		if (pid > 1)
			list_one(l, (pid_t)pid);
		in_time = !until || loop_now() < until;
	}
	closedir(folder);
	if (l->count)
		qsort(l->entries, l->count, sizeof *l->entries, compare);
	return in_time;
}

void
proc_copy(struct proc_list *to, const struct proc_list *from)
{
	if (to->room < from->count) {
		to->room = from->count;
		to->entries =
			xrealloc(to->entries, to->room * sizeof *to->entries);
	}
	if (from->count)
		memcpy(to->entries, from->entries,
		       from->count * sizeof *to->entries);
	to->count = from->count;
}

struct proc_entry *
proc_find(const struct proc_list *l, pid_t pid)
{
	const struct proc_entry key = { .pid = pid };

	return l->count ? bsearch(&key, l->entries, l->count,
				  sizeof *l->entries, compare)
			: NULL;
}

struct proc_entry *
proc_same(const struct proc_list *l, const struct proc_entry *p)
{
	struct proc_entry *found = proc_find(l, p->pid);

	return found && found->start == p->start ? found : NULL;
}

/* An environment is a row of variables, each of which ends with a NUL. */
static bool
find_run(struct str environment, struct str *run)
{
	struct str variable, rest;

	while (environment.len) {
		variable = str_cut(environment, '\0', &environment);
		if (!str_is(str_cut(variable, '=', &rest), RUN_VARIABLE))
			continue;
		*run = rest;
		return order_is_run(rest);
	}
	return false;
}

enum proc_mark
proc_mark(struct proc_list *l, pid_t pid, struct str *run)
{
	long long fields[FIELDS];

	if (!read_file(l, pid, "environ"))
		return errno == EACCES || errno == EPERM ? MARK_UNREADABLE
							 : MARK_GONE;
	if (l->scratch.len)
		return find_run(buf_str(&l->scratch), run) ? MARK_RUN
							   : MARK_NONE;
	if (!read_stat(l, pid, fields))
		return MARK_GONE;
	/* During execve() a process has its new memory a moment before that
	 * has an environment.  Without its first thread, it has none. */
	return fields[ENVIRONMENT_END] || fields[STATE] == 'Z' ? MARK_NONE
							       : MARK_UNSET;
}

int
proc_open(struct proc_list *l, const struct proc_entry *p)
{
	long long fields[FIELDS];
	int fd = pidfd_open(p->pid, 0);

	if (fd < 0)
		return -1;
	if (read_stat(l, p->pid, fields) && (uint64_t)fields[START] == p->start)
		return fd;
	close(fd);
	return -1;
}
