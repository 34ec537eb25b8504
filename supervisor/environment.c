#include "supervisor/environment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/buf.h"
#include "proto/env_file.h"
#include "proto/log.h"
#include "proto/ours.h"
#include "proto/variables.h"

#define DEFAULT_FILE ".env"

enum { MAX_ENV_FILE = 1 << 20 /* bytes */ };

void
environment_keep(struct environment *env, const char *file)
{
	size_t n = 0;

	while (environ[n])
		n++;
	env->file = file;
	env->original = xcalloc(n + 1, sizeof *env->original);
	for (size_t i = 0; i < n; i++)
		env->original[i] = copy(str_of(environ[i]));
}

void
environment_fini(struct environment *env)
{
	for (char **v = env->original; v && *v; v++)
		free(*v);
	free(env->original);
	free(env->read);
	buf_fini(&env->before);
	*env = ENVIRONMENT_INIT;
}

static bool
restore(const struct environment *env, struct error *e)
{
	struct str value;

	clearenv();
	for (char **v = env->original; *v; v++) {
		auto_free char *name = copy(str_cut(str_of(*v), '=', &value));

		/* Entries without a name or without "=" are not variables. */
		if (*name && value.ptr && setenv(name, value.ptr, 1) < 0)
			return fail_errno(e, "%s", name);
	}
	return true;
}

/* Variables of the original environment win over those of the file. */
static bool
add_variables(const struct env_file *file, struct error *e)
{
	for (size_t i = file->count; i-- > 0;) {
		auto_free char *name = copy(file->entries[i].name);
		auto_free char *value = copy(file->entries[i].value);

		if (!variable_is_there(name) && setenv(name, value, 1) < 0)
			return fail_errno(e, "%s", name);
	}
	return true;
}

static bool
read_all(int fd, struct buf *text, const char *path, struct error *e)
{
	ssize_t n;

	do {
		if (!buf_reserve(text, text->len < MAX_ENV_FILE ? 1 : 0, e))
			return false;
		n = read(fd, text->ptr + text->len, text->size - text->len);
		if (n < 0)
			return fail_errno(e, "%s", path);
		text->len += (size_t)n;
	} while (n > 0 && text->len < MAX_ENV_FILE);
	return n == 0 ||
	       fail_with(e, ERR_TOO_LARGE, "%s is larger than 1 MiB", path);
}

static bool
load(int fd, const char *path, struct error *e)
{
	struct buf text = BUF_INIT(MAX_ENV_FILE);
	struct env_file file = { NULL, 0 };
	struct error why = { 0 };
	bool ok = read_all(fd, &text, path, e);

	if (ok && !env_file_read(&file, buf_str(&text), &why))
		ok = fail_with(e, ERR_INVALID, "%s, %s", path, why.text);
	ok = ok && add_variables(&file, e);
	env_file_fini(&file);
	buf_fini(&text);
	return ok;
}

/*
 * Returns -1, with `e`, if the file can't be opened or is not trustworthy.  A
 * symbolic link is followed only if the operator named it: in a directory of
 * another user it could lead to any file of ours.  Opening a FIFO must not
 * block.
 */
static int
open_trusted(const char *path, bool is_named, struct error *e)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC |
				    (is_named ? 0 : O_NOFOLLOW));
	struct stat st;

	if (fd < 0 && errno == ELOOP)
		fail_with(e, ERR_INVALID, "%s is a symbolic link", path);
	else if (fd < 0)
		fail_errno(e, "%s", path);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0)
		fail_errno(e, "%s", path);
	else if (!S_ISREG(st.st_mode))
		fail_with(e, ERR_INVALID, "%s is not a regular file", path);
	else if (ours_check(fd, OURS_OR_ROOTS, path, e))
		return fd;
	close(fd);
	return -1;
}

static bool
load_file(struct environment *env, struct error *e)
{
	const char *name = env->file ? env->file : DEFAULT_FILE;
	int fd;
	bool ok;

	free(env->read);
	env->read = NULL;
	env->skipped = (struct error){ 0 };
	if (!env->file && access(name, F_OK) < 0 && errno == ENOENT)
		return true;
	fd = open_trusted(name, env->file != NULL,
			  env->file ? e : &env->skipped);
	if (fd < 0)
		return !env->file;
	ok = load(fd, name, e);
	close(fd);
	if (ok) {
		auto_free char *path = realpath(name, NULL);

		env->read = copy(str_of(path ? path : name));
	}
	return ok;
}

bool
environment_load(struct environment *env, struct error *e)
{
	buf_drop(&env->before, env->before.len);
	if (variables_pack(&env->before, environ, e) && restore(env, e) &&
	    load_file(env, e))
		return true;
	e->code = ERR_INVALID; /* whatever the cause: the operator must act */
	return false;
}

void
environment_undo(struct environment *env)
{
	struct error e;

	if (!variables_adopt(buf_str(&env->before), &e))
		log_error("the environment can't be restored: %s", e.text);
}
