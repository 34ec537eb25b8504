#include "proto/sweep.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/buf.h"

enum {
	MAX_ENVIRONMENT = 2 << 20, /* bytes: the kernel allows not more */
	MAX_ROUNDS = 50,	   /* against a process that forks on and on */
};

/* Reads a file of /proc, whose size is not known before. */
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

/* Is there a variable at the start of the block, or after a NUL? */
static bool
has_mark(const struct buf *b, struct str mark)
{
	const char *at = b->ptr, *end = b->ptr + b->len;

	while ((at = memmem(at, (size_t)(end - at), mark.ptr, mark.len))) {
		if (at == b->ptr || at[-1] == '\0')
			return true;
		at++;
	}
	return false;
}

static bool
is_marked(int proc, const char *pid, struct str mark, struct buf *scratch)
{
	char path[300];
	struct stat st;
	bool marked = false;
	int fd;

	snprintf(path, sizeof path, "%s/environ", pid);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && st.st_uid == geteuid() &&
	    read_all(fd, scratch))
		marked = has_mark(scratch, mark);
	close(fd);
	return marked;
}

static unsigned
sweep_once(struct str mark, struct buf *scratch)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	unsigned n = 0;
	pid_t pid;

	while (proc && (entry = readdir(proc))) {
		pid = (pid_t)strtol(entry->d_name, NULL, 10);
		if (pid <= 1 || pid == getpid())
			continue;
		if (is_marked(dirfd(proc), entry->d_name, mark, scratch) &&
		    kill(pid, SIGKILL) == 0)
			n++;
	}
	if (proc)
		closedir(proc);
	return n;
}

unsigned
sweep(const char *mark)
{
	auto_free char *variable = copy_format(OWNER_VARIABLE "=%s", mark);
	struct buf scratch = BUF_INIT(MAX_ENVIRONMENT);
	unsigned n = 0, found;
	int round = 0;

	do {
		found = sweep_once(str_of(variable), &scratch);
		n += found;
	} while (found && ++round < MAX_ROUNDS);
	buf_fini(&scratch);
	return n;
}
