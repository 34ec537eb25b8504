#include "workers/cli/attach.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/buf.h"
#include "proto/log.h"
#include "workers/cli/message_file.h"
#include "workers/io/json.h"

/* The files of one request. */
struct reader {
	const struct attach *from;
	struct reading reading;
	size_t left; /* bytes that may still be read */
};

static bool
is_path(const json_t *part)
{
	const char *type = json_text(part, "type");

	return type && !strcmp(type, "path");
}

static bool
has_paths(const json_t *parts)
{
	const json_t *part;
	size_t i;

	json_array_foreach (parts, i, part)
		if (is_path(part) ||
		    has_paths(json_object_get(part, "content")))
			return true;
	return false;
}

/* `why` stands behind the path. */
static bool
fail(const struct reader *r, const json_t *part, enum error_code code,
     const char *why, struct error *e)
{
	const struct attachment a = { .field = json_text(part, "field") };
	auto_free char *what =
		copy_format(": %s%s", log_quote(json_str(part, "path")), why);

	return attachment_fail(&r->reading, &a, code, what, e);
}

/* All `size` bytes; fewer if the file has become shorter. */
static bool
read_all(int fd, char *bytes, size_t size, size_t *len)
{
	ssize_t n = 1;

	for (*len = 0; n && *len < size;) {
		n = read(fd, bytes + *len, size - *len);
		if (n < 0 && errno != EINTR)
			return false;
		*len += n > 0 ? (size_t)n : 0;
	}
	return true;
}

/* Its size is known before memory is spent on it.  The caller frees the bytes;
 * NULL: it failed. */
static char *
read_file(struct reader *r, const json_t *part, int fd, size_t *len,
	  struct error *e)
{
	struct stat st;
	auto_free char *why = NULL;
	char *bytes;

	if (fstat(fd, &st) < 0) {
		fail(r, part, ERR_INVALID, strerrordesc_np(errno), e);
		return NULL;
	}
	if ((uint64_t)st.st_size > MAX_FILE || (uint64_t)st.st_size > r->left) {
		why = copy_format(" has %jd bytes: a file can have %u, and all "
				  "local files of a request %u",
				  (intmax_t)st.st_size, MAX_FILE, MAX_FILES);
		fail(r, part, ERR_INVALID, why, e);
		return NULL;
	}
	bytes = xcalloc((size_t)st.st_size + 1, 1);
	if (read_all(fd, bytes, (size_t)st.st_size, len)) {
		r->left -= *len;
		return bytes;
	}
	why = copy_format(" cannot be read: %s", strerrordesc_np(errno));
	fail(r, part, ERR_INVALID, why, e);
	free(bytes);
	return NULL;
}

/* The name that the caller has given it, or else its path. */
static struct attachment
attachment_of(const json_t *part, const char *field)
{
	struct attachment a = {
		.field = field,
		.name = json_str(part, "name"),
		.type = json_str(part, "media_type"),
		.detail = json_text(part, "detail"),
		.is_image = json_is_true(json_object_get(part, "is_image")),
	};

	if (!a.name.len)
		a.name = json_str(part, "path");
	return a;
}

static bool
add_file(struct reader *r, json_t *parts, const json_t *part, struct error *e)
{
	const json_t *number = json_object_get(part, "part");
	struct executor *x = r->from->executor;
	struct error why = { 0 };
	auto_free char *bytes = NULL, *field = NULL;
	struct attachment a;
	size_t len;
	int fd;

	r->reading.message =
		(size_t)json_integer_value(json_object_get(part, "message"));
	r->reading.in_part = json_integer_value(number) >= 0;
	r->reading.part = (size_t)json_integer_value(number);
	fd = x->open_below(x, r->from->cwd, json_text(part, "path"), &why);
	if (fd < 0 && why.code != ERR_INVALID) {
		*e = why;
		return false;
	}
	if (fd < 0)
		return fail(r, part, ERR_INVALID, why.text, e);
	bytes = read_file(r, part, fd, &len, e);
	close(fd);
	if (!bytes)
		return false;
	field = copy_format("%s: %s", json_text(part, "field"),
			    log_quote(json_str(part, "path")));
	a = attachment_of(part, field);
	return attachment_add(&r->reading, parts, &a,
			      (struct str){ bytes, len }, e);
}

/* The caller json_decref()s them; NULL: it failed. */
static json_t *
parts_with_files(struct reader *r, const json_t *parts, struct error *e)
{
	json_t *told = json_array(), *part, *content, *copied;
	size_t i;
	bool ok = true;

	json_array_foreach ((json_t *)parts, i, part) {
		content = json_object_get(part, "content");
		if (is_path(part)) {
			ok = add_file(r, told, part, e);
		} else if (!has_paths(content)) {
			json_array_append(told, part);
		} else if ((content = parts_with_files(r, content, e))) {
			copied = json_copy(part);
			json_object_set_new(copied, "content", content);
			json_array_append_new(told, copied);
		} else {
			ok = false;
		}
		if (!ok)
			break;
	}
	if (ok)
		return told;
	json_decref(told);
	return NULL;
}

static bool
attach(struct prompt *p, size_t from, struct reader *r, struct error *e)
{
	for (size_t i = from; i < json_array_size(p->messages); i++) {
		const json_t *message = json_array_get(prompt_told(p), i);
		const json_t *parts = json_object_get(message, "content");
		json_t *told;

		if (!has_paths(parts))
			continue;
		parts = parts_with_files(r, parts, e);
		if (!parts)
			return false;
		told = json_copy((json_t *)message);
		json_object_set_new(told, "content", (json_t *)parts);
		if (!p->told)
			p->told = json_copy(p->messages);
		json_array_set_new(p->told, i, told);
	}
	return true;
}

/* Results that stand alone. */
static bool
attach_strays(struct prompt *p, struct reader *r, struct error *e)
{
	if (!has_paths(p->strays))
		return true;
	json_decref(p->told_strays);
	p->told_strays = parts_with_files(r, p->strays, e);
	return p->told_strays != NULL;
}

bool
attach_files(struct prompt *p, size_t from, const struct attach *a,
	     struct error *e)
{
	struct reader r = { .from = a, .left = MAX_FILES };
	bool ok;

	reading_init(&r.reading, &a->recipient);
	ok = attach(p, from, &r, e) && attach_strays(p, &r, e);
	reading_fini(&r.reading);
	return ok;
}

bool
attach_check(struct prompt *p, size_t from, const struct attach *a,
	     struct error *e)
{
	bool ok = attach_files(p, from, a, e);

	json_decref(p->told);
	json_decref(p->told_strays);
	p->told = p->told_strays = NULL;
	return ok;
}
