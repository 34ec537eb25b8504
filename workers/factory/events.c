#include "workers/factory/factory.h"

#include <stdio.h>

/*
 * Nearly every message is a session_notification with the type of the event in
 * it.  Text comes as deltas, and again in its message.  Calls of tools come in
 * pieces; the message has the whole call.
 */

/* Events before our message was sent belong to something else. */
static bool
is_heard(const struct factory *f)
{
	return f->turn[0] && !f->why.code;
}

static struct str
delta_of(const json_t *n)
{
	const json_t *text = json_object_get(n, "textDelta");

	return (struct str){ json_string_value(text),
			     json_string_length(text) };
}

static void
on_text(struct factory *f, const json_t *n)
{
	struct str text = delta_of(n);

	if (!text.len || !is_heard(f))
		return;
	f->has_said = true;
	paragraphs_say(&f->paragraphs, f->conversation, text);
}

static void
on_thinking(struct factory *f, const json_t *n)
{
	if (!is_heard(f))
		return;
	f->has_said = true;
	conversation_reasoning(f->conversation, delta_of(n));
}

static void
note_tools(struct factory *f, const json_t *message)
{
	const json_t *block;
	size_t i;

	json_array_foreach (json_object_get(message, "content"), i, block) {
		const char *type = json_text(block, "type");

		if (type && !strcmp(type, "tool_use") &&
		    !factory_hear_client_call(f, block))
			block_tool_use(&f->paragraphs, f->conversation, block);
	}
}

/* A remark for people says what went wrong, if nothing else does. */
static void
note_remark(struct factory *f, const json_t *message)
{
	const char *text = json_text(
		json_array_get(json_object_get(message, "content"), 0), "text");

	if (text && !f->words[0])
		snprintf(f->words, sizeof f->words, "%s", text);
}

static void
on_message(struct factory *f, const json_t *n)
{
	const json_t *message = json_object_get(n, "message");
	const char *role = json_text(message, "role");
	const char *visibility = json_text(message, "visibility");
	const char *model = json_text(message, "modelId");

	if (!role || !is_heard(f))
		return;
	if (!strcmp(role, "assistant")) {
		f->has_said = false;
		if (model)
			snprintf(f->model, sizeof f->model, "%s", model);
		note_tools(f, message);
	} else if (!strcmp(role, "system") && visibility &&
		   !strcmp(visibility, "user_only")) {
		note_remark(f, message);
	}
}

static void
on_tool_result(struct factory *f, const json_t *n)
{
	bool is_error = json_is_true(json_object_get(n, "isError"));
	const char *id = json_text(n, "toolUseId");

	if (is_heard(f) && !factory_hear_client_result(f, id))
		conversation_tool(f->conversation,
				  json_pack("{s:s?, s:O?, s:b}", "id", id,
					    "result",
					    json_object_get(n, "content"),
					    "is_error", is_error));
}

static void
on_error(struct factory *f, const json_t *n)
{
	const char *words = json_text(n, "message");

	if (words)
		snprintf(f->words, sizeof f->words, "%s", words);
}

/* Stops the turn, which fails with `why` when its end comes. */
static void
stop(struct factory *f, const struct error *why)
{
	f->why = *why;
	factory_interrupt(f->conversation);
}

static void
on_retry(struct factory *f, const json_t *n)
{
	struct error why = { 0 };

	if (is_heard(f) && factory_gives_up(f, n, &why))
		stop(f, &why);
}

/* droid takes back a message; what was said of it cannot be taken back here. */
static void
on_retracted(struct factory *f, const json_t *n)
{
	struct error why = { 0 };

	if (!is_heard(f) || !f->has_said)
		return;
	fail_with(&why, ERR_TRUNCATED,
		  "factory: the answer was taken back in the middle of it");
	stop(f, &why);
}

static void
finish(struct factory *f, const json_t *n)
{
	static const struct usage_names names = {
		.input = "inputTokens",
		.cached = "cacheReadTokens",
		.written = "cacheCreationTokens",
		.output = "outputTokens",
		.reasoning = "thinkingTokens",
		.caches_are_apart = true,
		.is_sum = true,
	};
	struct usage usage = { 0 };
	struct error why = { 0 };

	if (!f->paragraphs.has_text) {
		fail_with(&why, ERR_HARNESS,
			  "factory: the answer is empty (no stream output)");
		conversation_fail(f->conversation, &why);
		return;
	}
	json_decref(f->preface);
	f->preface = NULL;
	usage_read(&usage, json_object_get(n, "tokenUsage"), &names);
	if (!usage.reasoning.count) /* with most vendors it does not count it */
		usage.reasoning = (struct amount){ 0 };
	conversation_finish(f->conversation, FINISH_STOP, &usage,
			    f->model[0] ? f->model : NULL);
}

/*
 * droid begins turns by itself, for example when a command in the background
 * ends.  These are not heard.
 */
static void
on_completed(struct factory *f, const json_t *n)
{
	const char *turn = json_text(n, "turnId");
	const char *reason = json_text(n, "reason");
	struct error why = f->why;

	if (!f->turn[0] || (turn && strcmp(turn, f->turn) != 0))
		return;
	f->turn[0] = '\0';
	if (!why.code && reason && !strcmp(reason, "completed")) {
		finish(f, n);
		return;
	}
	if (!why.code)
		factory_explain(f, reason, &why);
	conversation_fail(f->conversation, &why);
}

/* Events without a function are known, and of no interest. */
static const struct {
	const char *type;
	void (*hear)(struct factory *, const json_t *);
} notifications[] = {
	{ "assistant_text_delta", on_text },
	{ "thinking_text_delta", on_thinking },
	{ "create_message", on_message },
	{ "tool_result", on_tool_result },
	{ "error", on_error },
	{ "llm_retry", on_retry },
	{ "assistant_message_retracted", on_retracted },
	{ "agent_turn_completed", on_completed },
	{ "assistant_text_complete", NULL },
	{ "thinking_text_complete", NULL },
	{ "droid_working_state_changed", NULL },
	{ "mcp_status_changed", NULL },
	{ "permission_resolved", NULL },
	{ "session_title_updated", NULL },
	{ "session_token_usage_changed", NULL },
	{ "settings_updated", NULL },
	{ "tool_call", NULL },
	{ "tool_execution_phase_changed", NULL },
	{ "tool_progress_update", NULL },
};

void
factory_hear(struct factory *f, const json_t *n)
{
	const char *type = json_text(n, "type");
	size_t i;

	for (i = 0; type && i < sizeof notifications / sizeof *notifications;
	     i++) {
		if (strcmp(type, notifications[i].type) != 0)
			continue;
		if (notifications[i].hear && !factory_keep(f, type, n))
			notifications[i].hear(f, n);
		return;
	}
	instance_unknown(f->conversation->instance, "event",
			 type ? type : "without type");
}

/* Notifications of sub-agents, which have sessions of their own, are not a part
 * of the answer. */
void
factory_told(struct instance *inst, const char *method, const json_t *params)
{
	struct factory *f = factory_of(inst);
	const char *session = json_text(params, "sessionId");

	if (strcmp(method, "droid.session_notification") != 0)
		instance_unknown(inst, "method", method);
	else if (!session || !strcmp(session, f->conversation->cli_id))
		factory_hear(f, json_object_get(params, "notification"));
}

void
factory_asked(struct instance *inst, const json_t *id, const char *method,
	      const json_t *params)
{
	struct factory *f = factory_of(inst);

	if (!strcmp(method, "droid.request_permission")) {
		bool may = factory_allows(f->conversation) ||
			   factory_is_of_server(f->conversation, params);

		rpc_answer(&f->rpc, id,
			   json_pack("{s:s}", "selectedOption",
				     may ? "proceed_once" : "cancel"));
	} else if (!strcmp(method, "droid.ask_user")) {
		rpc_answer(&f->rpc, id,
			   json_pack("{s:b, s:[]}", "cancelled", 1, "answers"));
	} else {
		instance_unknown(inst, "method", method);
		rpc_refuse(&f->rpc, id, -32601, "not supported by this client");
	}
}
