#include "workers/options/servers.h"

#include <stdio.h>

#include "proto/buf.h"
#include "proto/limits.h"
#include "workers/io/json.h"

/* Where the reader is: "mcp.mcpServers" and "files". */
struct place {
	const char *where, *name;
};

static bool
fail_at(const struct place *p, const char *field, const char *must,
	struct error *e)
{
	return fail_about(e, ERR_INVALID, "%s.%s%s%s: must be %s", p->where,
			  p->name, field ? "." : "", field ? field : "", must);
}

static bool
is_text(const json_t *value)
{
	size_t len = json_string_length(value);

	return len && strlen(json_string_value(value)) == len;
}

static bool
is_text_or_empty(const json_t *value)
{
	return json_is_string(value) &&
	       strlen(json_string_value(value)) == json_string_length(value);
}

/* Names of servers become parts of the names of tools, which have limits of
 * their own: the strictest CLI takes these. */
static bool
check_name(const struct place *p, struct error *e)
{
	size_t len = strlen(p->name);

	if (len && len <= MAX_SERVER_NAME &&
	    strspn(p->name, "abcdefghijklmnopqrstuvwxyz"
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "0123456789_-") == len &&
	    !strstr(p->name, "__"))
		return true;
	return fail_about(e, ERR_INVALID,
			  "%s: the name \"%.80s\" must be 1 to %d "
			  "characters of A-Z, a-z, 0-9, - and _, without __",
			  p->where, p->name, MAX_SERVER_NAME);
}

/* Copies an object of texts, {} if it is not there. */
static bool
take_texts(const struct place *p, const json_t *spec, const char *field,
	   json_t *to, struct error *e)
{
	json_t *texts = json_object_get(spec, field), *value;
	const char *key;

	if (texts && !json_is_null(texts) && !json_is_object(texts))
		return fail_at(p, field, "an object of texts", e);
	json_object_foreach (texts, key, value)
		if (!*key || !is_text_or_empty(value))
			return fail_at(p, field, "an object of texts", e);
	json_object_set_new(to, field,
			    json_is_object(texts) ? json_copy(texts)
						  : json_object());
	return true;
}

static bool
take_arguments(const struct place *p, const json_t *spec, json_t *to,
	       struct error *e)
{
	json_t *args = json_object_get(spec, "args"), *value;
	size_t i;

	if (args && !json_is_null(args) && !json_is_array(args))
		return fail_at(p, "args", "an array of texts", e);
	json_array_foreach (args, i, value)
		if (!is_text_or_empty(value))
			return fail_at(p, "args", "an array of texts", e);
	json_object_set_new(to, "args",
			    json_is_array(args) ? json_copy(args)
						: json_array());
	return true;
}

static bool
take_program(const struct place *p, const json_t *spec, json_t *to,
	     struct error *e)
{
	json_t *command = json_object_get(spec, "command");

	if (!is_text(command))
		return fail_at(p, "command", "the name of a program", e);
	json_object_set_new(to, "type", json_string("stdio"));
	json_object_set(to, "command", command);
	return take_arguments(p, spec, to, e) &&
	       take_texts(p, spec, "env", to, e);
}

static bool
take_address(const struct place *p, const json_t *spec, const char *type,
	     json_t *to, struct error *e)
{
	json_t *url = json_object_get(spec, "url");
	struct str text = { json_string_value(url), json_string_length(url) };

	if (!is_text(url) || text.len > MAX_URL ||
	    (!str_starts(text, STR("http://")) &&
	     !str_starts(text, STR("https://"))))
		return fail_at(p, "url", "an http or https URL", e);
	json_object_set_new(to, "type", json_string(type));
	json_object_set(to, "url", url);
	return take_texts(p, spec, "headers", to, e);
}

/* Clients write "transport" for "type", and leave it out where it is clear. */
static bool
take_kind(const struct place *p, const json_t *spec, json_t *to,
	  struct error *e)
{
	const char *type = json_text(spec, "type");

	if (!type)
		type = json_text(spec, "transport");
	if (!type)
		type = json_object_get(spec, "url") ? "http" : "stdio";
	if (!strcmp(type, "streamable-http") ||
	    !strcmp(type, "streamable_http"))
		type = "http";
	if (!strcmp(type, "stdio"))
		return take_program(p, spec, to, e);
	if (!strcmp(type, "http") || !strcmp(type, "sse"))
		return take_address(p, spec, type, to, e);
	return fail_at(p, "type", "stdio, http or sse", e);
}

static bool
take_timeout(const struct place *p, const json_t *spec, json_t *to,
	     struct error *e)
{
	json_t *timeout = json_object_get(spec, "timeout");

	if (!timeout || json_is_null(timeout))
		return true;
	if (!json_is_integer(timeout) || json_integer_value(timeout) < 1 ||
	    json_integer_value(timeout) > INT32_MAX)
		return fail_at(p, "timeout", "a number of milliseconds", e);
	json_object_set(to, "timeout", timeout);
	return true;
}

/* A field that we do not know might be what keeps the server in check. */
static bool
check_fields(const struct place *p, const json_t *spec, struct error *e)
{
	static const char known[] = "type transport command args env url "
				    "headers timeout enabled disabled "
				    "description";
	const char *field;
	json_t *value;

	json_object_foreach ((json_t *)spec, field, value)
		if (!str_list_has(str_of(known), str_of(field)))
			return fail_about(e, ERR_UNSUPPORTED,
					  "%s.%s.%.80s: is not "
					  "known; what is: %s",
					  p->where, p->name, field, known);
	return true;
}

static bool
is_off(const json_t *spec)
{
	return json_is_false(json_object_get(spec, "enabled")) ||
	       json_is_true(json_object_get(spec, "disabled"));
}

static bool
take_server(const struct place *p, const json_t *spec, json_t *servers,
	    struct error *e)
{
	json_t *to;

	if (!check_name(p, e))
		return false;
	if (!json_is_object(spec))
		return fail_at(p, NULL, "an object", e);
	if (!check_fields(p, spec, e))
		return false;
	if (is_off(spec))
		return true;
	to = json_object();
	json_object_set_new(servers, p->name, to);
	return take_kind(p, spec, to, e) && take_timeout(p, spec, to, e);
}

json_t *
servers_of(const char *where, const json_t *specs, struct error *e)
{
	json_t *servers = json_object(), *spec;
	struct place p = { .where = where };
	size_t len = json_dumpb(specs, NULL, 0, JSON_COMPACT);
	bool ok = (json_object_size(specs) <= MAX_SERVERS &&
		   len <= MAX_SERVERS_BYTES) ||
		  fail_about(e, ERR_INVALID,
			     "%s: must be an object of at most %d servers and "
			     "%u bytes, and has %zu of them",
			     where, MAX_SERVERS, MAX_SERVERS_BYTES, len);

	json_object_foreach ((json_t *)specs, p.name, spec)
		if (ok)
			ok = take_server(&p, spec, servers, e);
	if (ok)
		return servers;
	json_decref(servers);
	return NULL;
}

json_t *
servers_read(const char *where, const json_t *value, struct error *e)
{
	const json_t *all = json_object_get(value, "mcpServers");
	auto_free char *place = copy_format("%s.mcpServers", where);

	if (json_is_object(all) && json_object_size(all) <= MAX_SERVERS)
		return servers_of(place, all, e);
	fail_about(
		e, ERR_INVALID,
		"%s: must be {\"mcpServers\": {...}} with at most %d servers",
		where, MAX_SERVERS);
	return NULL;
}
