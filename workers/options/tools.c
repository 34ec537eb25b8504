#include "workers/options/tools.h"

#include <stdio.h>

#include "proto/buf.h"
#include "proto/limits.h"
#include "workers/io/hash.h"
#include "workers/io/json.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

static bool
fail(const char *where, size_t i, const char *what, struct error *e)
{
	return fail_about(e, ERR_INVALID, "%s[%zu]%s", where, i, what);
}

static bool
is_name(const char *name)
{
	size_t len = name ? strlen(name) : 0;

	return len && len <= MAX_TOOL_NAME &&
	       strspn(name, LETTERS "_-.:/") == len;
}

/* A CLI may drop all tools of a request if the schema of one is of no type. */
static json_t *
schema_of(const json_t *said)
{
	json_t *schema = json_is_object(said) ? json_copy((json_t *)said)
					      : json_object();

	json_object_set_new(schema, "type", json_string("object"));
	if (!json_is_object(json_object_get(schema, "properties")))
		json_object_set_new(schema, "properties", json_object());
	return schema;
}

static bool
read_function(const char *where, size_t i, const json_t *f, json_t *all,
	      json_t *names, struct error *e)
{
	const char *name = json_text(f, "name");
	json_t *parameters = json_object_get(f, "parameters");
	json_t *description = json_object_get(f, "description");

	if (!is_name(name))
		return fail(where, i,
			    ".function.name: must be 1 to 128 characters of "
			    "A-Z, a-z, 0-9, _, -, ., : and /",
			    e);
	if (json_object_get(names, name))
		return fail(where, i,
			    ".function.name: another tool has that name", e);
	if (parameters && !json_is_object(parameters) &&
	    !json_is_null(parameters))
		return fail(where, i, ".function.parameters: must be an object",
			    e);
	json_object_set_new(names, name, json_true());
	json_array_append_new(
		all,
		json_pack("{s:s, s:o, s:o}", "name", name, "description",
			  json_is_string(description) ? json_incref(description)
						      : json_string(""),
			  "parameters", schema_of(parameters)));
	return true;
}

/* Some clients leave "function" out, as the API of responses has it. */
static bool
read_tool(const char *where, size_t i, const json_t *tool, json_t *all,
	  json_t *names, json_t *others, struct error *e)
{
	const char *type = json_text(tool, "type");
	const json_t *f = json_object_get(tool, "function");
	auto_free char *place = copy_format("%s.%zu", where, i);

	if (!json_is_object(tool))
		return fail(where, i, ": must be an object", e);
	if (type && strcmp(type, "function") != 0) {
		json_object_set_new_nocheck(others, place, json_true());
		return true;
	}
	return read_function(where, i, f ? f : tool, all, names, e);
}

json_t *
tools_read(const char *where, const json_t *value, json_t *others,
	   struct error *e)
{
	json_t *all = json_array(), *names = json_object();
	const json_t *tool;
	bool ok = json_array_size(value) <= MAX_TOOLS;
	size_t i;

	if (!ok)
		fail_about(e, ERR_INVALID, "%s: at most %d are taken", where,
			   MAX_TOOLS);
	json_array_foreach (value, i, tool) {
		ok = ok && read_tool(where, i, tool, all, names, others, e);
		if (!ok)
			break;
	}
	json_decref(names);
	if (ok)
		return all;
	json_decref(all);
	return NULL;
}

bool
tools_read_choice(const char *where, const json_t *value,
		  enum tool_choice *choice, const char **name, struct error *e)
{
	static const char *const words[] = {
		[TOOL_CHOICE_AUTO] = "auto",
		[TOOL_CHOICE_NONE] = "none",
		[TOOL_CHOICE_REQUIRED] = "required",
	};
	const char *word = json_string_value(value);

	for (size_t i = 0; word && i < sizeof words / sizeof *words; i++)
		if (!strcmp(word, words[i])) {
			*choice = (enum tool_choice)i;
			return true;
		}
	if (str_is(json_str(value, "type"), "allowed_tools")) {
		*choice = TOOL_CHOICE_ALLOWED;
		return true;
	}
	*name = json_text(json_object_get(value, "function"), "name");
	*name = *name ? *name : json_text(value, "name");
	*choice = TOOL_CHOICE_NAMED;
	return *name || fail_about(e, ERR_INVALID,
				   "%s: must be none, auto, required or "
				   "{\"type\":\"function\",\"function\":"
				   "{\"name\":...}}",
				   where);
}

enum { HASH_LETTERS = 8 };

char *
tool_marked_name(const char *name, size_t max)
{
	size_t kept = strlen(name);
	struct hash h = HASH_INIT;
	char *told;

	hash_add(&h, str_of(name));
	if (kept > max - HASH_LETTERS - 1)
		kept = max - HASH_LETTERS - 1;
	told = copy_format("%.*s_%08x", (int)kept, name,
			   (unsigned)hash_value(&h));
	for (size_t i = 0; i < kept; i++)
		if (!strchr(LETTERS "_-", told[i]))
			told[i] = '_';
	return told;
}

char *
tool_told_name(const char *name, size_t max)
{
	size_t len = strlen(name);

	return len <= max && strspn(name, LETTERS "_-") == len
		       ? copy(str_of(name))
		       : tool_marked_name(name, max);
}

char *
call_arguments(const json_t *arguments)
{
	if (!arguments || json_is_null(arguments))
		return copy(STR("{}"));
	return json_dumps(arguments, JSON_COMPACT | JSON_ENCODE_ANY);
}

const json_t *
tools_find_told(const json_t *tools, const char *told, size_t max)
{
	const json_t *tool;
	size_t i;

	json_array_foreach (tools, i, tool) {
		auto_free char *name =
			tool_told_name(json_text(tool, "name"), max);

		if (!strcmp(name, told))
			return tool;
	}
	return NULL;
}

json_t *
tools_greeting(const json_t *params)
{
	const char *version = json_text(params, "protocolVersion");

	return json_pack("{s:s, s:{s:{s:b}}, s:{s:s, s:s}}", "protocolVersion",
			 version ? version : "2025-06-18", "capabilities",
			 "tools", "listChanged", 1, "serverInfo", "name",
			 CLIENT_SERVER, "version", "1");
}
