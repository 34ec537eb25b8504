#include "workers/executor/host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/sweep.h"
#include "workers/executor/below.h"
#include "workers/executor/cwd.h"
#include "workers/needs.h"

#define CONVERSATION_ENDING ".jsonl"
#define EXTENSION_ENDING ".mjs"
#define UNFINISHED_ENDING ".new"

static void
host_free(struct executor *x)
{
	free(x->scratch);
	free(x);
}

/* Programs */

static char *
find(struct executor *x, const char *harness)
{
	return needs_program(harness);
}

static bool
start(struct executor *x, struct process *p, struct loop *loop,
      const struct spawn *how, void (*ended)(struct process *), struct error *e)
{
	return process_start(p, loop, how, ended, e);
}

static void
signal_to(struct executor *x, const struct process *p, int signal)
{
	process_signal(p, signal);
}

static void
end(struct executor *x, struct process *p)
{
	process_fini(p);
}

static unsigned
sweep_up(struct executor *x, const char *mark,
	 bool (*is_over)(void *, uint64_t), void *arg)
{
	return sweep_numbers(mark, is_over, arg);
}

/* Files */

static bool
check_cwd(struct executor *x, const char *cwd, struct error *e)
{
	return cwd_check(cwd, e);
}

static bool
look(struct executor *x, const char *path, struct file_facts *facts)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return false;
	if (facts)
		*facts = (struct file_facts){
			.is_directory = S_ISDIR(st.st_mode),
			.bytes = st.st_size,
			.written_ms = (uint64_t)st.st_mtim.tv_sec * 1000 +
				      (uint64_t)st.st_mtim.tv_nsec / 1000000,
		};
	return true;
}

/* So that glob() takes it as it is.  The caller frees it. */
static char *
escape(const char *name)
{
	char *escaped = xcalloc(strlen(name) + 1, 2), *to = escaped;

	for (; *name; *to++ = *name++)
		if (strchr("*?[]\\", *name))
			*to++ = '\\';
	return escaped;
}

static void
match(struct executor *x, const char *directory, const char *pattern,
      const char *name, struct words *paths)
{
	auto_free char *where = escape(directory), *what = escape(name);
	struct str after, before = str_cut(str_of(pattern), '%', &after);
	auto_free char *whole = copy_format(
		"%s/" STR_FMT "%s" STR_FMT, where, STR_ARG(before), what,
		STR_ARG(str_from(after, 1))); /* behind "%s" */
	glob_t found;

	if (glob(whole, GLOB_NOSORT, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++)
			words_add(paths, found.gl_pathv[i]);
	globfree(&found);
}

/* What a CLI has put in the place of a file must not make us wait for it. */
static int
open_to_read(struct executor *x, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 || (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)))
		return fd;
	close(fd);
	errno = EINVAL;
	return -1;
}

static bool
write_all(int fd, struct str text)
{
	while (text.len) {
		ssize_t n = write(fd, text.ptr, text.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		text = str_from(text, (size_t)n);
	}
	return true;
}

static bool
write_file(struct executor *x, const char *path, struct str text,
	   struct error *e)
{
	auto_free char *fresh =
		copy_format("%s.XXXXXX" UNFINISHED_ENDING, path);
	int fd = mkostemps(fresh, sizeof UNFINISHED_ENDING - 1, O_CLOEXEC);
	bool ok = fd >= 0 && write_all(fd, text) && rename(fresh, path) == 0;

	if (!ok)
		fail_errno(e, "%s", path);
	if (!ok && fd >= 0)
		(void)unlink(fresh);
	if (fd >= 0)
		close(fd);
	return ok;
}

static bool
make_directory(struct executor *x, const char *path, struct error *e)
{
	return mkdir(path, 0700) == 0 || errno == EEXIST ||
	       fail_errno(e, "mkdir %s", path);
}

static bool
link_to(struct executor *x, const char *target, const char *path,
	struct error *e)
{
	return symlink(target, path) == 0 || errno == EEXIST ||
	       fail_errno(e, "symlink %s", path);
}

static void
remove_file(struct executor *x, const char *path)
{
	(void)unlink(path);
}

static int
remove_entry(const char *path, const struct stat *st, int type,
	     struct FTW *where)
{
	(void)remove(path);
	return 0;
}

static void
remove_tree(struct executor *x, const char *path)
{
	enum { MOST_OPEN = 16 /* directories at once */ };

	(void)nftw(path, remove_entry, MOST_OPEN, FTW_DEPTH | FTW_PHYS);
}

static bool
ends_with(const char *name, const char *ending)
{
	size_t len = strlen(name), of_ending = strlen(ending);

	return len > of_ending && !strcmp(name + len - of_ending, ending);
}

void
host_clear_scratch(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *entry;

	while (d && (entry = readdir(d))) {
		auto_free char *whole =
			copy_format("%s/%s", path, entry->d_name);

		if (ends_with(entry->d_name, PROFILE_ENDING))
			remove_tree(NULL, whole);
		else if (ends_with(entry->d_name, CONVERSATION_ENDING) ||
			 ends_with(entry->d_name, EXTENSION_ENDING) ||
			 ends_with(entry->d_name, UNFINISHED_ENDING))
			(void)unlink(whole);
	}
	if (d)
		closedir(d);
}

const struct executor host_executor = {
	.free = host_free,
	.find = find,
	.start = start,
	.signal = signal_to,
	.end = end,
	.sweep = sweep_up,
	.check_cwd = check_cwd,
	.look = look,
	.match = match,
	.open = open_to_read,
	.open_below = below_open,
	.write = write_file,
	.make_directory = make_directory,
	.link = link_to,
	.remove = remove_file,
	.remove_tree = remove_tree,
};

struct executor *
host_new(const char *scratch)
{
	struct executor *x = xcalloc(1, sizeof *x);

	*x = host_executor;
	x->scratch = copy(str_of(scratch));
	host_clear_scratch(scratch);
	return x;
}
