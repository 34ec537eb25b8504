#include "workers/options/profiles.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "proto/settings.h"
#include "proto/variables.h"
#include "workers/io/json.h"
#include "workers/options/profile.h"

#define ENDING ".json"

/* The caller frees it; NULL on failure. */
static char *
directory_of_profiles(struct error *e)
{
	static const char *const names[] = { "BRIDGE_PROFILES_DIR",
					     "SANDBOX_PROFILES_DIR" };
	char *data = NULL, *path;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (variable_value(names[i]).len)
			return settings_expand(names[i],
					       variable_value(names[i]), e);
	if (!settings_data_dir(&data, e))
		return NULL;
	path = data ? copy_format("%s/profiles", data) : NULL;
	free(data);
	if (!path)
		fail_with(e, ERR_NOT_SET_UP,
			  "set BRIDGE_PROFILES_DIR to where the profiles are");
	return path;
}

/* Its length is looked at before it is read.  NULL on failure; then errno says
 * why, unless *is_large. */
static json_t *
read_json(const char *path, struct stat *st, json_error_t *why, bool *is_large)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	json_t *value = NULL;

	*is_large = false;
	if (fd < 0)
		return NULL;
	if (fstat(fd, st) == 0) {
		*is_large = !S_ISREG(st->st_mode) || st->st_size > MAX_PROFILE;
		errno = 0;
		if (!*is_large)
			value = json_loadfd(fd, 0, why);
	}
	close(fd);
	return value;
}

/* A file of the catalogue. */
struct entry {
	const char *id, *where; /* where the id was found: "agent_profile" */
	json_t *unknown;	/* members that nobody knows */
	struct stat st;
};

/* NULL on failure: ERR_NOT_FOUND if there is no such file. */
static json_t *
read_profile(const char *path, struct entry *entry, struct error *e)
{
	json_error_t why = { .text = "" };
	bool is_large, ok;
	json_t *profile = read_json(path, &entry->st, &why, &is_large);
	struct error wrong = { 0 };

	if (is_large)
		fail_with(e, ERR_INVALID, "%s: is no file of at most %u bytes",
			  path, MAX_PROFILE);
	else if (!profile && errno == ENOENT)
		fail_with(e, ERR_NOT_FOUND,
			  "there is no profile with the id \"%.80s\"",
			  entry->id);
	else if (!profile && errno)
		fail_errno(e, "%s", path);
	else if (!profile)
		fail_with(e, ERR_INVALID, "%s: line %d: %s", path, why.line,
			  why.text);
	ok = profile &&
	     profile_check(entry->where, profile, entry->unknown, &wrong);
	if (profile && !ok)
		fail_with(e, ERR_INVALID, "%s: %s", path, wrong.text);
	if (ok)
		return profile;
	json_decref(profile);
	return NULL;
}

static json_t *
read_by_id(struct entry *entry, struct error *e)
{
	auto_free char *directory = directory_of_profiles(e);
	auto_free char *path = NULL;

	if (!directory)
		return NULL;
	if (!profile_file_name(entry->id)) {
		fail_with(e, ERR_NOT_FOUND,
			  "there is no profile with the id \"%.80s\"",
			  entry->id);
		return NULL;
	}
	path = copy_format("%s/%s" ENDING, directory, entry->id);
	return read_profile(path, entry, e);
}

json_t *
profiles_show(const char *id, struct error *e)
{
	struct entry entry = { .id = id,
			       .where = "profile",
			       .unknown = json_object() };
	json_t *profile = read_by_id(&entry, e);

	json_decref(entry.unknown);
	return profile;
}

json_t *
profiles_find(const char *where, const char *id, json_t *unknown,
	      struct error *e)
{
	struct entry entry = { .id = id, .where = where, .unknown = unknown };
	struct error why = { 0 };
	json_t *profile = read_by_id(&entry, &why);

	if (!profile)
		fail_about(e, ERR_INVALID, "%s: %s", where, why.text);
	return profile;
}

static json_t *
row_of(const struct entry *entry, const json_t *profile)
{
	char when[32];
	struct tm tm;
	json_t *tags = json_object_get(profile, "tags");

	strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ",
		 gmtime_r(&entry->st.st_mtime, &tm));
	return json_pack("{s:s, s:O?, s:O?, s:o, s:s}", "id", entry->id, "name",
			 json_object_get(profile, "name"), "description",
			 json_object_get(profile, "description"), "tags",
			 json_is_array(tags) ? json_incref(tags) : json_array(),
			 "loadedAt", when);
}

static void
add_fault(json_t *faults, const char *file, const char *error)
{
	json_array_append_new(faults, json_pack("{s:s%, s:s%}", "file", file,
						strlen(file), "error", error,
						strlen(error)));
}

static int
has_ending(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return *entry->d_name != '.' && len > strlen(ENDING) &&
	       !strcmp(entry->d_name + len - strlen(ENDING), ENDING);
}

static void
add_row(json_t *rows, json_t *faults, const char *directory, const char *file)
{
	auto_free char *path = copy_format("%s/%s", directory, file);
	auto_free char *id =
		copy((struct str){ file, strlen(file) - strlen(ENDING) });
	struct entry entry = { .id = id, .where = "profile" };
	struct error e = { 0 };
	json_t *profile, *value;
	const char *name;

	if (!profile_file_name(id)) {
		add_fault(faults, path,
			  "its name must be an id of A-Z, a-z, 0-9, -, _ and "
			  "., and .json");
		return;
	}
	entry.unknown = json_object();
	profile = read_profile(path, &entry, &e);
	if (profile)
		json_array_append_new(rows, row_of(&entry, profile));
	else if (e.code != ERR_NOT_FOUND) /* it was removed meanwhile */
		add_fault(faults, path, e.text);
	json_object_foreach (entry.unknown, name, value) {
		auto_free char *text = copy_format(
			"%s: is not known, and has no effect", name);

		add_fault(faults, path, text);
	}
	json_decref(entry.unknown);
	json_decref(profile);
}

json_t *
profiles_list(json_t *faults)
{
	struct error e = { 0 };
	auto_free char *directory = directory_of_profiles(&e);
	json_t *rows = json_array();
	struct dirent **entries = NULL;
	int n = directory ? scandir(directory, &entries, has_ending, alphasort)
			  : 0;

	if (!directory)
		add_fault(faults, "BRIDGE_PROFILES_DIR", e.text);
	else if (n < 0 && errno != ENOENT)
		add_fault(faults, directory, strerrordesc_np(errno));
	for (int i = 0; i < n; i++) {
		if (i < MAX_PROFILES)
			add_row(rows, faults, directory, entries[i]->d_name);
		else if (i == MAX_PROFILES)
			add_fault(faults, directory,
				  "it has more files than a catalogue may "
				  "have: those behind the first 256 count for "
				  "nothing");
		free(entries[i]);
	}
	free(entries);
	return rows;
}
