/* The files of programs in a container: they are in folders that are mounted
 * into it, so they are files of this machine by another name. */
#include <errno.h>
#include <unistd.h>

#include "workers/executor/below.h"
#include "workers/executor/cwd.h"
#include "workers/executor/docker/pool.h"
#include "workers/executor/host.h"

static struct executor *
here(void)
{
	return (struct executor *)&host_executor;
}

/* ENOENT says it best: a program in the container may see the file, but we do
 * not. */
static char *
ours(struct executor *x, const char *path, struct error *e)
{
	char *name = mounts_ours(&slot_of_place(x)->mounts, path);

	if (!name && e)
		fail_with(e, ERR_SYSTEM,
			  "%s: it is in none of the folders that are mounted "
			  "into the container",
			  path);
	return name;
}

static bool
look(struct executor *x, const char *path, struct file_facts *facts)
{
	auto_free char *name = ours(x, path, NULL);

	return name && host_executor.look(here(), name, facts);
}

/* The part of a pattern that is a path still, without its last slash. */
static size_t
plain_part(const char *pattern)
{
	size_t len = strcspn(pattern, "*?[\\%");

	while (len && pattern[len] != '/')
		len--;
	return len;
}

/* What the pattern names may be in a folder that is mounted below the
 * directory. */
static void
match(struct executor *x, const char *directory, const char *pattern,
      const char *name, struct words *paths)
{
	size_t len = plain_part(pattern);
	auto_free char *below =
		len ? copy_format("%s/%.*s", directory, (int)len, pattern)
		    : copy(str_of(directory));
	auto_free char *where = ours(x, below, NULL);
	struct words found = { 0 };

	if (!where)
		return;
	host_executor.match(here(), where, pattern + (len ? len + 1 : 0), name,
			    &found);
	for (size_t i = 0; i < found.len; i++)
		words_print(paths, "%s%s", below, found.ptr[i] + strlen(where));
	words_fini(&found);
}

static int
open_to_read(struct executor *x, const char *path)
{
	auto_free char *name = ours(x, path, NULL);

	if (name)
		return host_executor.open(here(), name);
	errno = ENOENT;
	return -1;
}

/* What we make must belong to whom the programs run as: only root can give it
 * away, and nobody else needs to. */
static bool
give(const struct executor *x, const char *name, struct error *e)
{
	const struct docker_settings *d = &slot_of_place(x)->terms->settings;

	return d->uid == geteuid() || lchown(name, d->uid, d->gid) == 0 ||
	       fail_errno(e, "chown %s", name);
}

static bool
write_file(struct executor *x, const char *path, struct str text,
	   struct error *e)
{
	auto_free char *name = ours(x, path, e);

	return name && host_executor.write(here(), name, text, e) &&
	       give(x, name, e);
}

static bool
make_directory(struct executor *x, const char *path, struct error *e)
{
	auto_free char *name = ours(x, path, e);

	return name && host_executor.make_directory(here(), name, e) &&
	       give(x, name, e);
}

static bool
link_to(struct executor *x, const char *target, const char *path,
	struct error *e)
{
	auto_free char *name = ours(x, path, e);

	return name && host_executor.link(here(), target, name, e) &&
	       give(x, name, e);
}

static void
remove_file(struct executor *x, const char *path)
{
	auto_free char *name = ours(x, path, NULL);

	if (name)
		host_executor.remove(here(), name);
}

static void
remove_tree(struct executor *x, const char *path)
{
	auto_free char *name = ours(x, path, NULL);

	if (name)
		host_executor.remove_tree(here(), name);
}

static bool
is_below(const char *path, const char *root)
{
	size_t len = root ? strlen(root) : 0;

	return path && len && !strncmp(path, root, len) &&
	       (!path[len] || path[len] == '/');
}

/* Where it leads to counts, for a symbolic link must not lead out; and the
 * container must know it by this name. */
static bool
check_cwd(struct executor *x, const char *cwd, struct error *e)
{
	const struct docker *d = docker_of(x);
	auto_free char *real = realpath(cwd, NULL);
	bool is_another = real && strcmp(real, cwd) != 0;

	if (!cwd_check(cwd, e))
		return false;
	if (is_below(real, d->root) &&
	    (is_below(cwd, d->root) || is_below(cwd, d->terms.settings.root)))
		return true;
	return fail_with(e, ERR_BAD_CWD,
			 "cwd %s%s%s is outside of %s, which is the only "
			 "directory that the containers have: choose one in "
			 "it, or set the variable that ends with "
			 "_DOCKER_WORKSPACE_ROOT",
			 cwd, is_another ? ", that is " : "",
			 is_another ? real : "", d->root);
}

static bool
check_cwd_of_slot(struct executor *x, const char *cwd, struct error *e)
{
	return check_cwd(slot_of_place(x)->terms->whole, cwd, e);
}

const struct executor docker_slot_files = {
	.check_cwd = check_cwd_of_slot,
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

/* The whole has the files of its first slot. */

static struct executor *
first(struct executor *x)
{
	return &docker_of(x)->slots[0].executor;
}

static bool
look_first(struct executor *x, const char *path, struct file_facts *facts)
{
	return look(first(x), path, facts);
}

static void
match_first(struct executor *x, const char *directory, const char *pattern,
	    const char *name, struct words *paths)
{
	match(first(x), directory, pattern, name, paths);
}

static int
open_first(struct executor *x, const char *path)
{
	return open_to_read(first(x), path);
}

static bool
write_first(struct executor *x, const char *path, struct str text,
	    struct error *e)
{
	return write_file(first(x), path, text, e);
}

static bool
make_first(struct executor *x, const char *path, struct error *e)
{
	return make_directory(first(x), path, e);
}

static bool
link_first(struct executor *x, const char *target, const char *path,
	   struct error *e)
{
	return link_to(first(x), target, path, e);
}

static void
remove_first(struct executor *x, const char *path)
{
	remove_file(first(x), path);
}

static void
remove_tree_first(struct executor *x, const char *path)
{
	remove_tree(first(x), path);
}

const struct executor docker_files = {
	.check_cwd = check_cwd,
	.look = look_first,
	.match = match_first,
	.open = open_first,
	.open_below = below_open,
	.write = write_first,
	.make_directory = make_first,
	.link = link_first,
	.remove = remove_first,
	.remove_tree = remove_tree_first,
};
