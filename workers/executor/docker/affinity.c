#include "workers/executor/docker/affinity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "proto/buf.h"
#include "proto/limits.h"
#include "proto/log.h"

static void
read_line(struct affinity *a, const char *text, size_t len, unsigned size)
{
	json_t *line = json_loadb(text, len, 0, NULL);
	const char *session;
	json_int_t slot;

	if (json_unpack(line, "[s, I]", &session, &slot) == 0 && slot >= 0 &&
	    slot < size)
		json_object_set_new(a->slots, session, json_integer(slot));
	json_decref(line);
}

static void
read_file(struct affinity *a, const char *path, unsigned size)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t room = 0;
	ssize_t len;

	while (f && (len = getline(&line, &room, f)) > 0)
		read_line(a, line, (size_t)len, size);
	free(line);
	if (f)
		fclose(f);
}

static void
append(struct affinity *a, const char *session, const json_t *slot)
{
	json_t *line = json_pack("[s, O]", session, slot);
	char *text = json_dumps(line, JSON_COMPACT | JSON_ENSURE_ASCII);
	auto_free char *whole = copy_format("%s\n", text);
	size_t len = strlen(whole);

	if (a->file >= 0 && write(a->file, whole, len) != (ssize_t)len)
		log_warn("which session has which slot cannot be written: %s",
			 strerror(errno));
	free(text);
	json_decref(line);
}

/* Lines that count no more are left out. */
static void
write_anew(struct affinity *a, const char *path)
{
	auto_free char *fresh = copy_format("%s.new", path);
	const char *session;
	json_t *slot;

	a->file = open(fresh,
		       O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC |
			       O_NOFOLLOW,
		       0600);
	json_object_foreach (a->slots, session, slot)
		append(a, session, slot);
	if (a->file < 0 || rename(fresh, path) < 0)
		log_warn("which session has which slot cannot be kept in %s: "
			 "%s",
			 path, strerror(errno));
}

void
affinity_init(struct affinity *a, const char *path, unsigned size)
{
	*a = (struct affinity){ .slots = json_object(), .file = -1 };
	if (!path)
		return;
	read_file(a, path, size);
	write_anew(a, path);
}

void
affinity_fini(struct affinity *a)
{
	if (a->file >= 0)
		close(a->file);
	json_decref(a->slots);
	memset(a, 0, sizeof *a);
}

int
affinity_find(const struct affinity *a, const char *session)
{
	const json_t *slot = json_object_get(a->slots, session);

	return slot ? (int)json_integer_value(slot) : -1;
}

/* The first in the object: it keeps their order. */
static int
drop_oldest(struct affinity *a)
{
	void *first = json_object_iter(a->slots);
	int slot = (int)json_integer_value(json_object_iter_value(first));

	json_object_del(a->slots, json_object_iter_key(first));
	return slot;
}

int
affinity_set(struct affinity *a, const char *session, unsigned slot)
{
	json_t *number = json_integer(slot);

	json_object_set(a->slots, session, number);
	append(a, session, number);
	json_decref(number);
	return json_object_size(a->slots) > MAX_SLOT_SESSIONS ? drop_oldest(a)
							      : -1;
}

size_t
affinity_count(const struct affinity *a, unsigned slot)
{
	const char *session;
	json_t *number;
	size_t count = 0;

	json_object_foreach (a->slots, session, number)
		count += json_integer_value(number) == slot;
	return count;
}
