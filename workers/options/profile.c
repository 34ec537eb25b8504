#include "workers/options/profile.h"

#include <inttypes.h>
#include <stdio.h>

#include "proto/buf.h"
#include "workers/io/hash.h"
#include "workers/io/json.h"
#include "workers/options/profiles.h"
#include "workers/options/servers.h"

enum otherwise { TOLD, NOT };

/* clang-format off */
static const struct {
	const char *path, *also;
	enum otherwise otherwise;
} parts[PROFILE_PARTS] = {
#define PART(ID, path, also, otherwise, doc) { path, also, otherwise },
#include "workers/options/profile_parts.def"
};

const struct profile_takes profile_takes[PROFILE_TAKERS] = {
#define TAKES(ID, name, parts, rules) { name, parts, rules },
#include "workers/options/profile_parts.def"
};
/* clang-format on */

bool
profile_takes_all(const struct profile_takes *takes)
{
	return takes && takes->parts == (1u << PROFILE_PARTS) - 1;
}

json_t *
profile_read(const char *where, const json_t *value, json_t *unknown,
	     struct error *e)
{
	if (!json_is_object(value))
		return profiles_find(where, json_string_value(value), unknown,
				     e);
	return profile_check(where, value, unknown, e)
		       ? json_incref((json_t *)value)
		       : NULL;
}

void
profile_digest(const json_t *profile, char digest[PROFILE_DIGEST_SIZE])
{
	char *text = json_dumps(profile, JSON_COMPACT | JSON_SORT_KEYS);
	struct hash hash = HASH_INIT;

	hash_add(&hash, str_of(text));
	snprintf(digest, PROFILE_DIGEST_SIZE, "%016" PRIx64, hash_value(&hash));
	free(text);
}

/* Members */

/* The member at "a.b"; NULL if it is not there, or has nothing in it. */
static const json_t *
member_at(const json_t *profile, const char *path)
{
	struct str rest, name = str_cut(str_of(path), '.', &rest);
	auto_free char *first = copy(name);
	const json_t *value = json_object_get(profile, first);

	if (value && rest.ptr)
		return member_at(value, rest.ptr);
	if (json_is_null(value) ||
	    (json_is_string(value) && !json_string_length(value)) ||
	    (json_is_array(value) && !json_array_size(value)) ||
	    (json_is_object(value) && !json_object_size(value)))
		return NULL;
	return value;
}

struct str
profile_text(const json_t *profile, const char *path)
{
	const json_t *text = member_at(profile, path);

	return (struct str){ json_string_value(text),
			     json_string_length(text) };
}

struct str
profile_system(const json_t *profile)
{
	struct str text = str_trim(profile_text(profile, "systemPrompt"));

	if (!text.len)
		text = str_trim(profile_text(profile, "prompt.systemPrompt"));
	return text.len ? text : (struct str){ 0 };
}

bool
profile_is_server(const json_t *spec)
{
	return json_object_get(spec, "command") || json_object_get(spec, "url");
}

static void
add_servers(json_t *all, const json_t *from)
{
	const char *name;
	json_t *spec;

	json_object_foreach ((json_t *)from, name, spec)
		if (profile_is_server(spec))
			json_object_set(all, name, spec);
}

json_t *
profile_servers(const json_t *profile)
{
	json_t *specs = json_object(), *servers = NULL;
	struct error checked_before;

	add_servers(specs, json_object_get(profile, "mcpServers"));
	add_servers(specs, json_object_get(profile, "mcp"));
	if (json_object_size(specs))
		servers = servers_of("mcp", specs, &checked_before);
	json_decref(specs);
	return servers;
}

/* Rules */

static void
add_rule(json_t *rules, const char *tool, const char *pattern, bool allow)
{
	json_array_append_new(rules,
			      json_pack("{s:s, s:s, s:b}", "tool", tool,
					"pattern", pattern, "allow", allow));
}

static bool
is_allowed(const json_t *word)
{
	return !strcasecmp(json_string_value(word), "allow");
}

json_t *
profile_rules(const json_t *profile)
{
	json_t *rules = json_array(), *value, *word;
	const char *tool, *pattern;

	json_object_foreach (json_object_get(profile, "tools"), tool, value)
		if (json_is_boolean(value))
			add_rule(rules, tool, "*", json_is_true(value));
	json_object_foreach (json_object_get(profile, "permissions"), tool,
			     value) {
		if (json_is_string(value))
			add_rule(rules, tool, "*", is_allowed(value));
		json_object_foreach (value, pattern, word)
			if (json_is_string(word))
				add_rule(rules, tool, pattern,
					 is_allowed(word));
	}
	return rules;
}

bool
profile_takes_rule(const struct profile_takes *takes, const char *tool,
		   const json_t *decision)
{
	struct str rules = str_of(takes->rules);

	return (str_list_has(rules, STR("*")) ||
		str_list_has(rules, str_of(tool))) &&
	       (!json_is_object(decision) ||
		str_list_has(rules, STR("patterns")));
}

/* The receipt */

/* What a part has of either kind. */
struct share {
	bool native, told;
};

static void
share_skills(const json_t *list, struct share *s)
{
	const json_t *skill;
	size_t i;

	json_array_foreach (list, i, skill)
		if (json_is_object(skill))
			s->native = true;
		else
			s->told = true;
}

static void
share_servers(const json_t *servers, struct share *s)
{
	const char *name;
	json_t *spec;

	s->told |= json_array_size(servers) > 0;
	json_object_foreach ((json_t *)servers, name, spec)
		if (profile_is_server(spec))
			s->native = true;
		else
			s->told = true;
}

static void
share_rules(const json_t *rules, const struct profile_takes *takes,
	    struct share *s)
{
	const char *tool;
	json_t *value;

	json_object_foreach ((json_t *)rules, tool, value)
		if (profile_takes_rule(takes, tool, value))
			s->native = true;
		else
			s->told = true;
}

/* Of a part that the harness takes: names of what is somewhere else, and tools
 * that it cannot forbid, are told all the same. */
static void
share(enum profile_part_index part, const json_t *value,
      const struct profile_takes *takes, struct share *s)
{
	if (!value)
		return;
	if (part == PART_SKILLS || part == PART_AGENTS ||
	    part == PART_COMMANDS) {
		s->native |= json_is_object(value);
		share_skills(value, s);
	} else if (part == PART_SERVERS) {
		share_servers(value, s);
	} else if (part == PART_PERMISSIONS || part == PART_TOOLS) {
		share_rules(value, takes, s);
	} else {
		s->native = true;
	}
}

json_t *
profile_receipt(const json_t *profile, const struct profile_takes *takes)
{
	char digest[PROFILE_DIGEST_SIZE];
	json_t *native = json_array(), *told = json_array();
	json_t *ignored = json_array();

	profile_digest(profile, digest);
	for (int i = 0; i < PROFILE_PARTS; i++) {
		const json_t *value = member_at(profile, parts[i].path);
		const json_t *also = parts[i].also
					     ? member_at(profile, parts[i].also)
					     : NULL;
		json_t *name =
			json_string(value ? parts[i].path : parts[i].also);
		struct share s = { 0 };

		if (profile_takes_all(takes)) {
			s.native = value || also;
		} else if (takes->parts & (1u << i)) {
			share((enum profile_part_index)i, value, takes, &s);
			share((enum profile_part_index)i, also, takes, &s);
		} else if (parts[i].otherwise == TOLD) {
			s.told = value || also;
		} else if (value || also) {
			json_array_append(ignored, name);
		}
		if (s.native)
			json_array_append(native, name);
		if (s.told)
			json_array_append(told, name);
		json_decref(name);
	}
	return json_pack("{s:s, s:o, s:o, s:o}", "digest", digest, "native",
			 native, "preamble", told, "ignored", ignored);
}

const char *
profile_path(enum profile_part_index part)
{
	return parts[part].path;
}

json_t *
profile_ways(const struct profile_takes *takes)
{
	json_t *ways = json_object();

	for (int i = 0; i < PROFILE_PARTS; i++) {
		bool is_told = takes && parts[i].otherwise == TOLD;
		bool is_native = takes && takes->parts & (1u << i);

		json_object_set_new(ways, parts[i].path,
				    json_string(is_native ? "native"
						: is_told ? "preamble"
							  : "none"));
	}
	return ways;
}
