#include "workers/executor/folders.h"

#include "proto/buf.h"
#include "proto/settings.h"
#include "proto/variables.h"

static const struct folder folders[] = {
/* clang-format off */
#define FOLDER(harness, path, instead, why) \
	{ harness, FOLDER_MADE, path, instead, NULL, why },
#define FOLDER_IF_THERE(harness, path, instead, why) \
	{ harness, FOLDER_IF_THERE, path, instead, NULL, why },
#define STATE_FILE(harness, path, instead, begins, why) \
	{ harness, FOLDER_FILE, path, instead, begins, why },
#include "workers/executor/folders.def"
	/* clang-format on */
};

enum { FOLDERS = sizeof folders / sizeof *folders };

const struct folder *
folders_of(const char *harness, size_t *count)
{
	const struct folder *first = NULL;

	*count = 0;
	for (size_t i = 0; i < FOLDERS; i++)
		if (!strcmp(folders[i].harness, harness)) {
			first = first ? first : &folders[i];
			++*count;
		}
	return first;
}

/* What the harness's CLI gets as `name`; absent if nothing. */
static struct str
value_for(const char *harness, const char *name)
{
	auto_free char *prefix = settings_variable("", harness, "ENV_");
	auto_free char *own = copy_format("%s%s", prefix, name);
	struct str value = variable_value(own);

	return value.len ? value : variable_value(name);
}

char *
folders_home(const char *harness)
{
	struct str home = value_for(harness, "HOME");

	return home.len && *home.ptr == '/' ? copy(home) : NULL;
}

/* Where a variable of the CLI moves it to; the caller frees it. */
static char *
moved_to(const struct folder *f)
{
	struct str rest, value,
		name = str_cut(str_from(str_of(f->instead), strlen("$")), '/',
			       &rest);
	auto_free char *variable = copy(name);

	value = value_for(f->harness, variable);
	if (!value.len || *value.ptr != '/')
		return NULL;
	return rest.ptr ? copy_format(STR_FMT "/" STR_FMT, STR_ARG(value),
				      STR_ARG(rest))
			: copy(value);
}

char *
folder_path(const struct folder *f)
{
	char *moved = f->instead ? moved_to(f) : NULL;
	auto_free char *home = folders_home(f->harness);

	if (moved || !f->path || !home)
		return moved;
	return copy_format("%s%s", home, f->path + strlen("~"));
}
