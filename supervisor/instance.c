#include "supervisor/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/buf.h"
#include "proto/log.h"
#include "proto/sweep.h"

#define LONGEST_SUFFIX ".events"

/* Where things are */

static const char *
absolute(const char *variable)
{
	const char *value = getenv(variable);

	return value && *value == '/' ? value : NULL;
}

static bool
choose_data_dir(char **path, const char *chosen, struct error *e)
{
	const char *state = absolute("XDG_STATE_HOME"),
		   *home = absolute("HOME");

	if (chosen && *chosen)
		*path = copy(str_of(chosen));
	else if (state)
		*path = copy_format("%s/cli-bridge", state);
	else if (home)
		*path = copy_format("%s/.local/state/cli-bridge", home);
	else
		return fail_with(e, ERR_INVALID,
				 "neither BRIDGE_DATA_DIR nor "
				 "HOME says where to keep data");
	return true;
}

/* FNV-1a, 64 bits. */
static void
hash(char id[INSTANCE_ID + 1], const char *path)
{
	uint64_t h = 0xcbf29ce484222325;

	for (const char *p = path; *p; p++)
		h = (h ^ (unsigned char)*p) * 0x100000001b3;
	snprintf(id, INSTANCE_ID + 1, "%016jx", (uintmax_t)h);
}

static bool
name_it(struct instance *i, const char *path, struct error *e)
{
	i->data_dir = realpath(path, NULL);
	if (!i->data_dir)
		return fail_errno(e, "%s", path);
	hash(i->id, i->data_dir);
	return true;
}

char *
instance_mark(const struct instance *i, const char *name)
{
	return copy_format("%s/%s%s", i->id, name ? name : "", name ? "/" : "");
}

/* Taking it */

static bool
make_dir(const char *path, struct error *e)
{
	if (mkdir(path, 0700) == 0 || errno == EEXIST)
		return true;
	return fail_errno(e, "make directory %s", path);
}

static bool
make_dirs(char *path, struct error *e)
{
	bool ok = true;

	for (char *p = path + 1; ok && *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		ok = make_dir(path, e);
		*p = '/';
	}
	return ok && make_dir(path, e);
}

static bool
read_lock(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, size - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static bool
fail_taken(const struct instance *i, const char *path, struct error *e)
{
	char text[MAX_PATH + 32];
	long pid =
		read_lock(path, text, sizeof text) ? strtol(text, NULL, 10) : 0;

	return fail_with(e, ERR_CONFLICT,
			 "already running as process %ld, with %s", pid,
			 i->data_dir);
}

static bool
lock(struct instance *i, struct error *e)
{
	auto_free char *path = copy_format("%s/lock", i->data_dir);
	struct flock whole = { .l_type = F_WRLCK };

	i->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (i->lock < 0)
		return fail_errno(e, "%s", path);
	if (fcntl(i->lock, F_OFD_SETLK, &whole) == 0)
		return true;
	if (errno == EAGAIN || errno == EACCES)
		fail_taken(i, path, e);
	else
		fail_errno(e, "lock %s", path);
	close(i->lock);
	i->lock = -1;
	return false;
}

/* The directory may have been there: nobody else may use it. */
static bool
make_private(const char *path, struct error *e)
{
	struct stat st;

	if (!make_dir(path, e))
		return false;
	if (lstat(path, &st) < 0)
		return fail_errno(e, "%s", path);
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid())
		return fail_with(e, ERR_SYSTEM,
				 "%s: is not a directory of ours", path);
	return chmod(path, 0700) == 0 || fail_errno(e, "%s", path);
}

static bool
make_run_dir(struct instance *i, size_t longest_name, struct error *e)
{
	const char *runtime = absolute("XDG_RUNTIME_DIR");
	struct sockaddr_un address;
	size_t longest;

	if (runtime && access(runtime, W_OK | X_OK) == 0)
		i->run_dir = copy_format("%s/cli-bridge-%s", runtime, i->id);
	else
		i->run_dir = copy_format("%s/run", i->data_dir);
	longest = strlen(i->run_dir) + sizeof "/" LONGEST_SUFFIX + longest_name;
	if (longest > sizeof address.sun_path)
		return fail_with(e, ERR_INVALID,
				 "%s is too long for the path of a socket by "
				 "%zu bytes: choose a shorter BRIDGE_DATA_DIR",
				 i->run_dir, longest - sizeof address.sun_path);
	return make_private(i->run_dir, e);
}

/* For whoever looks for us, perhaps with another XDG_RUNTIME_DIR. */
static bool
write_lock(const struct instance *i, struct error *e)
{
	auto_free char *text =
		copy_format("%d\n%s\n", (int)getpid(), i->run_dir);
	ssize_t len = (ssize_t)strlen(text);

	if (ftruncate(i->lock, 0) < 0 || pwrite(i->lock, text, len, 0) != len)
		return fail_errno(e, "%s/lock", i->data_dir);
	return true;
}

static void
sweep_leftovers(const struct instance *i)
{
	auto_free char *mark = instance_mark(i, NULL);
	unsigned n = sweep(mark);

	if (n)
		log_warn("an earlier cli-bridge had left %u processes: killed",
			 n);
}

bool
instance_take(struct instance *i, const char *data_dir, size_t longest_name,
	      struct error *e)
{
	auto_free char *path = NULL;

	if (!choose_data_dir(&path, data_dir, e) || !make_dirs(path, e) ||
	    !name_it(i, path, e) || !lock(i, e))
		return false;
	sweep_leftovers(i);
	return make_run_dir(i, longest_name, e) && write_lock(i, e);
}

/* Finding it */

/*
 * Does somebody have the lock?  It is only looked at, not taken, for who is
 * about to start must not find it in our hands.  To try the socket instead
 * would be no better: NNG 1.5 does not bear a connection that says nothing.
 */
static bool
is_locked(const char *path)
{
	struct flock whole = { .l_type = F_WRLCK };
	int fd = open(path, O_RDWR | O_CLOEXEC);
	bool yes = fd >= 0 && fcntl(fd, F_OFD_GETLK, &whole) == 0 &&
		   whole.l_type != F_UNLCK;

	if (fd >= 0)
		close(fd);
	return yes;
}

static bool
find_run_dir(struct instance *i, struct error *e)
{
	auto_free char *path = copy_format("%s/lock", i->data_dir);
	char text[MAX_PATH + 32];
	struct str rest;

	if (!is_locked(path) || !read_lock(path, text, sizeof text))
		return false;
	(void)str_cut(str_of(text), '\n', &rest);
	if (rest.len)
		i->run_dir = copy(str_cut(rest, '\n', &rest));
	return i->run_dir != NULL;
}

bool
instance_find(struct instance *i, const char *data_dir, struct error *e)
{
	auto_free char *path = NULL;

	if (!choose_data_dir(&path, data_dir, e))
		return false;
	errno = 0;
	if (name_it(i, path, e) && find_run_dir(i, e))
		return true;
	return fail_with(e, ERR_UNAVAILABLE,
			 "%s %s; if it runs with another directory, say which "
			 "with BRIDGE_DATA_DIR or --env-file",
			 errno == EACCES ? "permission denied to look into"
					 : "no cli-bridge is running with",
			 path);
}

void
instance_fini(struct instance *i)
{
	if (i->lock >= 0) {
		(void)ftruncate(i->lock, 0);
		close(i->lock);
		(void)rmdir(i->run_dir ? i->run_dir : "");
	}
	free(i->data_dir);
	free(i->run_dir);
	*i = INSTANCE_INIT;
}
