#include "proto/ours.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/buf.h"

/*
 * Many systems give every user a group of their own, and make files writable
 * for it.
 */
static bool
is_group_of_ours_alone(gid_t gid)
{
	const struct passwd *me = getpwuid(geteuid());
	const struct group *group = getgrgid(gid);

	if (!me || !group || me->pw_gid != gid)
		return false;
	for (char **member = group->gr_mem; *member; member++)
		if (strcmp(*member, me->pw_name) != 0)
			return false;
	return !strcmp(group->gr_name, me->pw_name);
}

static bool
others_can_write(const struct stat *st)
{
	return (st->st_mode & S_IWOTH) ||
	       ((st->st_mode & S_IWGRP) && !is_group_of_ours_alone(st->st_gid));
}

bool
ours_check(int fd, enum owner owner, const char *path, struct error *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail_errno(e, "%s", path);
	if (st.st_uid != geteuid() &&
	    !(owner == OURS_OR_ROOTS && st.st_uid == 0))
		return fail_with(e, ERR_INVALID,
				 "%s belongs to user %u, and cli-bridge runs "
				 "as user %u: choose another, or run "
				 "\"chown %u %s\"",
				 path, (unsigned)st.st_uid, (unsigned)geteuid(),
				 (unsigned)geteuid(), path);
	return !others_can_write(&st) ||
	       fail_with(e, ERR_INVALID,
			 "%s can be written by other users (mode %04o): run "
			 "\"chmod go-w %s\"",
			 path, (unsigned)st.st_mode & 07777, path);
}

/* Explains why a file could not be opened. */
static void
explain(const char *path, const char *wanted, struct error *e)
{
	if (errno == ELOOP)
		fail_with(e, ERR_INVALID,
			  "%s is a symbolic link, which is not followed: "
			  "replace it by %s",
			  path, wanted);
	else if (errno == ENOTDIR)
		fail_with(e, ERR_INVALID, "%s must be %s", path, wanted);
	else
		fail_errno(e, "%s", path);
}

static bool
is_link(int at, const char *name)
{
	struct stat st;

	return fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISLNK(st.st_mode);
}

int
ours_open_directory(int at, const char *name, const char *path, struct error *e)
{
	int fd = openat(at, name,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0) {
		if (errno == ENOTDIR && is_link(at, name))
			errno = ELOOP; /* O_DIRECTORY hides that it is a link */
		explain(path, "a directory", e);
		return -1;
	}
	if (ours_check(fd, OURS_ONLY, path, e))
		return fd;
	close(fd);
	return -1;
}

/* Removes write permission of other users from a directory of ours. */
static void
take_back(int at, const char *name)
{
	int fd = openat(at, name,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && st.st_uid == geteuid() &&
	    (st.st_mode & (S_IWGRP | S_IWOTH)))
		(void)fchmod(fd, st.st_mode & 07755);
	close(fd);
}

int
ours_make_directory(int at, const char *name, const char *path, struct error *e)
{
	if (mkdirat(at, name, 0700) < 0 && errno != EEXIST) {
		fail_errno(e, "make directory %s", path);
		return -1;
	}
	take_back(at, name);
	return ours_open_directory(at, name, path, e);
}

static bool
check_file(int fd, const char *path, struct error *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail_errno(e, "%s", path);
	if (!S_ISREG(st.st_mode))
		return fail_with(e, ERR_INVALID, "%s must be a regular file",
				 path);
	if (st.st_nlink != 1)
		return fail_with(e, ERR_INVALID,
				 "%s is a file that has other names as well: "
				 "remove it",
				 path);
	return ours_check(fd, OURS_ONLY, path, e);
}

int
ours_open_file(int at, const char *name, int flags, const char *path,
	       struct error *e)
{
	int fd = openat(at, name,
			flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
			0600);

	if (fd < 0) {
		explain(path, "a regular file", e);
		return -1;
	}
	if (check_file(fd, path, e))
		return fd;
	close(fd);
	return -1;
}

char *
ours_make_path(const char *data_dir, const char *what, const char *name,
	       struct error *e)
{
	auto_free char *whole = copy_format("%s/%s", data_dir, what);
	char *path =
		name ? copy_format("%s/%s", whole, name) : copy(str_of(whole));
	int top = ours_open_directory(AT_FDCWD, data_dir, data_dir, e);
	int all = top < 0 ? -1 : ours_make_directory(top, what, whole, e);
	int own = all < 0 || !name ? all
				   : ours_make_directory(all, name, path, e);
	bool ok = own >= 0;

	if (own >= 0 && own != all)
		close(own);
	if (all >= 0)
		close(all);
	if (top >= 0)
		close(top);
	if (ok)
		return path;
	free(path);
	return NULL;
}
