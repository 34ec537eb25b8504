#include "workers/claude/claude.h"

#include <stdio.h>

/*
 * Each line is a JSON object with a "type".  Text comes three times: as deltas,
 * in an `assistant` line for each block, and in the `result`.  Only the deltas
 * are passed on.
 */

static bool
is_our_turn(const struct claude *own)
{
	return own->under_way == CLAUDE_OUR_TURN;
}

/* `status` is the vendor's HTTP status for the rest of the answer; 0: none. */
static void
abort_truncated(struct conversation *c, int status)
{
	struct error why = { 0 };

	if (status)
		fail_with(
			&why, ERR_TRUNCATED,
			"%s: the vendor answered %d in the middle of the turn",
			c->instance->name, status);
	else
		fail_with(&why, ERR_TRUNCATED,
			  "%s: the vendor's stream broke off",
			  c->instance->name);
	conversation_abort(c, &why);
}

static void
on_text(struct conversation *c, const json_t *delta)
{
	struct claude *own = c->own;

	paragraphs_say(&own->paragraphs, c, json_str(delta, "text"));
}

static void
on_thinking(struct conversation *c, const json_t *delta)
{
	const json_t *text = json_object_get(delta, "thinking");

	conversation_reasoning(c, (struct str){ json_string_value(text),
						json_string_length(text) });
}

/* The arguments of a tool come later as a whole, and the signature of a thought
 * is not for people: both are passed over. */
static const struct {
	const char *type;
	void (*hear)(struct conversation *, const json_t *);
} deltas[] = {
	{ "text_delta", on_text },    { "thinking_delta", on_thinking },
	{ "input_json_delta", NULL }, { "signature_delta", NULL },
	{ "citations_delta", NULL },
};

static void
on_delta(struct conversation *c, const json_t *event)
{
	const json_t *delta = json_object_get(event, "delta");
	const char *type = json_text(delta, "type");

	for (size_t i = 0; type && i < sizeof deltas / sizeof *deltas; i++)
		if (!strcmp(type, deltas[i].type)) {
			if (deltas[i].hear)
				deltas[i].hear(c, delta);
			return;
		}
	instance_unknown(c->instance, "delta", type ? type : "without a type");
}

/*
 * A message that begins after one that broke off: the CLI may have asked the
 * model to go on from there, but the model may say anything.  (An interrupt
 * breaks off a message as well, but no other follows.)
 */
static void
on_message_start(struct conversation *c, const json_t *event)
{
	struct claude *own = c->own;
	const char *model =
		json_text(json_object_get(event, "message"), "model");

	if (model && is_our_turn(own))
		snprintf(own->model, sizeof own->model, "%s", model);
	if (own->gave_up && is_our_turn(own) && conversation_has_spoken(c))
		abort_truncated(c, 0);
	own->gave_up = false;
}

/* Anthropic's names, of a turn as of one request. */
static const struct usage_names names_of_tokens = {
	.input = "input_tokens",
	.cached = "cache_read_input_tokens",
	.written = "cache_creation_input_tokens",
	.output = "output_tokens",
	.reasoning = "output_tokens_details.thinking_tokens",
	.caches_are_apart = true,
	.is_sum = true,
};

/* Hears the vendor's event in the line.  Events of sub-agents are not a part of
 * the answer. */
static bool
on_stream_event(struct conversation *c, const json_t *line, struct error *e)
{
	struct claude *own = c->own;
	const json_t *event = json_object_get(line, "event");
	const char *type = json_text(event, "type");

	if (!type || own->under_way == CLAUDE_NO_TURN ||
	    json_text(line, "parent_tool_use_id"))
		return true;
	if (!strcmp(type, "content_block_delta"))
		on_delta(c, event);
	else if (!strcmp(type, "message_start"))
		on_message_start(c, event);
	else if (!strcmp(type, "message_delta") && is_our_turn(own))
		usage_read_prompt(&own->prompts,
				  json_object_get(event, "usage"),
				  &names_of_tokens);
	else if (!strcmp(type, "message_stop"))
		own->gave_up = json_object_get(line, "abandoned_blocks");
	return true;
}

/* The CLI uses a tool of its own: the caller may see that. */

static void
on_tool_use(struct conversation *c, const json_t *block)
{
	struct claude *own = c->own;

	if (!claude_is_format_call(c, block) &&
	    !claude_is_call(json_text(block, "name")))
		block_tool_use(&own->paragraphs, c, block);
}

static void
on_tool_result(struct conversation *c, const json_t *block)
{
	if (!claude_is_format_call(c, block))
		block_tool_result(c, block);
}

static void
each_block(struct conversation *c, const json_t *line, const char *type,
	   void (*hear)(struct conversation *, const json_t *))
{
	const json_t *content =
		json_object_get(json_object_get(line, "message"), "content");
	const json_t *block;
	size_t i;

	json_array_foreach (content, i, block) {
		const char *is = json_text(block, "type");

		if (is && !strcmp(is, type))
			hear(c, block);
	}
}

/* A line with an error has words of the CLI, not of the model. */
static bool
on_assistant(struct conversation *c, const json_t *line, struct error *e)
{
	struct claude *own = c->own;
	const char *failure = json_text(line, "error");
	const char *uuid = json_text(line, "uuid");

	if (!is_our_turn(own) || json_text(line, "parent_tool_use_id"))
		return true;
	if (failure) {
		snprintf(own->failure, sizeof own->failure, "%s", failure);
		return true;
	}
	if (uuid)
		snprintf(own->last_assistant, sizeof own->last_assistant, "%s",
			 uuid);
	each_block(c, line, "tool_use", on_tool_use);
	return true;
}

static bool
on_user(struct conversation *c, const json_t *line, struct error *e)
{
	if (is_our_turn(c->own) && !json_text(line, "parent_tool_use_id"))
		each_block(c, line, "tool_result", on_tool_result);
	return true;
}

/*
 * The CLI is about to ask the vendor again.  A turn that has spoken cannot take
 * its words back, so it fails.  This line is the only one that says how long a
 * caller should wait.
 */
static void
on_retry(struct conversation *c, const json_t *line)
{
	json_int_t status =
		json_integer_value(json_object_get(line, "error_status"));
	json_int_t delay =
		json_integer_value(json_object_get(line, "retry_delay_ms"));
	struct error why = { 0 };

	if (conversation_has_spoken(c)) {
		abort_truncated(c, (int)status);
	} else if (status == 429) {
		fail_with(&why, ERR_RATE_LIMIT,
			  "%s: the vendor's rate limit is reached",
			  c->instance->name);
		why.retry_ms = (uint32_t)(delay > 0 ? delay : 0);
		conversation_abort(c, &why);
	}
}

static bool
on_system(struct conversation *c, const json_t *line, struct error *e)
{
	const char *subtype = json_text(line, "subtype");

	if (!subtype)
		return true;
	if (!strcmp(subtype, "api_retry") && is_our_turn(c->own))
		on_retry(c, line);
	else if (!strcmp(subtype, "background_tasks_changed"))
		conversation_background(
			c, (unsigned)json_array_size(
				   json_object_get(line, "tasks")));
	return true;
}

static bool
on_rate_limit(struct conversation *c, const json_t *line, struct error *e)
{
	struct claude *own = c->own;
	const json_t *limit = json_object_get(line, "rate_limit_info");
	const char *status = json_text(limit, "status");

	own->resets_at = 0;
	if (status && !strcmp(status, "rejected"))
		own->resets_at =
			json_integer_value(json_object_get(limit, "resetsAt"));
	return true;
}

/* The end of a turn */

/* What the CLI computes from prices that it has: a subscription does not pay
 * them, and it has none for models that it does not know. */
static void
read_cost(struct usage *u, const json_t *result)
{
	json_t *models =
		json_object_get(result, "model_usage_since_last_result");
	struct usage all = { 0 };
	json_t *model;
	const char *name;

	json_object_foreach (models, name, model) {
		const char *basis = json_text(model, "costBasis");

		if (basis && !strcmp(basis, "unknown"))
			return;
		usage_add_cost(
			&all,
			usage_read_dollars(json_object_get(model, "costUSD")),
			basis && !strcmp(basis, "managed")
				? "claude_code_managed_price"
				: "claude_code_list_price");
	}
	u->cost = all.cost;
	u->cost_source = all.cost_source;
}

static struct usage
usage_of(const struct claude *own, const json_t *result)
{
	struct usage u = own->prompts;

	usage_read(&u, json_object_get(result, "usage"), &names_of_tokens);
	read_cost(&u, result);
	return u;
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

/* FINISH_NONE if the turn failed. */
static enum finish_reason
finish_reason(const struct claude *c, const json_t *result)
{
	if (is_stop_reason(result, "refusal"))
		return FINISH_CONTENT_FILTER;
	if (is_failure(c, "max_output_tokens"))
		return FINISH_LENGTH;
	if (!json_is_false(json_object_get(result, "is_error")))
		return FINISH_NONE;
	return is_stop_reason(result, "max_tokens") ? FINISH_LENGTH
						    : FINISH_STOP;
}

/*
 * A start that fails ends with a result as well.  What is resumed may be there
 * and not be found, may be damaged, or in use: whatever the CLI says of it, the
 * conversation is lost to us.
 */
static void
fail_start(struct conversation *c, const json_t *result)
{
	struct error why = { 0 };

	if (c->resumed) {
		conversation_lost(c);
		return;
	}
	claude_explain(c, result, &why);
	conversation_fail(c, &why);
}

static void
end_turn(struct conversation *c, const json_t *line)
{
	struct claude *own = c->own;
	enum finish_reason reason = finish_reason(own, line);
	const json_t *json = json_object_get(line, "structured_output");
	struct usage usage = usage_of(own, line);
	bool is_deferred = claude_is_deferred(own, line);
	json_t *calls;
	struct error why = { 0 };

	if (is_deferred)
		reason = FINISH_TOOL_CALLS;
	else if (json && reason)
		conversation_structured(c, json);
	else if (claude_has_no_format(c, line, &why))
		reason = FINISH_NONE;
	else if (reason == FINISH_STOP && !own->paragraphs.has_text) {
		fail_with(&why, ERR_HARNESS,
			  "%s: the answer is empty (no stream output)",
			  c->instance->name);
	} else if (!reason) {
		claude_explain(c, line, &why);
	}
	own->format_call[0] = '\0';
	calls = own->calls;
	own->calls = NULL;
	whose_end(c);
	own->was_said = own->recalled = false;
	if (is_deferred) {
		conversation_park(c, calls, &usage,
				  own->model[0] ? own->model : NULL);
		return;
	}
	json_decref(calls);
	if (why.code) {
		conversation_fail(c, &why);
		return;
	}
	if (own->last_assistant[0])
		conversation_mark(c, own->last_assistant);
	conversation_finish(c, reason, &usage,
			    own->model[0] ? own->model : NULL);
}

static bool
on_result(struct conversation *c, const json_t *line, struct error *e)
{
	struct claude *own = c->own;

	if (whose_is_ours(own, line))
		end_turn(c, line);
	else if (own->is_ready)
		whose_end(c);
	else if (json_is_true(json_object_get(line, "is_error")))
		fail_start(c, line);
	return true;
}

/* Of what `system` tells there are dozens of kinds, and more with each
 * version: only those that change what becomes of the turn are looked at. */
static const struct {
	const char *type;
	bool (*hear)(struct conversation *, const json_t *, struct error *);
} events[] = {
	{ "stream_event", on_stream_event },
	{ "assistant", on_assistant },
	{ "user", on_user },
	{ "system", on_system },
	{ "rate_limit_event", on_rate_limit },
	{ "result", on_result },
	{ "control_response", claude_on_reply },
	{ "control_request", claude_on_request },
	{ "command_lifecycle", NULL },
	{ "control_cancel_request", NULL },
	{ "keep_alive", NULL },
	{ "prompt_suggestion", NULL },
	{ "tool_progress", NULL },
	{ "tool_use_summary", NULL },
};

/* It looks like an event, and yet jansson can't read it: half a character in
 * an escape, say.  What it had to say is missing from the answer. */
static bool
is_damaged(struct str line)
{
	return line.len > 1 && line.ptr[0] == '{' &&
	       line.ptr[line.len - 1] == '}';
}

static bool
hear(struct conversation *c, const json_t *line, struct error *e)
{
	const char *type = json_text(line, "type");

	whose_hear(c, line);
	for (size_t i = 0; type && i < sizeof events / sizeof *events; i++)
		if (!strcmp(type, events[i].type))
			return !events[i].hear || events[i].hear(c, line, e);
	instance_unknown(c->instance, "event", type ? type : "without a type");
	return true;
}

/* What does not even look like JSON is a library's chatter, and no event. */
bool
claude_line(struct conversation *c, struct str said, struct error *e)
{
	json_t *line = json_loadb(said.ptr, said.len, JSON_ALLOW_NUL, NULL);
	bool ok = true;

	if (line)
		ok = hear(c, line, e);
	else if (is_damaged(said))
		ok = fail_with(e, ERR_HARNESS,
			       "%s: it wrote a line that is not valid JSON",
			       c->instance->name);
	json_decref(line);
	return ok;
}
