#include "supervisor/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/buf.h"
#include "proto/log.h"
#include "proto/ours.h"
#include "proto/sweep.h"
#include "proto/variables.h"

#define LOCK "lock"
#define RUN "run"

/* Where things are */

static struct str
absolute(const char *variable)
{
	struct str value = variable_value(variable);

	return value.len && *value.ptr == '/' ? value : (struct str){ NULL, 0 };
}

static bool
choose_data_dir(char **path, const char *chosen, struct error *e)
{
	struct str state = absolute("XDG_STATE_HOME"), home = absolute("HOME");

	if (chosen)
		*path = copy(str_of(chosen));
	else if (state.len)
		*path = copy_format(STR_FMT "/cli-bridge", STR_ARG(state));
	else if (home.len)
		*path = copy_format(STR_FMT "/.local/state/cli-bridge",
				    STR_ARG(home));
	else
		return fail_with(e, ERR_INVALID,
				 "neither BRIDGE_DATA_DIR nor HOME says where "
				 "to keep data: set one of them to a path that "
				 "begins with /");
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
	i->run_dir = copy_format("%s/" RUN, i->data_dir);
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
open_data_dir(struct instance *i, struct error *e)
{
	i->dir = ours_open_directory(AT_FDCWD, i->data_dir, i->data_dir, e);
	return i->dir >= 0;
}

/* The process that holds the lock has written its pid into it. */
static bool
fail_taken(const struct instance *i, int fd, struct error *e)
{
	char text[32];
	ssize_t n = pread(fd, text, sizeof text - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return fail_with(e, ERR_CONFLICT,
			 "already running as process %ld, with %s",
			 strtol(text, NULL, 10), i->data_dir);
}

static bool
lock(struct instance *i, struct error *e)
{
	auto_free char *path = copy_format("%s/" LOCK, i->data_dir);
	struct flock whole = { .l_type = F_WRLCK };

	i->lock = ours_open_file(i->dir, LOCK, O_RDWR | O_CREAT, path, e);
	if (i->lock < 0)
		return false;
	if (fcntl(i->lock, F_OFD_SETLK, &whole) == 0)
		return true;
	if (errno == EAGAIN || errno == EACCES)
		fail_taken(i, i->lock, e);
	else
		fail_errno(e, "lock %s", path);
	close(i->lock);
	i->lock = -1;
	return false;
}

/* The directory may have existed with mode 0755: no other user may connect. */
static bool
make_run_dir(struct instance *i, struct error *e)
{
	int fd = ours_make_directory(i->dir, RUN, i->run_dir, e);
	bool ok = fd >= 0 &&
		  (fchmod(fd, 0700) == 0 || fail_errno(e, "%s", i->run_dir));

	if (fd >= 0)
		close(fd);
	return ok;
}

static bool
write_lock(const struct instance *i, struct error *e)
{
	auto_free char *text = copy_format("%d\n", (int)getpid());
	ssize_t len = (ssize_t)strlen(text);

	if (ftruncate(i->lock, 0) < 0 || pwrite(i->lock, text, len, 0) != len)
		return fail_errno(e, "%s/" LOCK, i->data_dir);
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
instance_take(struct instance *i, const char *data_dir, struct error *e)
{
	auto_free char *path = NULL;

	if (!choose_data_dir(&path, data_dir, e) || !make_dirs(path, e) ||
	    !name_it(i, path, e) || !open_data_dir(i, e) || !lock(i, e))
		return false;
	sweep_leftovers(i);
	return make_run_dir(i, e) && write_lock(i, e);
}

/* Finding it */

/*
 * Does a daemon hold the lock?  The lock is only looked at, not taken: a daemon
 * that is about to start must not find it taken by us.  Connecting to the
 * socket instead would do harm: NNG 1.5 can't cope with a connection that says
 * nothing.  Any user that may read the directory may ask: root asks about
 * another user's bridge.
 */
static bool
is_locked(const char *path)
{
	struct flock whole = { .l_type = F_WRLCK };
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	bool yes = fd >= 0 && fcntl(fd, F_OFD_GETLK, &whole) == 0 &&
		   whole.l_type != F_UNLCK;

	if (fd >= 0)
		close(fd);
	return yes;
}

static bool
is_alive(const struct instance *i)
{
	auto_free char *path = copy_format("%s/" LOCK, i->data_dir);

	return is_locked(path);
}

bool
instance_find(struct instance *i, const char *data_dir, struct error *e)
{
	auto_free char *path = NULL;

	if (!choose_data_dir(&path, data_dir, e))
		return false;
	errno = 0;
	if (name_it(i, path, e) && is_alive(i))
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
		/* With the lock: the next to have it makes its own. */
		(void)unlinkat(i->dir, RUN, AT_REMOVEDIR);
		close(i->lock);
	}
	if (i->dir >= 0)
		close(i->dir);
	free(i->data_dir);
	free(i->run_dir);
	*i = INSTANCE_INIT;
}
