#include "workers/executor/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/settings.h"
#include "proto/variables.h"
#include "workers/executor/cwd.h"
#include "workers/executor/folders.h"
#include "workers/executor/host.h"
#include "workers/executor/jail_view.h"

#define BUBBLEWRAP "bwrap"
#define HELPER "cli-bridge-jail"

struct jail {
	struct executor executor;
	char *name, *data_dir;
	char *helper; /* the path of HELPER */
	const char *trial[3];
	char *advice;
	struct jail_terms terms;
	struct error wrong; /* a setting; code 0: none is */
	struct jail *reader;
};

static struct jail *
jail_of(struct executor *x)
{
	return container_of(x, struct jail, executor);
}

/* The caller frees it; NULL: it is not installed. */
static char *
bubblewrap(void)
{
	auto_free char *path = copy(variable_value("PATH"));

	return program_in_path(BUBBLEWRAP, path ? path : "");
}

/* The CLI's own folders */

/* Makes the directories above it, too. */
static void
make_directories(const char *path)
{
	auto_free char *above = copy(str_of(path));

	for (char *c = above + 1; *c; c++)
		if (*c == '/') {
			*c = '\0';
			(void)mkdir(above, 0700);
			*c = '/';
		}
	(void)mkdir(above, 0700);
}

static void
make_file(const char *path, const char *begins)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return;
	(void)!write(fd, begins, strlen(begins));
	close(fd);
}

/* A directory can be mounted only if it is there; what cannot be made is
 * missing for the CLI as well, which says so. */
static void
make_folders(const char *harness)
{
	size_t count;
	const struct folder *f = folders_of(harness, &count);

	for (size_t i = 0; i < count; i++) {
		auto_free char *path = folder_path(&f[i]);

		if (path && f[i].kind == FOLDER_MADE)
			make_directories(path);
		else if (path && f[i].kind == FOLDER_FILE)
			make_file(path, f[i].begins);
	}
}

static void
add_folders(const char *harness, struct words *writes)
{
	size_t count;
	const struct folder *f = folders_of(harness, &count);

	for (size_t i = 0; i < count; i++) {
		auto_free char *path = folder_path(&f[i]);

		if (path)
			words_add(writes, path);
	}
}

/* Programs */

static const char *
path_of(char *const *env)
{
	for (; env && *env; env++)
		if (str_starts(str_of(*env), STR("PATH=")))
			return *env + strlen("PATH=");
	return NULL;
}

static bool
start_in_jail(struct jail *j, struct process *p, struct loop *loop,
	      const struct spawn *how, void (*ended)(struct process *),
	      struct error *e)
{
	auto_free char *bwrap = bubblewrap();
	struct words argv = { 0 };
	struct spawn wrapped = *how;
	bool ok;

	if (how->cwd) /* it is more than a look at the program */
		make_folders(j->name);
	words_add(&argv, j->helper);
	words_add(&argv, "enter");
	words_add(&argv, bwrap);
	jail_view(&j->terms, how->argv[0], path_of(how->env), how->cwd, &argv);
	words_add(&argv, j->helper);
	words_add(&argv, "run");
	for (const char *const *word = how->argv; *word; word++)
		words_add(&argv, *word);
	wrapped.argv = (const char *const *)argv.ptr;
	ok = process_start(p, loop, &wrapped, ended, e);
	words_fini(&argv);
	return ok;
}

static bool
is_set_up(struct executor *x, struct error *e)
{
	struct jail *j = jail_of(x);
	auto_free char *bwrap = NULL;

	if (j->wrong.code) {
		*e = j->wrong;
		return false;
	}
	if (j->terms.mode == JAIL_OFF)
		return true;
	bwrap = bubblewrap();
	return bwrap || fail_with(e, ERR_NOT_SET_UP,
				  "%s needs bubblewrap, which is not "
				  "installed: apt-get install bubblewrap, or "
				  "set it to off",
				  j->terms.variable);
}

static bool
start(struct executor *x, struct process *p, struct loop *loop,
      const struct spawn *how, void (*ended)(struct process *), struct error *e)
{
	struct jail *j = jail_of(x);

	*p = PROCESS_INIT;
	if (!is_set_up(x, e))
		return false;
	if (j->terms.mode == JAIL_OFF)
		return process_start(p, loop, how, ended, e);
	return (!how->cwd || jail_check_cwd(&j->terms, how->cwd, e)) &&
	       start_in_jail(j, p, loop, how, ended, e);
}

static bool
check_cwd(struct executor *x, const char *cwd, struct error *e)
{
	struct jail *j = jail_of(x);

	return cwd_check(cwd, e) &&
	       (j->terms.mode == JAIL_OFF || jail_check_cwd(&j->terms, cwd, e));
}

/* Settings */

/* The words of a setting, and what each of them means. */
struct choice {
	const char *word;
	enum jail_mode mode;
};

static bool
read_mode(struct jail *j, const char *word, const struct choice choices[3])
{
	for (size_t i = 0; i < 3; i++)
		if (!strcmp(choices[i].word, word)) {
			j->terms.mode = choices[i].mode;
			return true;
		}
	return fail_with(&j->wrong, ERR_NOT_SET_UP,
			 "%s is \"%s\", but must be %s, %s or %s",
			 j->terms.variable, word, choices[0].word,
			 choices[1].word, choices[2].word);
}

/* Paths, with commas. */
static bool
read_paths(struct jail *j, const char *suffix, const char *list,
	   struct words *paths)
{
	auto_free char *variable = settings_variable("", j->name, suffix);
	struct str left = str_of(list);

	while (left.ptr) {
		struct str path = str_trim(str_cut(left, ',', &left));
		auto_free char *whole =
			path.len ? settings_expand(variable, path, &j->wrong)
				 : NULL;

		if (whole && whole[0] == '/' && whole[1])
			words_add(paths, whole);
		else if (whole)
			fail_with(&j->wrong, ERR_NOT_SET_UP,
				  "%s is \"%s\", but must be paths below /, "
				  "with commas",
				  variable, list);
		if (j->wrong.code)
			return false;
	}
	return true;
}

static bool
same_words(const struct words *a, const struct words *b)
{
	for (size_t i = 0; a->len == b->len && i < a->len; i++)
		if (strcmp(a->ptr[i], b->ptr[i]) != 0)
			return false;
	return a->len == b->len;
}

static bool
same_terms(const struct jail_terms *a, const struct jail_terms *b)
{
	return a->mode == b->mode && str_eq(str_of(a->home), str_of(b->home)) &&
	       same_words(&a->reads, &b->reads) &&
	       same_words(&a->writes, &b->writes);
}

static void
begin_terms(struct jail *j, const char *suffix)
{
	j->wrong = (struct error){ 0 };
	j->terms = (struct jail_terms){
		.variable = settings_variable("", j->name, suffix),
		.home = folders_home(j->name),
		.data_dir = copy(str_of(j->data_dir)),
		.scratch = copy(str_of(j->executor.scratch)),
	};
	words_add(&j->terms.reads, j->helper);
	add_folders(j->name, &j->terms.writes);
}

/* Whether it is another jail than before; takes what it was. */
static bool
settle(struct jail *j, struct jail_terms *before)
{
	struct executor *x = &j->executor;
	bool is_same = same_terms(&j->terms, before);

	jail_terms_fini(before);
	x->one_directory = j->terms.mode != JAIL_OFF;
	x->trial = x->one_directory ? j->trial : NULL;
	free(j->advice);
	x->advice = j->advice = copy_format(
		"bubblewrap can't make the jail of %s on this machine: allow "
		"user namespaces to bwrap, or set it to off",
		j->terms.variable);
	return !is_same;
}

static bool
configure_own(struct jail *j, const struct harness_settings *s)
{
	static const struct choice choices[] = { { "off", JAIL_OFF },
						 { "write", JAIL_WRITE },
						 { "read", JAIL_READ } };
	struct jail_terms before = j->terms;

	begin_terms(j, "JAIL");
	(void)(read_mode(j, s->jail, choices) &&
	       read_paths(j, "JAIL_READS", s->jail_reads, &j->terms.reads) &&
	       read_paths(j, "JAIL_WRITES", s->jail_writes, &j->terms.writes));
	return settle(j, &before);
}

/* What an operator lets the CLI write, it can read here. */
static bool
configure_reader(struct jail *j, const struct harness_settings *s)
{
	static const struct choice choices[] = { { "auto", JAIL_SAFE },
						 { "off", JAIL_OFF },
						 { "required", JAIL_SAFE } };
	struct jail_terms before = j->terms;

	begin_terms(j, "SAFE_JAIL");
	(void)(read_mode(j, s->safe_jail, choices) &&
	       read_paths(j, "JAIL_READS", s->jail_reads, &j->terms.reads) &&
	       read_paths(j, "JAIL_WRITES", s->jail_writes, &j->terms.reads));
	return settle(j, &before);
}

static bool
configure(struct executor *x, const struct harness_settings *s)
{
	struct jail *j = jail_of(x);
	bool is_other = configure_own(j, s);

	is_other |= configure_reader(j->reader, s);
	x->reader =
		j->reader->terms.mode == JAIL_OFF ? NULL : &j->reader->executor;
	if (!j->wrong.code)
		j->wrong = j->reader->wrong;
	return is_other;
}

static void
jail_free(struct executor *x)
{
	struct jail *j = jail_of(x);

	if (j->reader)
		jail_free(&j->reader->executor);
	jail_terms_fini(&j->terms);
	free(j->name);
	free(j->data_dir);
	free(j->helper);
	free(j->advice);
	free(x->scratch);
	free(j);
}

static struct jail *
make(const char *name, const char *data_dir, const char *scratch)
{
	struct jail *j = xcalloc(1, sizeof *j);

	j->executor = host_executor;
	j->executor.scratch = copy(str_of(scratch));
	j->executor.free = jail_free;
	j->executor.start = start;
	j->executor.check_cwd = check_cwd;
	j->executor.is_set_up = is_set_up;
	j->name = copy(str_of(name));
	j->data_dir = copy(str_of(data_dir));
	j->helper = program_of_ours(HELPER);
	j->trial[0] = j->helper;
	j->trial[1] = "try";
	return j;
}

struct executor *
jail_new(const char *name, const char *data_dir, const char *scratch)
{
	struct jail *j = make(name, data_dir, scratch);
	auto_free char *bwrap = bubblewrap();

	j->executor.configure = configure;
	j->reader = make(name, data_dir, scratch);
	j->reader->executor.is_unfit = !bwrap;
	host_clear_scratch(scratch);
	return &j->executor;
}
