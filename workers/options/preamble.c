#include "workers/options/preamble.h"

#include "proto/buf.h"
#include "proto/limits.h"
#include "workers/io/json.h"

/* The preamble that is being written. */
struct preamble {
	struct buf text;
	const json_t *profile;
	const struct profile_takes *takes;
};

/* Names in escapes are longer than in the profile. */
#define MAX_PREAMBLE (16u * MAX_PROFILE)

static bool
takes(const struct preamble *p, enum profile_part part)
{
	return p->takes->parts & part;
}

/* One blank line is between two sections. */
static void
begin(struct preamble *p)
{
	if (p->text.len)
		buf_put(&p->text, STR("\n\n"));
}

static void
add_section(struct preamble *p, struct str text)
{
	text = str_trim(text);
	if (!text.len)
		return;
	begin(p);
	buf_put(&p->text, text);
}

/* Words with commas, behind a title that is written before the first. */
struct list {
	struct preamble *preamble;
	const char *title;
	bool has_begun;
};

static void
add_word(struct list *l, const char *name, const char *sign, const char *value)
{
	struct buf *b = &l->preamble->text;

	if (!l->has_begun) {
		begin(l->preamble);
		buf_print(b, "%s: ", l->title);
	} else {
		buf_put(b, STR(", "));
	}
	l->has_begun = true;
	buf_put(b, str_of(name));
	buf_put(b, str_of(sign));
	buf_put(b, str_of(value));
}

static void
add_name(struct list *l, const char *name)
{
	if (name && str_trim(str_of(name)).len)
		add_word(l, name, "", "");
}

/* A text, or the name in an object. */
static void
add_named(struct list *l, const json_t *value)
{
	add_name(l, json_is_string(value) ? json_string_value(value)
					  : json_text(value, "name"));
}

/* Only names: what has contents is a file, or a skill of the CLI's. */
static void
add_skills(struct preamble *p)
{
	struct list list = {
		.preamble = p,
		.title = "Caller-declared skills for this session"
	};
	const json_t *skills = json_object_get(p->profile, "skills"), *skill;
	size_t i;

	json_array_foreach (skills, i, skill)
		add_name(&list, json_string_value(skill));
}

static void
add_servers(struct preamble *p)
{
	struct list list = {
		.preamble = p,
		.title = "Caller-declared MCP servers for this session"
	};
	json_t *servers = json_object_get(p->profile, "mcpServers"), *server;
	const char *name;
	size_t i;

	json_array_foreach (servers, i, server)
		add_named(&list, server);
	json_object_foreach (servers, name, server)
		if (!takes(p, TAKES_SERVERS) || !profile_is_server(server))
			add_name(&list, name);
}

static bool
is_taken(const struct preamble *p, const char *resource)
{
	static const struct {
		const char *name;
		enum profile_part part;
	} kinds[] = {
		{ "skills", TAKES_SKILLS },
		{ "agents", TAKES_AGENTS },
		{ "commands", TAKES_COMMANDS },
		{ "files", TAKES_FILES },
	};

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (!strcmp(resource, kinds[i].name))
			return takes(p, kinds[i].part);
	return false;
}

static void
add_resources(struct preamble *p)
{
	struct list list = {
		.preamble = p,
		.title = "Caller-declared resources for this session"
	};
	json_t *resources = json_object_get(p->profile, "resources"), *value;
	const char *name;
	size_t i;

	json_array_foreach (resources, i, value)
		add_named(&list, value);
	json_object_foreach (resources, name, value)
		if (!is_taken(p, name))
			add_name(&list, name);
}

static void
add_permissions(struct preamble *p)
{
	struct list list = { .preamble = p,
			     .title = "Requested permission posture" };
	json_t *value;
	const char *tool;

	json_object_foreach (json_object_get(p->profile, "permissions"), tool,
			     value)
		if (json_is_string(value) &&
		    (!takes(p, TAKES_PERMISSIONS) ||
		     !profile_takes_rule(p->takes, tool, value)))
			add_word(&list, tool, "=", json_string_value(value));
}

/* Of some uses of a tool: "bash(git *)=allow". */
static void
add_patterns(struct list *list, const char *tool, json_t *patterns)
{
	json_t *value;
	const char *pattern;

	json_object_foreach (patterns, pattern, value) {
		auto_free char *use = copy_format("%s(%s)", tool, pattern);

		if (json_is_string(value))
			add_word(list, use, "=", json_string_value(value));
	}
}

static void
add_tools(struct preamble *p)
{
	struct list list = { .preamble = p, .title = "Requested tools" };
	json_t *value;
	const char *tool;

	json_object_foreach (json_object_get(p->profile, "tools"), tool, value)
		if (json_is_boolean(value) &&
		    (!takes(p, TAKES_TOOLS) ||
		     !profile_takes_rule(p->takes, tool, value)))
			add_word(&list, tool, "=",
				 json_is_true(value) ? "on" : "off");
	json_object_foreach (json_object_get(p->profile, "permissions"), tool,
			     value)
		if (!takes(p, TAKES_PERMISSIONS) ||
		    !profile_takes_rule(p->takes, tool, value))
			add_patterns(&list, tool, value);
}

/* A text, an object with a content, or an array of these. */
static void
add_instructions(struct preamble *p, const json_t *value)
{
	const json_t *one;
	size_t i;

	if (json_is_string(value))
		add_section(p, (struct str){ json_string_value(value),
					     json_string_length(value) });
	else if (json_is_object(value))
		add_section(p, json_str(value, "content"));
	json_array_foreach (value, i, one)
		add_instructions(p, one);
}

static const char *
kind_of(const json_t *file)
{
	switch (json_integer_value(json_object_get(file, "part"))) {
	case PART_SKILLS:
		return "a skill";
	case PART_AGENTS:
		return "the instructions of a subagent";
	case PART_COMMANDS:
		return "a command";
	default:
		return "a file";
	}
}

static void
add_files(struct preamble *p, const char *directory)
{
	json_t *files = profile_files(p->profile), *file;
	bool has_begun = false;
	size_t i;

	json_array_foreach (files, i, file) {
		json_int_t part =
			json_integer_value(json_object_get(file, "part"));
		const char *about = json_text(file, "about");

		if (p->takes->parts & (1u << part))
			continue;
		if (!has_begun) {
			begin(p);
			buf_put(&p->text, STR("Files of this session, which "
					      "are not a part of the working "
					      "directory, are in "));
			buf_put(&p->text, str_of(directory));
			buf_put(&p->text, STR(":"));
		}
		has_begun = true;
		buf_put(&p->text, STR("\n- "));
		buf_put(&p->text, json_str(file, "path"));
		buf_print(&p->text, ": %s", kind_of(file));
		if (strcmp(about, json_text(file, "name")) != 0) {
			buf_put(&p->text, STR(": "));
			buf_put(&p->text, str_of(about));
		}
	}
	json_decref(files);
}

char *
preamble_of(const json_t *profile, const struct profile_takes *taken,
	    const char *directory)
{
	struct preamble p = { .text = BUF_INIT(MAX_PREAMBLE),
			      .profile = profile,
			      .takes = taken };
	const json_t *resources = json_object_get(profile, "resources");
	const json_t *prompt = json_object_get(profile, "prompt");
	char *text;

	if (!takes(&p, TAKES_SYSTEM))
		add_section(&p, profile_system(profile));
	add_skills(&p);
	add_servers(&p);
	add_resources(&p);
	add_permissions(&p);
	add_section(&p, profile_text(profile, "prompt.appendSystemPrompt"));
	add_instructions(&p, json_object_get(prompt, "instructions"));
	add_instructions(&p, json_object_get(resources, "instructions"));
	add_tools(&p);
	if (directory)
		add_files(&p, directory);
	text = p.text.len ? copy(buf_str(&p.text)) : NULL;
	buf_fini(&p.text);
	return text;
}
