/* Which folders of this machine the containers have. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/log.h"
#include "proto/ours.h"
#include "proto/spawn.h"
#include "workers/executor/docker/pool.h"
#include "workers/executor/folders.h"
#include "workers/executor/host.h"

static bool
give(const struct docker *d, const char *path, struct error *e)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	bool ok = (fd >= 0 && docker_settings_give(&d->terms.settings, fd)) ||
		  fail_errno(e, "chown %s", path);

	if (fd >= 0)
		close(fd);
	return ok;
}

/* A folder of the data directory, which belongs to whom the programs run as.
 * The caller frees it. */
static char *
own_folder(struct docker *d, unsigned n, const char *what, struct error *e)
{
	auto_free char *of_pool =
		copy_format("%s/slots/%s", d->data_dir, d->terms.name);
	auto_free char *of_slot = copy_format("%s/%u", of_pool, n);
	auto_free char *slots =
		ours_make_path(d->data_dir, "slots", d->terms.name, e);
	char *path = copy_format("%s/%s", of_slot, what);

	if (slots && host_executor.make_directory(NULL, of_slot, e) &&
	    host_executor.make_directory(NULL, path, e) && give(d, path, e))
		return path;
	free(path);
	return NULL;
}

/* The engine's machine may know our path by another name. */
static void
add_ours(struct docker *d, struct mounts *m, const char *ours,
	 const char *target, bool read_only)
{
	auto_free char *source = mounts_source(&d->self, ours);

	mounts_add(m, source, target, ours, read_only);
}

/* The folder, and those that it is in; who needs one that cannot be made will
 * not find it. */
static void
make_path(const char *path)
{
	auto_free char *part = copy(str_of(path));

	for (char *slash = strchr(part + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(part, 0700);
		*slash = '/';
	}
	(void)mkdir(part, 0700);
}

/* Where programs in the container find it: at the same path, if a variable says
 * where it is, and else below their home. */
static char *
target_of(const struct docker *d, const struct folder *f, const char *here,
	  bool is_first)
{
	auto_free char *usual =
		f->path ? copy_format("%s%s", d->home, f->path + strlen("~"))
			: NULL;
	bool is_moved = f->instead && (!usual || strcmp(here, usual) != 0) &&
			strncmp(f->instead, "$XDG_", strlen("$XDG_")) != 0;

	if (is_first && d->terms.settings.container_config)
		return copy(str_of(d->terms.settings.container_config));
	return is_moved ? copy(str_of(here))
			: copy_format("%s%s", d->terms.home,
				      f->path + strlen("~"));
}

/* Of a login that is elsewhere, the file is beside its main folder. */
static char *
file_here(const struct docker *d, const struct folder *f)
{
	const char *config = d->terms.settings.host_config;
	const char *name = f->path + strlen("~/");
	const char *slash = config ? strrchr(config, '/') : NULL;
	auto_free char *beside =
		slash ? copy_format("%.*s/%s", (int)(slash - config), config,
				    name)
		      : NULL;

	return beside ? mounts_of_source(&d->self, beside) : folder_path(f);
}

/* A file in the home; in a folder of the CLI's it is mounted already. */
static void
add_copy(const struct docker *d, struct mounts *m, const struct folder *f,
	 const char *home)
{
	auto_free char *usual = folder_path(f);
	auto_free char *here = file_here(d, f);
	auto_free char *in_home =
		copy_format("%s%s", d->home, f->path + strlen("~"));
	auto_free char *to = copy_format("%s%s", home, f->path + strlen("~"));

	if (usual && here && !strcmp(usual, in_home))
		copies_add(&m->copies, here, to);
}

/* What the programs run as may not write there; to a rootless engine 0 is us.
 */
static void
warn_of_owner(const struct docker *d, const char *path)
{
	unsigned uid =
		d->terms.settings.uid ? d->terms.settings.uid : geteuid();
	struct stat s;

	if (uid && stat(path, &s) == 0 && s.st_uid != uid &&
	    !(s.st_mode & (S_IWGRP | S_IWOTH)))
		log_warn("%s belongs to user %u, so the CLIs of %s, which run "
			 "as user %u, cannot write there: chown it, or set the "
			 "variable that ends with _DOCKER_USER",
			 path, s.st_uid, d->terms.name, uid);
}

static void
add_login(struct docker *d, struct mounts *m, unsigned n,
	  const struct folder *f, bool is_first)
{
	const char *host_config = d->terms.settings.host_config;
	auto_free char *here = folder_path(f);
	auto_free char *target = NULL, *real = NULL;

	if (!here)
		return;
	target = target_of(d, f, here, is_first);
	if (is_first && host_config) {
		auto_free char *ours = mounts_of_source(&d->self, host_config);

		mounts_add(m, host_config, target, ours, false);
		return;
	}
	if (f->kind == FOLDER_MADE)
		make_path(here);
	real = realpath(here, NULL);
	if (real)
		add_ours(d, m, real, target, false);
	if (real && n == 0)
		warn_of_owner(d, real);
}

static void
add_logins(struct docker *d, struct mounts *m, unsigned n, const char *home)
{
	size_t count;
	const struct folder *f = folders_of(d->terms.name, &count);

	for (size_t i = 0; i < count; i++)
		if (f[i].kind == FOLDER_FILE)
			add_copy(d, m, &f[i], home);
		else
			add_login(d, m, n, &f[i], i == 0);
}

/* One part of a path below `at`, whose place it takes; it belongs to whom the
 * programs run as. */
static bool
make_part(const struct docker *d, int *at, const char *name)
{
	bool is_new = mkdirat(*at, name, 0700) == 0;
	int fd = openat(*at, name,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	close(*at);
	*at = fd;
	return fd >= 0 &&
	       (!is_new || docker_settings_give(&d->terms.settings, fd));
}

/*
 * What is mounted below the home needs a directory there.  The engine would
 * make those that are missing, for root, and the programs could not write
 * beside it.
 */
static bool
make_mount_points(const struct docker *d, const struct mounts *m,
		  const char *home, struct error *e)
{
	size_t len = strlen(d->terms.home);

	for (size_t i = 0; i < m->count; i++) {
		const char *target = m->of[i].target;
		auto_free char *rest = NULL;
		char *part, *left = NULL;
		bool ok = true;
		int at;

		if (strncmp(target, d->terms.home, len) != 0 ||
		    target[len] != '/')
			continue;
		rest = copy(str_of(target + len));
		at = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		for (part = strtok_r(rest, "/", &left); ok && part;
		     part = strtok_r(NULL, "/", &left))
			ok = at >= 0 && make_part(d, &at, part);
		if (!ok)
			fail_errno(e, "a directory for %s in %s", target, home);
		if (at >= 0)
			close(at);
		if (!ok)
			return false;
	}
	return true;
}

bool
docker_mounts(struct docker *d, unsigned n, struct mounts *m, struct error *e)
{
	auto_free char *scratch = own_folder(d, n, "scratch", e);
	auto_free char *home = own_folder(d, n, "home", e);
	auto_free char *sockets = own_folder(d, n, "net", e);
	auto_free char *program =
		copy_format("%s/slots/cli-bridge-slot", d->data_dir);
	auto_free char *volume =
		copy_format("%s-oauth-%u", d->terms.settings.prefix, n);
	const char *root = d->terms.settings.root;

	if (!scratch || !home || !sockets)
		return false;
	/* The first at a target counts: the root may be the home. */
	add_ours(d, m, scratch, scratch, false);
	add_ours(d, m, program, SLOT_PROGRAM, true);
	add_ours(d, m, sockets, SLOT_SOCKETS, true);
	add_ours(d, m, d->root, d->root, false);
	if (root)
		add_ours(d, m, d->root, root, false);
	if (d->terms.settings.is_per_slot) {
		add_ours(d, m, home, d->terms.home, false);
		mounts_name_last(m, volume);
	} else {
		add_ours(d, m, home, d->terms.home, false);
		add_logins(d, m, n, home);
	}
	return make_mount_points(d, m, home, e);
}

/* The container's home is where its main folder is below as it is here. */
static char *
container_home(const struct docker *d)
{
	const char *config = d->terms.settings.container_config;
	size_t count;
	const struct folder *f = folders_of(d->terms.name, &count);
	const char *path = count && f->path ? f->path + strlen("~") : "";
	size_t len = config ? strlen(config) : 0, end = strlen(path);

	if (end && len > end && !strcmp(config + len - end, path))
		return copy((struct str){ config, len - end });
	return copy(str_of(d->home));
}

static bool
copy_program(const struct docker *d, struct error *e)
{
	auto_free char *from = program_of_ours("cli-bridge-slot");
	auto_free char *to =
		copy_format("%s/slots/cli-bridge-slot", d->data_dir);
	auto_free char *fresh = copy_format("%s.%s.new", to, d->terms.name);
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	ssize_t n = 1;

	while (in >= 0 && out >= 0 && n > 0)
		n = sendfile(out, in, NULL, 1 << 20);
	if (n == 0 && fchmod(out, 0755) == 0 && rename(fresh, to) == 0)
		fresh[0] = '\0';
	else
		fail_errno(e, "copy %s to %s", from, to);
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	return !fresh[0];
}

static bool
choose_root(struct docker *d, struct error *e)
{
	const char *root = d->terms.settings.root;
	auto_free char *chosen = root ? copy(str_of(root))
				      : ours_make_path(d->data_dir, "workspace",
						       d->terms.name, e);

	if (!chosen)
		return false;
	d->root = realpath(chosen, NULL);
	return d->root || fail_errno(e, "the workspace root of %s, %s",
				     d->terms.name, chosen);
}

bool
docker_folders(struct docker *d, const struct executor_plan *plan,
	       struct error *e)
{
	auto_free char *slots = NULL;

	d->data_dir = realpath(plan->data_dir, NULL);
	d->home = folders_home(plan->name);
	if (!d->data_dir || !d->home)
		return fail_with(e, ERR_NOT_SET_UP,
				 "HOME and the data directory must be there");
	slots = ours_make_path(d->data_dir, "slots", NULL, e);
	if (!slots || !choose_root(d, e) || !copy_program(d, e))
		return false;
	d->terms.home = container_home(d);
	return true;
}
