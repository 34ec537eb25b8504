#include "workers/executor/jail_view.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/limits.h"
#include "proto/spawn.h"
#include "workers/executor/cwd.h"

enum {
	MAX_LINKS = 40,	      /* on the way to a file, as in the kernel */
	MAX_INTERPRETERS = 4, /* of interpreters */
	MAX_FIRST_LINE = 256, /* of a script, as in the kernel */
};

#define PACKAGES "/node_modules"

/* What JAIL_READ shows of the system; some have not all of them. */
static const char *const of_the_system[] = {
	"/usr",	   "/bin", "/sbin", "/lib", "/lib32", "/lib64",
	"/libx32", "/etc", "/opt",  "/nix", "/gnu",   "/snap",
};

/* What lies behind a link into /run, and is of the system all the same. */
static const char *const of_run[] = { "/etc/resolv.conf",
				      "/run/current-system" };

/* These would show what bwrap has just hidden. */
static const char *const no_cwd[] = { "/proc", "/dev", "/sys" };

enum sight {
	HIDDEN,
	SHOWN, /* what the machine has there can be read */
	OPEN,  /* and written */
};

struct layer {
	char *path;
	enum sight sight;
};

struct view {
	struct words *argv;
	struct layer *layers;
	size_t count;
};

void
jail_terms_fini(struct jail_terms *t)
{
	free(t->variable);
	free(t->home);
	free(t->data_dir);
	free(t->scratch);
	words_fini(&t->reads);
	words_fini(&t->writes);
	*t = (struct jail_terms){ .mode = JAIL_OFF };
}

/* Is `path` the directory, or below it? */
static bool
holds(const char *directory, const char *path)
{
	size_t len = strlen(directory);

	if (len && directory[len - 1] == '/')
		len--; /* of the root */
	return !strncmp(directory, path, len) &&
	       (path[len] == '/' || !path[len]);
}

/* The last layer that covers it decides. */
static enum sight
sight_of(const struct view *v, const char *path)
{
	for (size_t i = v->count; i-- > 0;)
		if (holds(v->layers[i].path, path))
			return v->layers[i].sight;
	return HIDDEN;
}

static bool
is_shown(const struct view *v, const char *path)
{
	return sight_of(v, path) != HIDDEN;
}

static void
add_layer(struct view *v, const char *path, enum sight sight)
{
	v->layers = xrealloc(v->layers, (v->count + 1) * sizeof *v->layers);
	v->layers[v->count++] = (struct layer){ copy(str_of(path)), sight };
}

static void
add_words(struct view *v, const char *a, const char *b, const char *c)
{
	words_add(v->argv, a);
	words_add(v->argv, b);
	if (c)
		words_add(v->argv, c);
}

/* The real path */

/* Where a link leads; NULL: it is none.  The caller frees it. */
static char *
read_link(const char *path)
{
	char target[MAX_PATH];
	ssize_t n = readlink(path, target, sizeof target - 1);

	return n > 0 ? copy((struct str){ target, (size_t)n }) : NULL;
}

static void
go_up(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash)
		*slash = '\0';
}

static char *
replace(char *old, char *new)
{
	free(old);
	return new;
}

/* Makes a link again that would be missing. */
static void
show_link(struct view *v, const char *path, const char *target)
{
	if (!v || is_shown(v, path))
		return;
	add_words(v, "--symlink", target, path);
	add_layer(v, path, SHOWN);
}

/*
 * Follows every link in a path and shows it in the view, which MAY be NULL.
 * Returns the real path, which the caller frees; NULL: nothing is there.
 */
static char *
follow(struct view *v, const char *path)
{
	char *left = copy(str_of(path)), *real = copy(STR(""));
	unsigned links = 0;

	while (left && *left) {
		struct str rest, part = str_cut(str_of(left), '/', &rest);
		auto_free char *next =
			copy_format("%s/" STR_FMT, real, STR_ARG(part));
		auto_free char *target = part.len ? read_link(next) : NULL;
		char *after = copy_format("%s%s" STR_FMT, target ? target : "",
					  target ? "/" : "", STR_ARG(rest));

		if (target)
			show_link(v, next, target);
		if (target && *target == '/')
			*real = '\0';
		else if (str_is(part, ".."))
			go_up(real);
		else if (!target && part.len && !str_is(part, "."))
			real = replace(real, copy(str_of(next)));
		if (target && ++links > MAX_LINKS)
			after = replace(after, NULL);
		left = replace(left, after);
	}
	if (!*real)
		real = replace(real, copy(STR("/")));
	if (!left || access(real, F_OK) < 0)
		real = replace(real, NULL);
	free(left);
	return real;
}

/* What is mounted */

static void
show(struct view *v, const char *path)
{
	auto_free char *real = follow(v, path);

	if (!real || is_shown(v, real))
		return;
	add_words(v, "--ro-bind", real, real);
	add_layer(v, real, SHOWN);
}

/* Shows it again where what was mounted since has hidden or opened it. */
static void
close_to_writing(struct view *v, const char *path)
{
	auto_free char *real = follow(v, path);

	if (!real || sight_of(v, real) == SHOWN)
		return;
	add_words(v, "--ro-bind", real, real);
	add_layer(v, real, SHOWN);
}

static void
open_to_write(struct view *v, const char *path)
{
	auto_free char *real = follow(v, path);

	if (!real)
		return;
	add_words(v, "--bind", real, real);
	add_layer(v, real, OPEN);
}

/* A new, empty directory takes its place. */
static void
empty(struct view *v, const char *path)
{
	auto_free char *real = follow(v, path);

	if (!real || !strcmp(real, "/"))
		return;
	add_words(v, "--tmpfs", real, NULL);
	add_layer(v, real, HIDDEN);
}

static void
show_system(struct view *v, enum jail_mode mode)
{
	if (mode == JAIL_WRITE) {
		add_words(v, "--ro-bind", "/", "/");
		add_layer(v, "/", SHOWN);
	}
	for (size_t i = 0; i < sizeof of_the_system / sizeof *of_the_system;
	     i++)
		show(v, of_the_system[i]);
	add_words(v, "--dev", "/dev", NULL);
	add_layer(v, "/dev", SHOWN);
	add_words(v, "--proc", "/proc", NULL);
	add_layer(v, "/proc", SHOWN);
	empty(v, "/tmp");
	empty(v, "/run");
	for (size_t i = 0; i < sizeof of_run / sizeof *of_run; i++)
		show(v, of_run[i]);
}

/* The program */

static bool
covers_a_layer(const struct view *v, const char *directory)
{
	for (size_t i = 0; i < v->count; i++)
		if (strcmp(v->layers[i].path, "/") != 0 &&
		    holds(directory, v->layers[i].path))
			return true;
	return false;
}

/*
 * The directory of what is installed with a program: all packages of npm that
 * lie together, or where it is itself; the file alone, if with the directory
 * more would be shown than a program.
 */
static char *
installation(const struct view *v, const struct jail_terms *t, const char *real)
{
	char *packages = strstr(real, PACKAGES "/");
	char *directory = copy(str_of(real));

	if (packages)
		directory[packages - real + (ptrdiff_t)strlen(PACKAGES)] = '\0';
	else
		go_up(directory);
	if (*directory && !covers_a_layer(v, directory) &&
	    !(t->home && holds(directory, t->home)) &&
	    !holds(directory, t->data_dir))
		return directory;
	free(directory);
	return copy(str_of(real));
}

/* The first two words of a script's first line: "#!/usr/bin/env node". */
static bool
read_first_line(const char *real, char line[MAX_FIRST_LINE], struct str *first,
		struct str *second)
{
	int fd = open(real, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, line, MAX_FIRST_LINE);
	struct str rest, left;

	if (fd >= 0)
		close(fd);
	if (n < 2 || memcmp(line, "#!", 2) != 0)
		return false;
	left = str_trim(
		str_cut((struct str){ line + 2, (size_t)n - 2 }, '\n', &rest));
	*first = str_cut(left, ' ', &rest);
	*second = str_trim(rest);
	if (str_starts(*second, STR("-S")))
		*second = str_trim(str_from(*second, strlen("-S")));
	*second = str_cut(*second, ' ', &rest);
	return true;
}

/* What runs the script; NULL: it is none.  The caller frees it. */
static char *
interpreter(const char *real, const char *path)
{
	char line[MAX_FIRST_LINE];
	struct str first, second;
	auto_free char *name = NULL;

	if (!read_first_line(real, line, &first, &second))
		return NULL;
	if (first.len < 4 ||
	    !str_eq(str_from(first, first.len - 4), STR("/env")))
		return copy(first);
	name = copy(second);
	return program_in_path(name, path ? path : "");
}

static void
show_program(struct view *v, const struct jail_terms *t, const char *program,
	     const char *path)
{
	char *next = copy(str_of(program));

	for (unsigned n = 0; next && n < MAX_INTERPRETERS; n++) {
		auto_free char *real = follow(v, next);
		auto_free char *whole = NULL;

		free(next);
		next = real ? interpreter(real, path) : NULL;
		if (!real)
			break;
		whole = installation(v, t, real);
		show(v, whole);
	}
	free(next);
}

/* The whole */

void
jail_view(const struct jail_terms *t, const char *program, const char *path,
	  const char *cwd, struct words *argv)
{
	/* Root would keep his capabilities, and could mount what he likes. */
	static const char *const always[] = {
		"--unshare-user",    "--unshare-pid", "--unshare-ipc",
		"--die-with-parent", "--cap-drop",    "ALL",
		"--setenv",	     "TMPDIR",	      "/tmp",
	};
	struct view v = { .argv = argv };
	auto_free char *real = cwd ? follow(NULL, cwd) : NULL;

	for (size_t i = 0; i < sizeof always / sizeof *always; i++)
		words_add(argv, always[i]);
	show_system(&v, t->mode);
	if (t->mode != JAIL_WRITE && t->home)
		empty(&v, t->home);
	show_program(&v, t, program, path);
	if (cwd && t->mode == JAIL_SAFE)
		show(&v, cwd);
	for (size_t i = 0; i < t->reads.len; i++)
		show(&v, t->reads.ptr[i]);
	for (size_t i = 0; i < t->writes.len; i++)
		open_to_write(&v, t->writes.ptr[i]);
	if (is_shown(&v, t->data_dir))
		empty(&v, t->data_dir);
	open_to_write(&v, t->scratch);
	if (cwd && t->mode == JAIL_SAFE)
		close_to_writing(&v, cwd);
	else if (cwd)
		open_to_write(&v, cwd);
	if (t->mode != JAIL_WRITE)
		add_words(&v, "--remount-ro", "/", NULL);
	add_words(&v, "--chdir", real ? real : "/", NULL);
	words_add(argv, "--");
	for (size_t i = 0; i < v.count; i++)
		free(v.layers[i].path);
	free(v.layers);
}

/* The working directory */

static bool
refuse(const struct jail_terms *t, const char *what, const char *cwd,
       struct error *e)
{
	return fail_about(e, ERR_BAD_CWD,
			  "cwd %s, which %s keeps from the CLI: work in a "
			  "directory of the project's own, and not in %s",
			  what, t->variable, cwd);
}

bool
jail_check_cwd(const struct jail_terms *t, const char *cwd, struct error *e)
{
	auto_free char *real = follow(NULL, cwd);
	auto_free char *home = t->home ? follow(NULL, t->home) : NULL;
	auto_free char *workspace = copy_format("%s/workspace", t->data_dir);

	if (!real)
		return cwd_check(cwd, e);
	if (home && holds(real, home))
		return refuse(t, "has the home directory in it", cwd, e);
	if (holds(real, t->data_dir))
		return refuse(t, "has the data of cli-bridge in it", cwd, e);
	if (holds(t->data_dir, real) && !holds(workspace, real))
		return refuse(t, "is among the data of cli-bridge", cwd, e);
	for (size_t i = 0; i < sizeof no_cwd / sizeof *no_cwd; i++)
		if (holds(no_cwd[i], real))
			return refuse(t, "is of the kernel", cwd, e);
	return true;
}
