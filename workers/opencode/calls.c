#include "workers/opencode/opencode.h"

#include "workers/cli/client_names.h"
#include "workers/options/tools.h"

/*
 * Calls of the caller's tools in a history that is imported.  For the caller a
 * result is a message of the user's, which follows that with the call; for
 * opencode it is in the part of the message that tells of the call.
 */

/* Behind the message `at`; NULL: there is none. */
static const json_t *
result_of(const json_t *history, size_t at, const json_t *call)
{
	const json_t *part;
	size_t i, k;

	for (i = at + 1; i < json_array_size(history); i++)
		json_array_foreach (
			json_object_get(json_array_get(history, i), "content"),
			k, part)
			if (text_is(json_text(part, "type"), "tool_result") &&
			    text_is(json_text(part, "id"),
				    json_text(call, "id")))
				return part;
	return NULL;
}

/* As the model is offered the tool now, if it still is. */
static char *
name_now(const struct conversation *c, const char *name)
{
	auto_free char *begin = servers_begin_of(c->own, CLIENT_SERVER);
	const json_t *tool;
	size_t i;

	json_array_foreach (c->options.tools, i, tool) {
		auto_free char *told = client_name(c->options.tools, i);

		if (text_is(json_text(tool, "name"), name))
			return copy_format("%s%s", begin, told);
	}
	return copy(str_of(name));
}

/* Its texts, as opencode joins them. */
static json_t *
text_of(const json_t *content)
{
	struct buf all = BUF_INIT(2 * MAX_BODY);
	const json_t *part;
	json_t *text;
	size_t i;

	json_array_foreach (content, i, part) {
		if (!text_is(json_text(part, "type"), "text"))
			continue;
		if (all.len)
			buf_put(&all, STR("\n\n"));
		buf_put(&all, json_str(part, "text"));
	}
	text = json_stringn(all.ptr ? all.ptr : "", all.len);
	buf_fini(&all);
	return text;
}

/* Its images and files, as parts. */
static json_t *
attachments_of(const struct conversation *c, const json_t *content,
	       const char *message)
{
	json_t *all = json_array(), *rest = json_array(), *part;
	struct error e = { 0 };
	size_t i;

	json_array_foreach ((json_t *)content, i, part)
		if (json_text(part, "data"))
			json_array_append(rest, part);
	if (!opencode_parts(all, rest, &e))
		json_array_clear(all); /* cannot be: see calls_can_tell() */
	json_decref(rest);
	json_array_foreach (all, i, part) {
		char id[MAX_OPENCODE_ID + 1];

		opencode_id(id, "prt", opencode_now() << 12);
		json_object_set_new(part, "id", json_string(id));
		json_object_set_new(part, "messageID", json_string(message));
		json_object_set_new(part, "sessionID", json_string(c->cli_id));
	}
	return all;
}

static json_t *
state_of(const struct conversation *c, const json_t *call, const json_t *result,
	 const char *message, json_int_t when)
{
	const json_t *content = json_object_get(result, "content");
	bool is_error =
		!result || json_is_true(json_object_get(result, "is_error"));
	json_t *state = json_pack("{s:s, s:o, s:{}, s:{s:I, s:I}}", "status",
				  is_error ? "error" : "completed", "input",
				  part_input(call), "metadata", "time", "start",
				  when, "end", when);

	if (is_error) {
		json_object_set_new(state, "error",
				    result ? text_of(content)
					   : json_string("it has no result"));
		return state;
	}
	json_object_set_new(state, "title", json_string(""));
	json_object_set_new(state, "output", text_of(content));
	json_object_set_new(state, "attachments",
			    attachments_of(c, content, message));
	return state;
}

json_t *
calls_part(const struct conversation *c, size_t at, const json_t *call,
	   const char *message, json_int_t when)
{
	const struct opencode *o = c->own;
	auto_free char *name = name_now(c, json_text(call, "name"));

	return json_pack("{s:s, s:O, s:s, s:o}", "type", "tool", "callID",
			 json_object_get(call, "id"), "tool", name, "state",
			 state_of(c, call, result_of(o->history, at, call),
				  message, when));
}

bool
calls_can_tell(const struct conversation *c, const json_t *part)
{
	const char *type = json_text(part, "type");
	const json_t *inner;
	size_t i;

	if (!c->client_tools)
		return false;
	if (text_is(type, "tool_call"))
		return true;
	if (!text_is(type, "tool_result"))
		return false;
	json_array_foreach (json_object_get(part, "content"), i, inner)
		if (!text_is(json_text(inner, "type"), "text") &&
		    !json_text(inner, "data"))
			return false;
	return true;
}

bool
calls_are_all(const json_t *message)
{
	const json_t *part;
	size_t i;

	json_array_foreach (json_object_get(message, "content"), i, part)
		if (!text_is(json_text(part, "type"), "tool_result"))
			return false;
	return true;
}
