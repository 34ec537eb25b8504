/*
 * Whether an object is a profile: each member that there is, and what it must
 * be.  An error names the member by its path, and says what would be right.
 */
#include "workers/options/profile.h"

#include <stdio.h>

#include "proto/buf.h"
#include "proto/limits.h"
#include "workers/io/json.h"
#include "workers/options/options.h"
#include "workers/options/servers.h"

enum { MAX_PLACE = 200 /* bytes of a path, in an error */ };

/* Where the reader is. */
struct place {
	char path[MAX_PLACE];
	json_t *unknown;
	struct error *e;
};

typedef bool check_fn(const struct place *, const json_t *value);

struct member {
	const char *name;
	check_fn *check;
};

static bool
must_be(const struct place *p, const char *what)
{
	return fail_about(p->e, ERR_INVALID, "%s: must be %s", p->path, what);
}

static struct place
below(const struct place *p, const char *name)
{
	struct place place = { .unknown = p->unknown, .e = p->e };
	int n = snprintf(place.path, MAX_PLACE, "%s.%.60s", p->path, name);

	if (n >= MAX_PLACE)
		memcpy(place.path + MAX_PLACE - 4, "...", 4);
	return place;
}

static struct place
item(const struct place *p, size_t i)
{
	char number[24];
	struct place place = { .unknown = p->unknown, .e = p->e };

	snprintf(number, sizeof number, "[%zu]", i);
	snprintf(place.path, MAX_PLACE, "%.*s%s", MAX_PLACE - 24, p->path,
		 number);
	return place;
}

/* A member that is null is not there. */
static bool
check_members(const struct place *p, const json_t *object,
	      const struct member *members)
{
	const char *name;
	json_t *value;

	if (!json_is_object(object))
		return must_be(p, "an object");
	json_object_foreach ((json_t *)object, name, value) {
		const struct member *m = members;
		struct place place = below(p, name);

		while (m->name && strcmp(m->name, name) != 0)
			m++;
		if (json_is_null(value))
			continue;
		if (!m->name)
			json_object_set_new_nocheck(p->unknown, place.path,
						    json_true());
		else if (!m->check(&place, value))
			return false;
	}
	return true;
}

static bool
check_each(const struct place *p, const json_t *array, check_fn *check)
{
	const json_t *value;
	size_t i;

	json_array_foreach (array, i, value) {
		struct place place = item(p, i);

		if (!check(&place, value))
			return false;
	}
	return true;
}

/* Of an object whose names are the caller's. */
static bool
check_named(const struct place *p, const json_t *object, check_fn *check)
{
	const char *name;
	json_t *value;

	if (!json_is_object(object))
		return must_be(p, "an object");
	json_object_foreach ((json_t *)object, name, value) {
		struct place place = below(p, name);

		if (!*name || strlen(name) > MAX_PROFILE_NAME)
			return must_be(p, "an object whose names have 1 to 128 "
					  "bytes");
		if (!check(&place, value))
			return false;
	}
	return true;
}

/* Values */

static bool
is_text(const struct place *p, const json_t *value)
{
	return json_is_string(value) || must_be(p, "a text");
}

static bool
is_object(const struct place *p, const json_t *value)
{
	return json_is_object(value) || must_be(p, "an object");
}

static bool
is_anything(const struct place *p, const json_t *value)
{
	return true;
}

static bool
is_flag(const struct place *p, const json_t *value)
{
	return json_is_boolean(value) || must_be(p, "true or false");
}

static bool
is_amount(const struct place *p, const json_t *value)
{
	return json_integer_value(value) > 0 ||
	       must_be(p, "a number greater than 0");
}

static bool
is_texts(const struct place *p, const json_t *value)
{
	return json_is_array(value) ? check_each(p, value, is_text)
				    : must_be(p, "an array of texts");
}

static bool
is_text_or_texts(const struct place *p, const json_t *value)
{
	if (json_is_string(value))
		return true;
	return json_is_array(value) ? check_each(p, value, is_text)
				    : must_be(p, "a text, or an array of them");
}

static bool
is_effort(const struct place *p, const json_t *value)
{
	enum effort effort;

	return (json_is_string(value) &&
		effort_read(json_string_value(value), &effort)) ||
	       must_be(p, "none, minimal, low, medium, high, xhigh or max");
}

static bool
is_decision(const struct place *p, const json_t *value)
{
	static const char words[] = "allow ask deny";
	const char *word = json_string_value(value);

	return (word && *word && str_list_has(str_of(words), str_of(word))) ||
	       must_be(p, "allow, ask or deny");
}

/* For all uses of a tool, or for each pattern of them. */
static bool
is_permission(const struct place *p, const json_t *value)
{
	return json_is_object(value) ? check_named(p, value, is_decision)
				     : is_decision(p, value);
}

static bool
is_permissions(const struct place *p, const json_t *value)
{
	return check_named(p, value, is_permission);
}

static bool
is_tools(const struct place *p, const json_t *value)
{
	return check_named(p, value, is_flag);
}

/* An array names servers that are somewhere else. */
static bool
is_servers(const struct place *p, const json_t *value)
{
	const char *name;
	json_t *spec, *specs, *servers;

	if (json_is_array(value))
		return true;
	if (!json_is_object(value))
		return must_be(p, "an object of servers");
	specs = json_object();
	json_object_foreach ((json_t *)value, name, spec)
		if (profile_is_server(spec))
			json_object_set(specs, name, spec);
	servers = servers_of(p->path, specs, p->e);
	json_decref(specs);
	json_decref(servers);
	return servers != NULL;
}

static bool
is_model(const struct place *p, const json_t *value)
{
	static const struct member members[] = {
		{ "default", is_text },
		{ "provider", is_text },
		{ "small", is_text },
		{ "reasoningEffort", is_effort },
		{ "maxTotalOutputTokens", is_amount },
		{ "metadata", is_object },
		{ 0 },
	};

	return check_members(p, value, members);
}

static bool
is_prompt(const struct place *p, const json_t *value)
{
	static const struct member members[] = {
		{ "systemPrompt", is_text },
		{ "appendSystemPrompt", is_text },
		{ "instructions", is_text_or_texts },
		{ 0 },
	};

	return check_members(p, value, members);
}

/* What has contents */

static bool
is_name(const struct place *p, const json_t *value)
{
	const char *name = json_string_value(value);

	return (name && profile_file_name(name)) ||
	       must_be(p, "a name of up to 128 of the characters A-Z, a-z, "
			  "0-9, -, _ and .");
}

static bool
is_path(const struct place *p, const json_t *value)
{
	const char *path = json_string_value(value);

	return (path && profile_file_path(path)) ||
	       must_be(p, "a relative path of up to 512 bytes, without . and "
			  ".. in it");
}

static bool
is_inline(const struct place *p, const json_t *value)
{
	const char *kind = json_string_value(value);

	return (kind && !strcmp(kind, "inline")) ||
	       fail_about(p->e, ERR_UNSUPPORTED,
			  "%s: must be inline, with the content beside it: "
			  "nothing is fetched",
			  p->path);
}

static const struct member of_resource[] = {
	{ "kind", is_inline },
	{ "name", is_name },
	{ "description", is_text },
	{ "content", is_text },
	{ 0 },
};

static bool
needs(const struct place *p, const json_t *object, const char *name)
{
	struct place place = below(p, name);

	return json_is_string(json_object_get(object, name)) ||
	       must_be(&place, "there");
}

static bool
is_resource(const struct place *p, const json_t *value)
{
	return check_members(p, value, of_resource) &&
	       needs(p, value, "name") && needs(p, value, "content");
}

static bool
is_name_or_resource(const struct place *p, const json_t *value)
{
	return json_is_string(value) || is_resource(p, value);
}

static bool
is_resources_of_a_kind(const struct place *p, const json_t *value)
{
	return json_is_array(value)
		       ? check_each(p, value, is_name_or_resource)
		       : must_be(p, "an array of names, or of {\"name\", "
				    "\"content\"}");
}

static bool
is_content(const struct place *p, const json_t *value)
{
	return check_members(p, value, of_resource) &&
	       needs(p, value, "content");
}

/* Its contents are beside its path, or in a resource. */
static bool
is_file(const struct place *p, const json_t *value)
{
	static const struct member members[] = {
		{ "path", is_path },
		{ "description", is_text },
		{ "content", is_text },
		{ "resource", is_content },
		{ 0 },
	};

	return check_members(p, value, members) && needs(p, value, "path") &&
	       (json_object_get(value, "resource") ||
		needs(p, value, "content"));
}

static bool
is_files(const struct place *p, const json_t *value)
{
	return json_is_array(value)
		       ? check_each(p, value, is_file)
		       : must_be(p, "an array of {\"path\", \"content\"}");
}

static bool
is_instruction(const struct place *p, const json_t *value)
{
	return json_is_string(value) || is_content(p, value);
}

static bool
is_instructions(const struct place *p, const json_t *value)
{
	return json_is_array(value) ? check_each(p, value, is_instruction)
				    : is_instruction(p, value);
}

/* An array names resources that are somewhere else. */
static bool
is_resources(const struct place *p, const json_t *value)
{
	static const struct member members[] = {
		{ "files", is_files },
		{ "skills", is_resources_of_a_kind },
		{ "agents", is_resources_of_a_kind },
		{ "commands", is_resources_of_a_kind },
		{ "instructions", is_instructions },
		{ 0 },
	};

	return json_is_array(value) || check_members(p, value, members);
}

static bool
is_subagent(const struct place *p, const json_t *value)
{
	static const struct member members[] = {
		{ "description", is_text },
		{ "prompt", is_text },
		{ "tools", is_texts },
		{ "model", is_text },
		{ 0 },
	};

	return check_members(p, value, members) && needs(p, value, "prompt");
}

static bool
is_subagents(const struct place *p, const json_t *value)
{
	const char *name;
	json_t *agent;

	json_object_foreach ((json_t *)value, name, agent)
		if (!profile_file_name(name))
			return must_be(p, "an object whose names have A-Z, "
					  "a-z, 0-9, -, _ and . only");
	return check_named(p, value, is_subagent);
}

static const struct member members[] = {
	{ "name", is_text },
	{ "description", is_text },
	{ "tags", is_texts },
	{ "harness", is_text },
	{ "model", is_model },
	{ "prompt", is_prompt },
	{ "systemPrompt", is_text },
	{ "skills", is_resources_of_a_kind },
	{ "tools", is_tools },
	{ "permissions", is_permissions },
	{ "mcp", is_servers },
	{ "mcpServers", is_servers },
	{ "resources", is_resources },
	{ "subagents", is_subagents },
	{ "modes", is_object },
	{ "hooks", is_anything },
	{ "extensions", is_object },
	{ "metadata", is_object },
	{ 0 },
};

/* A zero byte is the end of a text to most programs. */
static bool
has_zero(const json_t *value)
{
	const char *name;
	json_t *member;
	size_t i;

	if (json_is_string(value))
		return strlen(json_string_value(value)) !=
		       json_string_length(value);
	json_array_foreach (value, i, member)
		if (has_zero(member))
			return true;
	json_object_foreach ((json_t *)value, name, member)
		if (has_zero(member))
			return true;
	return false;
}

/* The length is counted before anything is copied. */
static bool
check_size(const char *where, const json_t *profile, struct error *e)
{
	size_t len = json_dumpb(profile, NULL, 0, JSON_COMPACT);

	if (len > MAX_PROFILE)
		return fail_about(e, ERR_INVALID,
				  "%s: must be an object of at most %u bytes, "
				  "and has %zu",
				  where, MAX_PROFILE, len);
	return !has_zero(profile) ||
	       fail_about(e, ERR_INVALID,
			  "%s: must be texts without zero bytes", where);
}

/* Two files may not have one place, and no file be where a folder is. */
static bool
check_files(const char *where, const json_t *profile, struct error *e)
{
	json_t *files = profile_files(profile), *other;
	size_t n = json_array_size(files), i, k;
	bool ok = n <= MAX_PROFILE_FILES ||
		  fail_about(e, ERR_INVALID,
			     "%s: must have at most %d skills, subagents, "
			     "commands and files, and has %zu",
			     where, MAX_PROFILE_FILES, n);

	for (i = 0; ok && i < n; i++)
		json_array_foreach (files, k, other) {
			json_t *file = json_array_get(files, i);
			struct str a = json_str(file, "path");
			struct str b = json_str(other, "path");

			if (ok && i != k && str_starts(b, a) &&
			    (b.len == a.len || b.ptr[a.len] == '/'))
				ok = fail_about(e, ERR_INVALID,
						"%s: has two files at the "
						"place %.200s",
						where, a.ptr);
		}
	json_decref(files);
	return ok;
}

bool
profile_check(const char *where, const json_t *profile, json_t *unknown,
	      struct error *e)
{
	struct place p = { .unknown = unknown, .e = e };

	snprintf(p.path, MAX_PLACE, "%s", where);
	return check_size(where, profile, e) &&
	       check_members(&p, profile, members) &&
	       check_files(where, profile, e);
}
