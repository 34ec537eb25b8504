/*
 * The files of a profile: skills, subagents and commands in the format that
 * CLIs read, and files as they are.  They lie so in a directory:
 *
 *   skills/<name>/SKILL.md   agents/<name>.md   commands/<name>.md
 *   files/<path>
 */
#include <stdio.h>

#include "proto/buf.h"
#include "proto/limits.h"
#include "workers/io/json.h"
#include "workers/options/profile.h"

static bool
is_plain(const char *name, size_t len)
{
	return strspn(name, "abcdefghijklmnopqrstuvwxyz"
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "0123456789-_.") >= len;
}

bool
profile_file_name(const char *name)
{
	size_t len = strlen(name);

	return len && len <= MAX_PROFILE_NAME && *name != '.' &&
	       is_plain(name, len);
}

/* Each part of it is a name, but need not be plain. */
bool
profile_file_path(const char *path)
{
	size_t len = strlen(path);
	struct str part, rest = { path, len };

	if (!len || len > MAX_PROFILE_PATH)
		return false;
	while (rest.ptr) {
		part = str_cut(rest, '/', &rest);
		if (!part.len || str_is(part, ".") || str_is(part, ".."))
			return false;
		for (size_t i = 0; i < part.len; i++)
			if ((unsigned char)part.ptr[i] < ' ' ||
			    part.ptr[i] == 0x7f)
				return false;
	}
	return true;
}

/* Appends `text` as YAML reads it: a JSON string is one. */
static void
add_field(struct buf *b, const char *name, const char *text)
{
	json_t *string = json_string(text);
	char *quoted = json_dumps(string, JSON_ENCODE_ANY);

	buf_print(b, "%s: %s\n", name, quoted);
	free(quoted);
	json_decref(string);
}

static const char *
words_of(const json_t *resource, const char *name)
{
	const char *about = json_text(resource, "description");

	return about && *about ? about : name;
}

/* A text that has a head is left as it is.  The caller frees it. */
static char *
with_head(const char *name, const json_t *resource)
{
	struct buf b = BUF_INIT(8u * MAX_PROFILE);
	const char *content = json_text(resource, "content");
	char *text;

	if (!strncmp(content, "---\n", 4))
		return copy(str_of(content));
	buf_print(&b, "---\n");
	add_field(&b, "name", name);
	add_field(&b, "description", words_of(resource, name));
	buf_print(&b, "---\n\n");
	buf_put(&b, str_of(content));
	text = copy(buf_str(&b));
	buf_fini(&b);
	return text;
}

struct file {
	const char *path, *text, *name, *about;
	enum profile_part_index part;
};

static void
add_file(json_t *files, const struct file *f)
{
	json_array_append_new(files, json_pack("{s:s, s:s, s:i, s:s, s:s}",
					       "path", f->path, "text", f->text,
					       "part", (int)f->part, "name",
					       f->name, "about", f->about));
}

/* A kind of resources that have names. */
struct kind {
	enum profile_part_index part;
	const char *before, *behind; /* the name, in the path */
	bool has_head;
};

static const struct kind skills = { PART_SKILLS, "skills/", "/SKILL.md", true };
static const struct kind agents = { PART_AGENTS, "agents/", ".md", true };
static const struct kind commands = { PART_COMMANDS, "commands/", ".md",
				      false };

static void
add_resource(json_t *files, const struct kind *kind, const json_t *resource)
{
	const char *name = json_text(resource, "name");
	auto_free char *path =
		copy_format("%s%s%s", kind->before, name, kind->behind);
	auto_free char *text = kind->has_head
				       ? with_head(name, resource)
				       : copy(json_str(resource, "content"));
	const struct file f = { path, text, name, words_of(resource, name),
				kind->part };

	add_file(files, &f);
}

static void
add_resources(json_t *files, const struct kind *kind, const json_t *list)
{
	const json_t *resource;
	size_t i;

	json_array_foreach (list, i, resource)
		if (json_is_object(resource))
			add_resource(files, kind, resource);
}

/* The caller frees it. */
static char *
joined(const json_t *names)
{
	struct buf b = BUF_INIT(8u * MAX_PROFILE);
	const json_t *name;
	char *text;
	size_t i;

	json_array_foreach (names, i, name)
		buf_print(&b, "%s%s", i ? ", " : "", json_string_value(name));
	text = copy(buf_str(&b));
	buf_fini(&b);
	return text;
}

/* A subagent's file has its tools and its model as well. */
static void
add_subagent(json_t *files, const char *name, const json_t *agent)
{
	struct buf b = BUF_INIT(8u * MAX_PROFILE);
	auto_free char *path = copy_format("agents/%s.md", name);
	auto_free char *tools = joined(json_object_get(agent, "tools"));
	auto_free char *text = NULL;
	const char *model = json_text(agent, "model");
	struct file f = { .path = path,
			  .name = name,
			  .about = words_of(agent, name),
			  .part = PART_AGENTS };

	buf_print(&b, "---\n");
	add_field(&b, "name", name);
	add_field(&b, "description", f.about);
	if (*tools)
		add_field(&b, "tools", tools);
	if (model && *model)
		add_field(&b, "model", model);
	buf_print(&b, "---\n\n");
	buf_put(&b, json_str(agent, "prompt"));
	f.text = text = copy(buf_str(&b));
	buf_fini(&b);
	add_file(files, &f);
}

static void
add_plain_files(json_t *files, const json_t *list)
{
	const json_t *file;
	size_t i;

	json_array_foreach (list, i, file) {
		const char *name = json_text(file, "path");
		auto_free char *path = copy_format("files/%s", name);
		const json_t *resource = json_object_get(file, "resource");
		const char *text =
			json_text(resource ? resource : file, "content");
		const struct file f = { path, text, name, words_of(file, name),
					PART_FILES };

		add_file(files, &f);
	}
}

json_t *
profile_files(const json_t *profile)
{
	const json_t *resources = json_object_get(profile, "resources");
	json_t *files = json_array(), *agent;
	const char *name;

	add_resources(files, &skills, json_object_get(profile, "skills"));
	add_resources(files, &skills, json_object_get(resources, "skills"));
	json_object_foreach (json_object_get(profile, "subagents"), name, agent)
		add_subagent(files, name, agent);
	add_resources(files, &agents, json_object_get(resources, "agents"));
	add_resources(files, &commands, json_object_get(resources, "commands"));
	add_plain_files(files, json_object_get(resources, "files"));
	return files;
}
