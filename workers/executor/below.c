#include "workers/executor/below.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proto/limits.h"

/* The path of what a descriptor of ours is open to. */
static bool
real_path(int fd, char path[MAX_PATH])
{
	char name[64];
	ssize_t len;

	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	len = readlink(name, path, MAX_PATH - 1);
	path[len > 0 ? len : 0] = '\0';
	return len > 0;
}

/* -1, and why. */
static int
open_directory(struct executor *x, const char *cwd, char real[MAX_PATH],
	       struct error *e)
{
	int fd = open(cwd, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || !real_path(fd, real)) {
		fail_about(e, ERR_BAD_CWD, "cwd cannot be used: %s: %s",
			   strerrordesc_np(errno), cwd);
	} else if (x->check_cwd(x, real, e)) {
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

/* What `path` has behind `directory`; NULL: it does not lead there. */
static const char *
behind(const char *path, const char *directory)
{
	size_t len = strlen(directory);

	while (len && directory[len - 1] == '/')
		len--;
	if (strncmp(path, directory, len) != 0 || path[len] != '/')
		return NULL;
	return path + len + strspn(path + len, "/");
}

static const char *
why_not(int error)
{
	switch (error) {
	case EXDEV:
		return " leads out of the session's directory (cwd), and only "
		       "files in it can be sent";
	case ENOSYS:
	case EPERM:
		return " cannot be opened safely: the system has no openat2, "
		       "so send its bytes";
	case ENOENT:
		return " is not there: a path begins in the session's "
		       "directory (cwd)";
	case ELOOP:
		return " leads through a link that is not followed";
	case EACCES:
		return " may not be read by the user that the bridge runs as";
	default:
		return NULL;
	}
}

static int
fail(int error, struct error *e)
{
	const char *why = why_not(error);

	if (why)
		fail_with(e, ERR_INVALID, "%s", why);
	else
		fail_with(e, ERR_INVALID, " cannot be read: %s",
			  strerrordesc_np(error));
	return -1;
}

/* What is there, without opening it to be read. */
static int
find(int directory, const char *path)
{
	const struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};

	return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

/* The same file, to be read: it cannot have become another meanwhile. */
static int
read_of(int found, struct error *e)
{
	char name[64];
	struct stat st;
	int fd;

	if (fstat(found, &st) < 0)
		return fail(errno, e);
	if (S_ISDIR(st.st_mode)) {
		fail_with(e, ERR_INVALID, " is a directory");
		return -1;
	}
	if (!S_ISREG(st.st_mode)) {
		fail_with(e, ERR_INVALID, " is no plain file");
		return -1;
	}
	snprintf(name, sizeof name, "/proc/self/fd/%d", found);
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? fail(errno, e) : fd;
}

int
below_open(struct executor *x, const char *cwd, const char *path,
	   struct error *e)
{
	char real[MAX_PATH];
	int directory = open_directory(x, cwd, real, e), found = -1, fd = -1;
	const char *inside = path;

	if (directory < 0)
		return -1;
	if (*path == '/')
		inside = behind(path, cwd);
	if (!inside)
		inside = behind(path, real);
	if (!inside || !*inside)
		fail(inside ? EISDIR : EXDEV, e);
	else if ((found = find(directory, inside)) < 0)
		fail(errno, e);
	else
		fd = read_of(found, e);
	if (found >= 0)
		close(found);
	close(directory);
	return fd;
}
