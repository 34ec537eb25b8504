#include "workers/cli/mcp.h"

#include <stdio.h>

#include "proto/buf.h"
#include "workers/capabilities.h"
#include "workers/io/json.h"
#include "workers/options/tools.h"

static const struct {
	const char *type;
	enum capability needs;
} types[] = {
	{ "stdio", CAN_MCP_STDIO },
	{ "http", CAN_MCP },
	{ "sse", CAN_MCP_SSE },
};

bool
mcp_has_url(const json_t *server)
{
	return json_object_get(server, "url") != NULL;
}

uint64_t
mcp_call_ms(const json_t *server)
{
	json_int_t said =
		json_integer_value(json_object_get(server, "timeout"));

	return said > 0 ? (uint64_t)said : MCP_CALL_MS;
}

static json_t *
quote_text(const json_t *text, const char *dollar)
{
	struct str part,
		rest = { json_string_value(text), json_string_length(text) };
	auto_free char *to = xcalloc(rest.len + 1, strlen(dollar));
	char *end = to;

	while (rest.ptr) {
		part = str_cut(rest, '$', &rest);
		end = mempcpy(end, part.ptr, part.len);
		if (rest.ptr)
			end = stpcpy(end, dollar);
	}
	return json_string(to);
}

json_t *
mcp_quote(const json_t *value, const char *dollar)
{
	json_t *copied, *member;
	const char *name;
	void *next;
	size_t i;

	if (json_is_string(value))
		return quote_text(value, dollar);
	copied = json_copy((json_t *)value);
	json_array_foreach (copied, i, member)
		json_array_set_new(copied, i, quote_text(member, dollar));
	json_object_foreach_safe(copied, next, name, member)
		json_object_set_new(copied, name, quote_text(member, dollar));
	return copied;
}

json_t *
mcp_pairs(const json_t *texts, const char *dollar)
{
	json_t *quoted = mcp_quote(texts, dollar);
	json_t *pairs = json_array(), *text;
	const char *name;

	json_object_foreach (quoted, name, text)
		json_array_append_new(pairs, json_pack("{s:s, s:O}", "name",
						       name, "value", text));
	json_decref(quoted);
	return pairs;
}

static bool
fail_for(const char *harness, const char *name, enum capability lacks,
	 struct error *e)
{
	return fail_about(e, ERR_UNSUPPORTED, "mcp.mcpServers.%s: %s %s", name,
			  harness, capability_refusal(lacks));
}

bool
mcp_check(const struct options *o, const char *harness, uint64_t can,
	  struct error *e)
{
	const char *name;
	json_t *server;

	if (o->tools && json_object_get(o->servers, CLIENT_SERVER))
		return fail_about(e, ERR_INVALID,
				  "mcp.mcpServers." CLIENT_SERVER
				  ": the caller's tools are offered as those "
				  "of a server of that name: give this one "
				  "another");
	json_object_foreach ((json_t *)o->servers, name, server) {
		const char *type = json_text(server, "type");

		if (!(can & CAN_MCP))
			return fail_for(harness, name, CAN_MCP, e);
		for (size_t i = 0; i < sizeof types / sizeof *types; i++)
			if (!strcmp(type, types[i].type) &&
			    !(can & types[i].needs))
				return fail_for(harness, name, types[i].needs,
						e);
	}
	return true;
}

/* Of an object of texts. */
static bool
has_value_of(const char *words, const json_t *texts)
{
	const char *key;
	json_t *text;

	json_object_foreach ((json_t *)texts, key, text)
		if (json_string_length(text) &&
		    strstr(words, json_string_value(text)))
			return true;
	return false;
}

/* A token may be in the query of a URL, or an argument. */
static bool
has_secret(const char *words, const json_t *servers)
{
	const char *name;
	json_t *server, *argument;
	size_t i;

	json_object_foreach ((json_t *)servers, name, server) {
		const char *url = json_text(server, "url");
		const char *query = url ? strchr(url, '?') : NULL;

		if (has_value_of(words, json_object_get(server, "env")) ||
		    has_value_of(words, json_object_get(server, "headers")) ||
		    (query && strstr(words, query)))
			return true;
		json_array_foreach (json_object_get(server, "args"), i,
				    argument)
			if (json_string_length(argument) &&
			    strstr(words, json_string_value(argument)))
				return true;
	}
	return false;
}

bool
mcp_fail(const struct options *o, const char *harness, const char *name,
	 const char *why, struct error *e)
{
	if (why && (!*why || has_secret(why, o->servers)))
		why = NULL;
	return fail_about(e, ERR_MCP,
			  "mcp.mcpServers.%s: %s could not use this MCP "
			  "server%s%s",
			  name, harness, why ? ": " : "", why ? why : "");
}

void
mcp_explain_wait(const struct options *o, struct error *e)
{
	struct buf names = BUF_INIT(MAX_ERROR_TEXT);
	const char *name;
	json_t *server;
	size_t len = strlen(e->text);

	json_object_foreach ((json_t *)o->servers, name, server)
		buf_print(&names, "%s%s", names.len ? ", " : "", name);
	if (names.len)
		snprintf(e->text + len, sizeof e->text - len,
			 "; it may have waited for one of its MCP "
			 "servers: " STR_FMT,
			 STR_ARG(buf_str(&names)));
	buf_fini(&names);
}
