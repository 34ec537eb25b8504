#include "workers/executor/docker/copies.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "proto/buf.h"
#include "proto/error.h"
#include "proto/log.h"

enum { PIECE_BYTES = 1 << 20 };

void
copies_fini(struct copies *c)
{
	for (size_t i = 0; i < c->count; i++) {
		free(c->of[i].from);
		free(c->of[i].to);
	}
	c->count = 0;
}

void
copies_add(struct copies *c, const char *from, const char *to)
{
	assert(c->count < MAX_COPIES);
	c->of[c->count++] = (struct copied){
		.from = copy(str_of(from)),
		.to = copy(str_of(to)),
	};
}

static bool
is_as_it_was(const struct stat *is, const struct stat *was)
{
	return is->st_ino == was->st_ino && is->st_dev == was->st_dev &&
	       is->st_size == was->st_size &&
	       is->st_mtim.tv_sec == was->st_mtim.tv_sec &&
	       is->st_mtim.tv_nsec == was->st_mtim.tv_nsec;
}

/* Programs of the container may have made anything in the directory of `path`,
 * so only a new file is written to. */
static bool
write_anew(int in, const char *path, const struct docker_settings *for_whom)
{
	auto_free char *fresh = copy_format("%s.XXXXXX", path);
	int out = mkostemp(fresh, O_CLOEXEC);
	ssize_t n = 1;
	bool ok;

	if (out < 0)
		return false;
	while (n > 0)
		n = sendfile(out, in, NULL, PIECE_BYTES);
	ok = n == 0 && docker_settings_give(for_whom, out) &&
	     rename(fresh, path) == 0;
	if (!ok) {
		int why = errno;

		(void)unlink(fresh);
		errno = why;
	}
	close(out);
	return ok;
}

static void
renew(struct copied *c, const struct docker_settings *for_whom)
{
	int in = open(c->from, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat is;
	struct error e = { 0 };

	if (in < 0 && errno == ENOENT)
		return;
	if (in < 0 || fstat(in, &is) < 0) {
		fail_errno(&e, "%s", c->from);
	} else if (S_ISREG(is.st_mode) && !is_as_it_was(&is, &c->was)) {
		c->was = is;
		if (!write_anew(in, c->to, for_whom))
			fail_errno(&e, "copy %s to %s", c->from, c->to);
	}
	if (e.code)
		log_warn("a container has no copy that is new: %s", e.text);
	if (in >= 0)
		close(in);
}

void
copies_renew(struct copies *c, const struct docker_settings *for_whom)
{
	for (size_t i = 0; i < c->count; i++)
		renew(&c->of[i], for_whom);
}
