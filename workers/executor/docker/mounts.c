#include "workers/executor/docker/mounts.h"

#include <assert.h>

#include "proto/buf.h"
#include "workers/io/json_read.h"

void
mounts_fini(struct mounts *m)
{
	for (size_t i = 0; i < m->count; i++) {
		free(m->of[i].source);
		free(m->of[i].target);
		free(m->of[i].ours);
		free(m->of[i].volume);
	}
	copies_fini(&m->copies);
	memset(m, 0, sizeof *m);
}

void
mounts_add(struct mounts *m, const char *source, const char *target,
	   const char *ours, bool read_only)
{
	for (size_t i = 0; i < m->count; i++)
		if (!strcmp(m->of[i].target, target))
			return;
	assert(m->count < MAX_MOUNTS);
	m->of[m->count++] = (struct mount){
		.source = copy(str_of(source)),
		.target = copy(str_of(target)),
		.ours = copy(str_of(ours)),
		.read_only = read_only,
	};
}

void
mounts_name_last(struct mounts *m, const char *volume)
{
	m->of[m->count - 1].volume = copy(str_of(volume));
}

/* What `path` has behind `folder`, "" or "/..."; NULL: it is not in there. */
static const char *
behind(const char *path, const char *folder)
{
	size_t len = folder ? strlen(folder) : 0;

	if (!len || strncmp(path, folder, len) != 0 ||
	    (path[len] && path[len] != '/'))
		return NULL;
	return path + len;
}

enum name { SOURCE, TARGET, OURS };

static const char *
name_of(const struct mount *m, enum name name)
{
	return name == SOURCE	? m->source
	       : name == TARGET ? m->target
				: m->ours;
}

/* The mount whose folder is nearest to the path. */
static char *
rename_path(const struct mounts *m, const char *path, enum name from,
	    enum name to)
{
	const struct mount *best = NULL;
	const char *rest = NULL;

	for (size_t i = 0; i < m->count; i++) {
		const char *r = behind(path, name_of(&m->of[i], from));

		if (!r || (rest && strlen(r) >= strlen(rest)))
			continue;
		best = &m->of[i];
		rest = r;
	}
	if (!best || !name_of(best, to))
		return NULL;
	return copy_format("%s%s", name_of(best, to), rest);
}

char *
mounts_ours(const struct mounts *m, const char *path)
{
	return rename_path(m, path, TARGET, OURS);
}

char *
mounts_target(const struct mounts *m, const char *ours)
{
	return rename_path(m, ours, OURS, TARGET);
}

/* For a container that we are in ourselves its targets are our names. */
char *
mounts_source(const struct mounts *self, const char *ours)
{
	char *source = rename_path(self, ours, TARGET, SOURCE);

	return source ? source : copy(str_of(ours));
}

char *
mounts_of_source(const struct mounts *self, const char *source)
{
	return self->count ? rename_path(self, source, SOURCE, TARGET)
			   : copy(str_of(source));
}

const struct mount *
mounts_volume(const struct mounts *m)
{
	for (size_t i = 0; i < m->count; i++)
		if (m->of[i].volume)
			return &m->of[i];
	return NULL;
}

/* The volume is a folder of ours, so that it belongs to whom the programs run
 * as, and we see what they have written into it. */
static json_t *
volume_json(const struct mount *m)
{
	return json_pack("{s:s, s:s, s:s, s:{s:{s:s, s:{s:s, s:s, s:s}}}}",
			 "Type", "volume", "Source", m->volume, "Target",
			 m->target, "VolumeOptions", "DriverConfig", "Name",
			 "local", "Options", "type", "none", "o", "bind",
			 "device", m->source);
}

json_t *
mounts_json(const struct mounts *m)
{
	json_t *all = json_array();

	for (size_t i = 0; i < m->count; i++) {
		const struct mount *a = &m->of[i];

		json_array_append_new(
			all, a->volume
				     ? volume_json(a)
				     : json_pack("{s:s, s:s, s:s, s:b}", "Type",
						 "bind", "Source", a->source,
						 "Target", a->target,
						 "ReadOnly", a->read_only));
	}
	return all;
}

void
mounts_read(struct mounts *m, const json_t *container)
{
	const json_t *mount;
	size_t i;

	json_array_foreach (json_object_get(container, "Mounts"), i, mount) {
		const char *source = json_text(mount, "Source");
		const char *target = json_text(mount, "Destination");

		if (source && target && m->count < MAX_MOUNTS)
			mounts_add(m, source, target, target, false);
	}
}
