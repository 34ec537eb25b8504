#include "workers/claude/claude.h"

#include <stdio.h>

/*
 * One JSON object a line, told apart by "type".  Text comes three times: as
 * deltas, in an `assistant` line for each block, and in the `result`; the
 * deltas are what counts.
 */

/* Text behind a use of tools begins anew. */
static void
on_text(struct talk *t, const json_t *delta)
{
	struct claude *c = t->state;
	const json_t *text = json_object_get(delta, "text");

	if (!json_string_length(text))
		return;
	if (c->used_tool && c->has_text)
		talk_text(t, STR("\n\n"));
	c->used_tool = false;
	c->has_text = true;
	talk_text(t, (struct str){ json_string_value(text),
				   json_string_length(text) });
}

static void
on_thinking(struct talk *t, const json_t *delta)
{
	const json_t *text = json_object_get(delta, "thinking");

	talk_reasoning(t, (struct str){ json_string_value(text),
					json_string_length(text) });
}

static void
on_delta(struct talk *t, const json_t *event)
{
	const json_t *delta = json_object_get(event, "delta");
	const char *type = json_text(delta, "type");

	if (type && !strcmp(type, "text_delta"))
		on_text(t, delta);
	else if (type && !strcmp(type, "thinking_delta"))
		on_thinking(t, delta);
}

static void
on_message_start(struct talk *t, const json_t *event)
{
	struct claude *c = t->state;
	const char *model =
		json_text(json_object_get(event, "message"), "model");

	if (model)
		snprintf(c->model, sizeof c->model, "%s", model);
}

/* The vendor's own event inside; those of sub-agents are not the answer. */
static bool
on_stream_event(struct talk *t, const json_t *line, struct error *e)
{
	const json_t *event = json_object_get(line, "event");
	const char *type = json_text(event, "type");

	if (!type || json_text(line, "parent_tool_use_id"))
		return true;
	if (!strcmp(type, "content_block_delta"))
		on_delta(t, event);
	else if (!strcmp(type, "message_start"))
		on_message_start(t, event);
	return true;
}

/* What the harness does by itself, for the caller to see. */

static void
on_tool_use(struct talk *t, const json_t *block)
{
	struct claude *c = t->state;

	c->used_tool = true;
	talk_tool(t,
		  json_pack("{s:s?, s:s?, s:O?}", "id", json_text(block, "id"),
			    "name", json_text(block, "name"), "arguments",
			    json_object_get(block, "input")));
}

static void
on_tool_result(struct talk *t, const json_t *block)
{
	json_t *content = json_object_get(block, "content");
	bool is_error = json_is_true(json_object_get(block, "is_error"));

	talk_tool(t, json_pack("{s:s?, s:O?, s:b}", "id",
			       json_text(block, "tool_use_id"), "result",
			       content, "is_error", is_error));
}

static void
each_block(struct talk *t, const json_t *line, const char *type,
	   void (*hear)(struct talk *, const json_t *))
{
	const json_t *content =
		json_object_get(json_object_get(line, "message"), "content");
	const json_t *block;
	size_t i;

	json_array_foreach (content, i, block) {
		const char *is = json_text(block, "type");

		if (is && !strcmp(is, type))
			hear(t, block);
	}
}

/* A line with an error is the CLI speaking, not the model. */
static bool
on_assistant(struct talk *t, const json_t *line, struct error *e)
{
	struct claude *c = t->state;
	const char *failure = json_text(line, "error");
	const char *uuid = json_text(line, "uuid");

	if (json_text(line, "parent_tool_use_id"))
		return true;
	if (failure) {
		snprintf(c->failure, sizeof c->failure, "%s", failure);
		return true;
	}
	if (uuid)
		snprintf(c->last_assistant, sizeof c->last_assistant, "%s",
			 uuid);
	each_block(t, line, "tool_use", on_tool_use);
	return true;
}

static bool
on_user(struct talk *t, const json_t *line, struct error *e)
{
	if (!json_text(line, "parent_tool_use_id"))
		each_block(t, line, "tool_result", on_tool_result);
	return true;
}

/*
 * The CLI is about to try again.  What has been said can't be taken back; and
 * how long a caller should wait is told nowhere else.
 */
static bool
on_retry(struct talk *t, const json_t *line)
{
	json_int_t status =
		json_integer_value(json_object_get(line, "error_status"));
	json_int_t delay =
		json_integer_value(json_object_get(line, "retry_delay_ms"));
	struct error why = { 0 };

	if (talk_has_spoken(t) && status) {
		fail_with(&why, ERR_TRUNCATED,
			  "claude: the vendor answered %d in the middle of the "
			  "turn",
			  (int)status);
	} else if (talk_has_spoken(t)) {
		fail_with(&why, ERR_TRUNCATED,
			  "claude: the vendor's stream broke off");
	} else if (status == 429) {
		fail_with(&why, ERR_RATE_LIMIT,
			  "claude: the vendor's rate limit is reached");
		why.retry_ms = (uint32_t)(delay > 0 ? delay : 0);
	}
	if (why.code)
		talk_abort(t, &why);
	return true;
}

static bool
on_system(struct talk *t, const json_t *line, struct error *e)
{
	const char *subtype = json_text(line, "subtype");

	if (subtype && !strcmp(subtype, "api_retry"))
		return on_retry(t, line);
	return true;
}

static bool
on_rate_limit(struct talk *t, const json_t *line, struct error *e)
{
	struct claude *c = t->state;
	const json_t *limit = json_object_get(line, "rate_limit_info");
	const char *status = json_text(limit, "status");

	c->resets_at = 0;
	if (status && !strcmp(status, "rejected"))
		c->resets_at =
			json_integer_value(json_object_get(limit, "resetsAt"));
	return true;
}

/* The end of a turn */

static double
cost_of(const json_t *result)
{
	json_t *models =
		json_object_get(result, "model_usage_since_last_result");
	json_t *model;
	const char *name;
	double cost = 0;

	json_object_foreach (models, name, model)
		cost += json_number_value(json_object_get(model, "costUSD"));
	return cost;
}

/*
 * Anthropic counts what came from its cache apart from input_tokens, OpenAI
 * counts it among prompt_tokens.  The cost is the CLI's own reckoning with
 * list prices, which a subscription does not pay.
 */
static json_t *
usage_of(const json_t *result)
{
	const json_t *u = json_object_get(result, "usage");
	json_int_t fresh =
		json_integer_value(json_object_get(u, "input_tokens"));
	json_int_t cached = json_integer_value(
		json_object_get(u, "cache_read_input_tokens"));
	json_int_t written = json_integer_value(
		json_object_get(u, "cache_creation_input_tokens"));
	json_int_t output =
		json_integer_value(json_object_get(u, "output_tokens"));
	json_int_t thought = json_integer_value(
		json_object_get(json_object_get(u, "output_tokens_details"),
				"thinking_tokens"));

	return json_pack(
		"{s:I, s:I, s:I, s:{s:I, s:I}, s:{s:I}, s:f, s:s}",
		"prompt_tokens", fresh + cached + written, "completion_tokens",
		output, "total_tokens", fresh + cached + written + output,
		"prompt_tokens_details", "cached_tokens", cached,
		"cache_write_tokens", written, "completion_tokens_details",
		"reasoning_tokens", thought, "cost_usd", cost_of(result),
		"cost_source", "claude_code_list_price");
}

static bool
is_stop_reason(const json_t *result, const char *reason)
{
	const char *is = json_text(result, "stop_reason");

	return is && !strcmp(is, reason);
}

static bool
is_failure(const struct claude *c, const char *word)
{
	return !strcmp(c->failure, word);
}

/* NULL if the turn went wrong. */
static const char *
finish_reason(const struct claude *c, const json_t *result)
{
	if (is_stop_reason(result, "refusal"))
		return "content_filter";
	if (is_failure(c, "max_output_tokens"))
		return "length";
	if (!json_is_false(json_object_get(result, "is_error")))
		return NULL;
	return is_stop_reason(result, "max_tokens") ? "length" : "stop";
}

/* Before it was ready there is one thing that it can have to say. */
static bool
is_lost(const json_t *result)
{
	const char *why = json_string_value(
		json_array_get(json_object_get(result, "errors"), 0));

	return why && strstr(why, "No conversation found");
}

/* The result of another message than ours is that of a turn that is over. */
static bool
is_ours(const struct claude *c, const json_t *result)
{
	const char *uuid = json_text(result, "user_message_uuid");

	return !uuid || !strcmp(uuid, c->uuid);
}

static bool
on_result(struct talk *t, const json_t *line, struct error *e)
{
	struct claude *c = t->state;
	const char *reason = finish_reason(c, line);
	struct error why = { 0 };

	if (is_lost(line)) {
		talk_lost(t);
		return true;
	}
	if (!is_ours(c, line))
		return true;
	if (reason && !c->has_text && !strcmp(reason, "stop")) {
		fail_with(&why, ERR_HARNESS,
			  "claude: the answer is empty (no stream output)");
		talk_fail(t, &why);
	} else if (reason) {
		if (c->last_assistant[0])
			talk_mark(t, c->last_assistant);
		talk_finish(t, reason, usage_of(line),
			    c->model[0] ? c->model : NULL);
	} else {
		claude_explain(c, line, talk_has_spoken(t), &why);
		talk_fail(t, &why);
	}
	return true;
}

/* Control */

static void
note_models(struct talk *t, const json_t *response)
{
	const json_t *models = json_object_get(response, "models"), *model;
	json_t *ids = json_array();
	size_t i;

	json_array_foreach (models, i, model) {
		json_t *value = json_object_get(model, "value");

		if (json_is_string(value))
			json_array_append(ids, value);
	}
	if (json_array_size(ids))
		talk_models(t, ids);
	else
		json_decref(ids);
}

/* A model that it has refused leaves it with the one that it had. */
static void
on_model_set(struct talk *t, const char *error)
{
	struct claude *c = t->state;
	struct error why = { 0 };

	if (!error) {
		free(c->said_model);
		c->said_model = c->asked_model;
		c->asked_model = NULL;
		if (c->prompt)
			claude_send_prompt(t);
		return;
	}
	if (!c->prompt)
		return;
	free(c->prompt);
	c->prompt = NULL;
	fail_with(&why, ERR_NO_MODEL, "claude: %s", error);
	talk_fail(t, &why);
}

/* Of the requests for a model only the last counts. */
static bool
on_control_response(struct talk *t, const json_t *line, struct error *e)
{
	struct claude *c = t->state;
	const json_t *response = json_object_get(line, "response");
	const char *id = json_text(response, "request_id");
	const char *error = json_text(response, "error");
	char last[32];

	snprintf(last, sizeof last, CLAUDE_MODEL_REQUEST, (uintmax_t)c->asked);
	if (id && !strcmp(id, "greet")) {
		if (error)
			return fail_with(e, ERR_HARNESS, "claude: %s", error);
		note_models(t, json_object_get(response, "response"));
		history_remove(t);
		talk_ready(t);
	} else if (id && !strcmp(id, last)) {
		on_model_set(t, error);
	}
	return true;
}

/* It asks whether it may use a tool: it may (see claude.c for when it asks).
 * Anything else that it could ask for we do not have. */
static bool
on_control_request(struct talk *t, const json_t *line, struct error *e)
{
	const json_t *request = json_object_get(line, "request");
	const char *subtype = json_text(request, "subtype");
	const char *id = json_text(line, "request_id");
	json_t *response;

	if (subtype && !strcmp(subtype, "can_use_tool"))
		response = json_pack("{s:s, s:s?, s:{s:s, s:O?}}", "subtype",
				     "success", "request_id", id, "response",
				     "behavior", "allow", "updatedInput",
				     json_object_get(request, "input"));
	else
		response = json_pack("{s:s, s:s?, s:s}", "subtype", "error",
				     "request_id", id, "error",
				     "not supported by this client");
	talk_write_json(t, json_pack("{s:s, s:o}", "type", "control_response",
				     "response", response));
	return true;
}

static const struct {
	const char *type;
	bool (*hear)(struct talk *, const json_t *, struct error *);
} events[] = {
	{ "stream_event", on_stream_event },
	{ "assistant", on_assistant },
	{ "user", on_user },
	{ "system", on_system },
	{ "rate_limit_event", on_rate_limit },
	{ "result", on_result },
	{ "control_response", on_control_response },
	{ "control_request", on_control_request },
};

/* It looks like an event, and yet jansson can't read it: half a character in
 * an escape, say.  What it had to say is missing from the answer. */
static bool
is_damaged(struct str line)
{
	return line.len > 1 && line.ptr[0] == '{' &&
	       line.ptr[line.len - 1] == '}';
}

/* What does not even look like JSON is a library's chatter, and no event. */
bool
claude_line(struct talk *t, struct str said, struct error *e)
{
	json_t *line = json_loadb(said.ptr, said.len, JSON_ALLOW_NUL, NULL);
	const char *type = json_text(line, "type");
	bool ok = true;

	if (!line && is_damaged(said))
		return fail_with(e, ERR_HARNESS,
				 "claude: a line that can't be read");
	for (size_t i = 0; type && i < sizeof events / sizeof *events; i++)
		if (!strcmp(type, events[i].type)) {
			ok = events[i].hear(t, line, e);
			break;
		}
	json_decref(line);
	return ok;
}
