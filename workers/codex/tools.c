#include "workers/codex/codex.h"

#include "workers/options/tools.h"

/*
 * The caller's tools are "dynamic tools" of the thread, in a namespace of their
 * own, because a tool with the name of one of Codex's would never be called.
 * Codex asks for a call by a request, and waits for the answer without a limit.
 * Its raw events tell what the vendor's answer consists of, and when that is
 * complete: so all calls of it are known.
 *
 * A thread keeps the tools that it was begun with.
 */

#define NAMESPACE CLIENT_SERVER

enum {
	MAX_NAME_TOLD =
		64, /* of vendors: a name with its namespace is longer */

	/* Codex cuts a schema that is longer: it leaves out all descriptions in
	 * it. */
	MAX_SCHEMA = 4000,

	/* Of all results, or else Codex would leave out the middle of what is
	 * longer than 10 kB. */
	MAX_RESULT_TOKENS = 10000000,

	QUIET_MS = 500, /* where the end of an answer is not told: until the
			 * calls that have come are told, if no other comes */
	LATE_MS = 2000, /* behind the end, for a call that must come */
};

/* Codex refuses all tools of a thread if the name of one begins so. */
#define RESERVED "mcp__"

static void on_settled(struct timer *);

/* The caller frees it. */
static char *
told_name(const json_t *tool)
{
	const char *name = json_text(tool, "name");
	bool is_reserved = !strncmp(name, RESERVED, sizeof RESERVED - 1);
	auto_free char *other =
		copy_format("%s%s", is_reserved ? "." : "", name);

	return tool_told_name(other, MAX_NAME_TOLD);
}

static const json_t *
find_told(const struct conversation *c, const char *told)
{
	const json_t *tool;
	size_t i;

	json_array_foreach (c->options.tools, i, tool) {
		auto_free char *name = told_name(tool);

		if (!strcmp(name, told))
			return tool;
	}
	return NULL;
}

/* What Codex would cut from a schema the model can read in the description. */
static json_t *
description_of(const json_t *tool)
{
	auto_free char *schema =
		json_dumps(json_object_get(tool, "parameters"), JSON_COMPACT);
	struct str said = json_str(tool, "description");
	auto_free char *both = NULL;

	if (!schema || strlen(schema) < MAX_SCHEMA)
		return json_incref(json_object_get(tool, "description"));
	both = copy_format(STR_FMT "\n\nIts parameters, as a JSON Schema: %s",
			   STR_ARG(said), schema);
	return json_string(both);
}

static json_t *
list_of(const struct conversation *c)
{
	json_t *all = json_array();
	const json_t *tool;
	size_t i;

	json_array_foreach (options_offered(&c->options), i, tool) {
		auto_free char *name = told_name(tool);

		json_array_append_new(
			all, json_pack("{s:s, s:s, s:o, s:O}", "type",
				       "function", "name", name, "description",
				       description_of(tool), "inputSchema",
				       json_object_get(tool, "parameters")));
	}
	return all;
}

/* In thread/start. */
void
codex_add_tools(const struct conversation *c, json_t *params)
{
	struct codex *own = c->own;

	if (!c->options.tools)
		return;
	own->is_raw = true;
	json_object_set_new(params, "experimentalRawEvents", json_true());
	if (json_array_size(options_offered(&c->options)))
		json_object_set_new(
			params, "dynamicTools",
			json_pack("[{s:s, s:s, s:s, s:o}]", "type", "namespace",
				  "name", NAMESPACE, "description",
				  "Tools of the user's own program.", "tools",
				  list_of(c)));
	if (options_replace_tools(&c->options))
		json_object_set_new(params, "environments", json_array());
}

/* In the settings of a thread. */
void
codex_set_up_tools(const struct conversation *c, json_t *settings)
{
	static const char *const features[] = {
		"features.shell_tool", "features.unified_exec",
		"features.view_image", "tools.view_image",
		"features.goals",      "features.multi_agent",
		"features.plugins",
	};

	if (c->options.tools)
		json_object_set_new(settings, "tool_output_token_limit",
				    json_integer(MAX_RESULT_TOKENS));
	if (!options_replace_tools(&c->options))
		return;
	json_object_set_new(settings, "web_search", json_string("disabled"));
	for (size_t i = 0; i < sizeof features / sizeof *features; i++)
		json_object_set_new(settings, features[i], json_false());
}

static size_t
place_of(const json_t *call, const json_t *ids)
{
	size_t i;
	json_t *id;

	json_array_foreach (ids, i, id)
		if (json_equal(id, json_object_get(call, "cli")))
			break;
	return i;
}

/* The calls that the client has not been told of, in the model's order: Codex
 * asks for several at once, and in any order. */
static json_t *
untold(const struct codex *own)
{
	json_t *all = json_array(), *call;
	size_t i, at;

	json_array_foreach (own->calls, i, call) {
		if (json_object_get(call, "is_told"))
			continue;
		for (at = 0; at < json_array_size(all); at++)
			if (place_of(json_array_get(all, at), own->expected) >
			    place_of(call, own->expected))
				break;
		json_array_insert(all, at, call);
	}
	return all;
}

static void
park(struct conversation *c, json_t *calls)
{
	struct codex *own = c->own;
	struct usage usage = own->usage;
	json_t *told = json_deep_copy(calls), *call;
	size_t i;

	json_array_foreach (calls, i, call)
		json_object_set_new(call, "is_told", json_true());
	loop_unset(c->instance->loop, &own->settle);
	own->is_parked = true;
	own->is_complete = false;
	json_decref(own->expected);
	own->expected = NULL;
	own->usage = (struct usage){ 0 };
	conversation_park(c, told, &usage,
			  own->answering ? own->answering : own->model);
}

/* Calls that have come, but are not told as long as others may come. */
static void
hold_on(struct conversation *c, uint64_t ms)
{
	struct codex *own = c->own;

	own->caller = c;
	loop_set(c->instance->loop, &own->settle, ms, on_settled);
}

static bool
may_park(const struct codex *own)
{
	return !own->is_parked && !own->is_stopping && !own->is_alone;
}

static void
on_settled(struct timer *timer)
{
	struct codex *own = container_of(timer, struct codex, settle);
	json_t *calls = untold(own);

	if (json_array_size(calls) && may_park(own))
		park(own->caller, calls);
	json_decref(calls);
}

/*
 * All calls of an answer are told together.  A thread that was opened again
 * does not say which these are, nor when the answer has ended: there those are
 * told that Codex asks for within a moment, and others that come later next.
 */
static void
park_if_complete(struct conversation *c)
{
	struct codex *own = c->own;
	json_t *calls = untold(own);
	size_t n = json_array_size(calls);

	if (n && may_park(own)) {
		if (own->is_raw && own->is_complete &&
		    n >= json_array_size(own->expected))
			park(c, calls);
		else if (!own->is_raw || own->is_complete)
			hold_on(c, own->is_raw ? LATE_MS : QUIET_MS);
	}
	json_decref(calls);
}

/* A call that Codex refuses by itself never comes. */
static bool
is_expected(const struct conversation *c, const json_t *item)
{
	const char *type = json_text(item, "type");
	const char *space = json_text(item, "namespace");
	const char *name = json_text(item, "name");
	struct str said = json_str(item, "arguments");
	json_t *arguments;
	bool ok;

	if (!type || strcmp(type, "function_call") != 0 || !space ||
	    strcmp(space, NAMESPACE) != 0 || !name || !find_told(c, name))
		return false;
	arguments = json_loadb(said.ptr, said.len, JSON_DECODE_ANY, NULL);
	ok = arguments != NULL;
	json_decref(arguments);
	return ok;
}

void
codex_on_raw_item(struct conversation *c, const json_t *params)
{
	struct codex *own = c->own;
	const json_t *item = json_object_get(params, "item");

	if (!is_expected(c, item))
		return;
	if (!own->expected)
		own->expected = json_array();
	json_array_append(own->expected, json_object_get(item, "call_id"));
}

void
codex_on_raw_response(struct conversation *c, const json_t *params)
{
	struct codex *own = c->own;

	if (!own->is_raw)
		return;
	codex_add_usage(own, json_object_get(params, "usage"));
	own->is_complete = own->expected || json_array_size(own->calls);
	park_if_complete(c);
}

void
codex_drop_calls(struct conversation *c)
{
	struct codex *own = c->own;

	if (timer_is_set(&own->settle))
		loop_unset(c->instance->loop, &own->settle);
	json_decref(own->calls);
	json_decref(own->expected);
	own->calls = own->expected = NULL;
	own->is_parked = own->is_complete = false;
}

static struct conversation *
caller_of(struct instance *inst, const json_t *params)
{
	struct conversation *c =
		instance_conversation(inst, json_text(params, "threadId"));

	return c && codex_is_turn(c->own, params) ? c : NULL;
}

/* The request withholds its tools, and the thread has them all the same. */
static void
refuse_call(struct conversation *c, const json_t *id)
{
	rpc_answer(codex_rpc(c), id,
		   json_pack("{s:[{s:s, s:s}], s:b}", "contentItems", "type",
			     "inputText", "text",
			     "The user wants this answer without any call of "
			     "this tool: answer with what you know.",
			     "success", 0));
}

/* False: the call is of no turn of ours. */
bool
codex_on_call(struct instance *inst, const json_t *id, const json_t *params)
{
	struct conversation *c = caller_of(inst, params);
	struct codex *own = c ? c->own : NULL;
	const char *told = json_text(params, "tool");
	const json_t *tool = c && told ? find_told(c, told) : NULL;
	auto_free char *arguments =
		call_arguments(json_object_get(params, "arguments"));

	if (!c)
		return false;
	if (!tool) {
		refuse_call(c, id);
		return true;
	}
	if (!own->calls)
		own->calls = json_array();
	json_array_append_new(
		own->calls, json_pack("{s:O, s:O, s:O, s:s}", "request", id,
				      "cli", json_object_get(params, "callId"),
				      "name", json_object_get(tool, "name"),
				      "arguments", arguments));
	park_if_complete(c);
	return true;
}

/* Results */

static bool
add_text(void *to, const json_t *part, struct error *e)
{
	json_array_append_new(to,
			      json_pack("{s:s, s:O}", "type", "inputText",
					"text", json_object_get(part, "text")));
	return true;
}

static bool
add_image(void *to, const json_t *part, struct error *e)
{
	auto_free char *url = codex_image_url(part);

	json_array_append_new(to, json_pack("{s:s, s:s}", "type", "inputImage",
					    "imageUrl", url));
	return true;
}

static json_t *
told_result(const json_t *result, struct error *e)
{
	static const struct part_handlers handlers = {
		.text = add_text,
		.image = add_image,
		.image_url = add_image,
	};
	json_t *items = json_array();
	bool is_error = json_is_true(json_object_get(result, "is_error"));

	if (!parts_say(json_object_get(result, "content"), &handlers, items,
		       e)) {
		json_decref(items);
		return NULL;
	}
	return json_pack("{s:o, s:b}", "contentItems", items, "success",
			 !is_error);
}

static void
answer_call(struct conversation *c, const json_t *result)
{
	struct codex *own = c->own;
	json_t *told, *call;
	struct error e = { 0 };
	size_t i;

	json_array_foreach (own->calls, i, call) {
		if (!json_equal(json_object_get(call, "cli"),
				json_object_get(result, "id")))
			continue;
		told = told_result(result, &e);
		if (told)
			rpc_answer(codex_rpc(c),
				   json_object_get(call, "request"), told);
		else
			rpc_refuse(codex_rpc(c),
				   json_object_get(call, "request"), -32603,
				   e.text);
	}
}

/* What the user says beside them is taken into the turn that goes on. */
static void
steer(struct conversation *c)
{
	struct codex *own = c->own;
	bool as_item = false;
	json_t *input = codex_make_inert(codex_input(c), NULL, &as_item);

	if (as_item)
		rpc_ask(codex_rpc(c), "thread/inject_items",
			json_pack("{s:s, s:[o]}", "threadId", c->cli_id,
				  "items", codex_item_of_input(input)),
			NULL, NULL);
	else
		rpc_ask(codex_rpc(c), "turn/steer",
			json_pack("{s:s, s:s, s:O}", "threadId", c->cli_id,
				  "expectedTurnId", own->turn, "input", input),
			NULL, NULL);
	json_decref(input);
}

void
codex_answer(struct conversation *c)
{
	struct codex *own = c->own;
	const json_t *result;
	json_t *left;
	size_t i;

	own->is_parked = own->has_text = false;
	if (json_array_size(c->messages))
		steer(c);
	json_array_foreach (c->results, i, result)
		answer_call(c, result);
	left = untold(own);
	json_decref(own->calls);
	own->calls = left;
	park_if_complete(c);
}
