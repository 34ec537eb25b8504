#include "workers/pi/pi.h"

#include <stdio.h>

/* Responses to commands of ours; see pi_ask() for their ids. */

static void
fail(struct conversation *c, enum error_code code, const char *words)
{
	const struct pi *p = c->own;
	struct error e = { 0 };
	struct str line = str_cut(str_of(words ? words : "no reason given"),
				  '\n', &(struct str){ 0 });

	fail_with(&e, code, "pi: " STR_FMT, STR_ARG(line));
	if (p->is_continued)
		conversation_abort(c, &e); /* its model waits for results */
	else
		conversation_fail(c, &e);
}

static char *
model_name(const json_t *model)
{
	const char *provider = json_text(model, "provider");
	const char *id = json_text(model, "id");

	if (!provider || !id || !strcmp(provider, "unknown"))
		return NULL;
	return copy_format("%s/%s", provider, id);
}

static void
on_new_session(struct conversation *c, const json_t *response)
{
	pi_ask(c, "get_state", NULL);
}

/* pi begins a session that it does not know, with the given id: such a session
 * is empty. */
static void
on_state(struct conversation *c, const json_t *response)
{
	struct pi *p = c->own;
	const json_t *state = json_object_get(response, "data");
	const char *id = json_text(state, "sessionId");

	if (c->resumed &&
	    json_integer_value(json_object_get(state, "messageCount")) == 0) {
		conversation_lost(c);
		return;
	}
	if (id && c->kept && strcmp(id, c->cli_id) != 0)
		conversation_name_it(c, id);
	free(p->usual_level);
	p->usual_level = copy(json_str(state, "thinkingLevel"));
	free(p->default_model);
	free(p->said_model);
	p->default_model = model_name(json_object_get(state, "model"));
	p->said_model = copy(str_of(p->default_model));
	pi_ask(c, "get_available_models", NULL);
}

static bool
sees_images(const json_t *model)
{
	const json_t *kind;
	size_t i;

	json_array_foreach (json_object_get(model, "input"), i, kind)
		if (json_is_string(kind) &&
		    !strcmp(json_string_value(kind), "image"))
			return true;
	return false;
}

/* pi lists the models that it has a login or a key for.  By now it has read our
 * files; the one that it goes on writing to stays. */
static void
on_models(struct conversation *c, const json_t *response)
{
	const json_t *all =
		json_object_get(json_object_get(response, "data"), "models");
	json_t *ids = json_pack("[s]", "default");
	struct pi *p = c->own;
	struct error e = { 0 };
	bool has_tools = pi_has_tools(c, &e);
	const json_t *model;
	size_t i;

	json_decref(p->models);
	p->models = json_object();
	json_array_foreach (all, i, model) {
		auto_free char *name = model_name(model);

		if (!name)
			continue;
		json_array_append_new(
			ids,
			json_pack("{s:s, s:O*, s:O*}", "id", name, "name",
				  json_object_get(model, "name"),
				  "context_length",
				  json_object_get(model, "contextWindow")));
		json_object_set_new(p->models, name,
				    json_boolean(sees_images(model)));
		pi_note_efforts(p, name, model);
	}
	if (has_tools && json_array_size(ids) > 1) {
		conversation_models(c, ids);
		if (c->kept)
			pi_remove_files(c);
		conversation_ready(c);
		return;
	}
	if (json_array_size(ids) <= 1)
		fail_with(&e, ERR_LOGIN, "pi: not logged in: %s", pi.log_in);
	json_decref(ids);
	conversation_fail(c, &e);
}

/* Only the response to the last command for a model counts. */
static bool
is_the_last(struct pi *p)
{
	p->asking -= p->asking > 0;
	return p->asking == 0;
}

static void
on_model_set(struct conversation *c, const json_t *response)
{
	struct pi *p = c->own;

	if (!is_the_last(p))
		return;
	free(p->said_model);
	p->said_model = p->asked_model;
	p->asked_model = NULL;
	if (p->results)
		pi_go_on(c);
	else if (p->prompt)
		pi_send_prompt(c);
}

static void
on_steered(struct conversation *c, const json_t *response)
{
	if (((struct pi *)c->own)->results)
		pi_go_on(c);
}

static const struct {
	const char *command;
	void (*done)(struct conversation *, const json_t *);
} responses[] = {
	{ "new_session", on_new_session },
	{ "get_state", on_state },
	{ "get_available_models", on_models },
	{ "set_model", on_model_set },
	{ "set_thinking_level", NULL },
	{ "prompt", NULL },
	{ "steer", on_steered },
	{ "abort", NULL },
};

/* A command was refused.  A prompt is refused only if a login is missing, as
 * far as is known. */
static void
on_refusal(struct conversation *c, const char *command, const json_t *response)
{
	struct pi *p = c->own;
	const char *words = json_text(response, "error");
	bool is_model = !strcmp(command, "set_model");
	bool no_login = words && (strstr(words, "API key") ||
				  strstr(words, "Authentication failed"));

	if (!strcmp(command, "abort") || (is_model && !is_the_last(p)))
		return;
	if (is_model) {
		free(p->said_model);
		p->said_model = NULL;
	}
	if (is_model && !p->prompt && !p->results)
		return;
	pi_drop_prompt(c);
	p->is_busy = false;
	fail(c,
	     is_model	? ERR_NO_MODEL
	     : no_login ? ERR_LOGIN
			: ERR_HARNESS,
	     words);
}

static void
on_response(struct conversation *c, const json_t *response)
{
	const char *id = json_text(response, "id");

	for (size_t i = 0; id && i < sizeof responses / sizeof *responses;
	     i++) {
		if (strcmp(id, responses[i].command) != 0)
			continue;
		if (!json_is_true(json_object_get(response, "success")))
			on_refusal(c, id, response);
		else if (responses[i].done)
			responses[i].done(c, response);
		return;
	}
	instance_unknown(c->instance, "response", id ? id : "without id");
}

/* The turn */

static bool
is_listening(const struct pi *p)
{
	return p->is_busy && p->why.code == ERR_NONE;
}

static struct str
delta_of(const json_t *event)
{
	const json_t *delta = json_object_get(event, "delta");

	return (struct str){ json_string_value(delta),
			     json_string_length(delta) };
}

static void
on_text(struct conversation *c, struct str text)
{
	struct pi *p = c->own;

	p->has_said |= text.len > 0;
	paragraphs_say(&p->paragraphs, c, text);
}

/* The event at the end of a block repeats its text, and is passed over. */
static void
on_update(struct conversation *c, const json_t *line)
{
	struct pi *p = c->own;
	const json_t *event = json_object_get(line, "assistantMessageEvent");
	const char *type = json_text(event, "type");

	if (!type || !is_listening(p))
		return;
	if (!strcmp(type, "text_delta")) {
		on_text(c, delta_of(event));
	} else if (!strcmp(type, "thinking_delta")) {
		p->has_said = true;
		conversation_reasoning(c, delta_of(event));
	}
}

static bool
is_assistants(const json_t *message)
{
	const char *role = json_text(message, "role");

	return role && !strcmp(role, "assistant");
}

static void
on_message_start(struct conversation *c, const json_t *line)
{
	struct pi *p = c->own;

	if (is_assistants(json_object_get(line, "message")))
		p->has_said = false;
}

static void
on_message_end(struct conversation *c, const json_t *line)
{
	static const struct usage_names names = {
		.input = "input",
		.cached = "cacheRead",
		.written = "cacheWrite",
		.output = "output",
		.reasoning = "reasoning",
		.caches_are_apart = true,
	};
	struct pi *p = c->own;
	const json_t *message = json_object_get(line, "message");
	const char *model = json_text(message, "model");
	const char *stop = json_text(message, "stopReason");
	const char *words = json_text(message, "errorMessage");
	const json_t *usage = json_object_get(message, "usage");

	if (!p->is_busy || !is_assistants(message))
		return;
	usage_read(&p->usage, usage, &names);
	usage_add_cost(&p->usage,
		       usage_read_dollars(json_object_get(
			       json_object_get(usage, "cost"), "total")),
		       "pi_list_price");
	snprintf(p->stop, sizeof p->stop, "%s", stop ? stop : "");
	snprintf(p->words, sizeof p->words, "%s", words ? words : "");
	if (model)
		snprintf(p->model, sizeof p->model, "%s", model);
}

static void
on_tool_start(struct conversation *c, const json_t *line)
{
	struct pi *p = c->own;

	if (pi_is_callers(c, json_text(line, "toolName"))) {
		pi_note_call(c, line);
		return;
	}
	p->paragraphs.used_tool = true;
	if (is_listening(p))
		conversation_tool(
			c, json_pack("{s:s?, s:s?, s:O?}", "id",
				     json_text(line, "toolCallId"), "name",
				     json_text(line, "toolName"), "arguments",
				     json_object_get(line, "args")));
}

static void
on_tool_end(struct conversation *c, const json_t *line)
{
	struct pi *p = c->own;
	json_t *result = json_object_get(line, "result");
	bool is_error = json_is_true(json_object_get(line, "isError"));

	if (pi_is_callers(c, json_text(line, "toolName")))
		pi_forget_call(c, line);
	else if (is_listening(p))
		conversation_tool(
			c, json_pack("{s:s?, s:O?, s:b}", "id",
				     json_text(line, "toolCallId"), "result",
				     json_object_get(result, "content"),
				     "is_error", is_error));
}

/*
 * pi is about to ask the vendor again, up to three times and for about 14
 * seconds.  It may do so once, unless the message has said something, which
 * cannot be taken back, or the vendor's rate limit is reached, which does not
 * end that soon.
 */
static void
on_retry(struct conversation *c, const json_t *line)
{
	struct pi *p = c->own;
	json_int_t attempt =
		json_integer_value(json_object_get(line, "attempt"));
	json_int_t delay = json_integer_value(json_object_get(line, "delayMs"));
	struct error why = { 0 };

	if (!is_listening(p))
		return;
	pi_explain(p, &why);
	if (why.code == ERR_RATE_LIMIT)
		why.retry_ms =
			(uint32_t)(delay > 0 && delay < UINT32_MAX ? delay : 0);
	if (p->has_said)
		fail_with(&why, ERR_TRUNCATED,
			  "pi: the vendor's stream broke off");
	else if (strncmp(p->words, "429", 3) != 0 && attempt < 2)
		return;
	p->why = why;
	pi_ask(c, "abort", NULL);
}

/* pi has nothing more to do: the turn ended as its last message did. */
static void
on_settled(struct conversation *c, const json_t *line)
{
	static const struct finish_word words[] = {
		{ "stop", FINISH_STOP },
		{ "length", FINISH_LENGTH },
		{ NULL, FINISH_NONE },
	};
	struct pi *p = c->own;
	struct error why = p->why;
	enum finish_reason reason = finish_reason_of(words, p->stop);

	if (!p->is_busy)
		return;
	p->is_busy = false;
	pi_reset_effort(c);
	if (!why.code && !p->paragraphs.has_text && !p->is_continued &&
	    reason == FINISH_STOP)
		fail_with(&why, ERR_HARNESS,
			  "pi: the answer is empty (no stream output)");
	if (!why.code && reason) {
		conversation_finish(c, reason, &p->usage,
				    p->model[0] ? p->model : NULL);
		return;
	}
	if (!why.code)
		pi_explain(p, &why);
	conversation_fail(c, &why);
}

/* Our own extension asks for the result of a call.  Another one asks its user
 * something, and nobody is there to answer. */
static void
on_dialog(struct conversation *c, const json_t *line)
{
	static const char *const dialogs[] = { "select", "confirm", "input",
					       "editor" };
	const char *method = json_text(line, "method");

	if (pi_hears_state(c, line) || pi_hears_call(c, line))
		return;
	for (size_t i = 0; method && i < sizeof dialogs / sizeof *dialogs; i++)
		if (!strcmp(method, dialogs[i]))
			conversation_write_json(
				c, json_pack("{s:s, s:s?, s:b}", "type",
					     "extension_ui_response", "id",
					     json_text(line, "id"), "cancelled",
					     1));
}

/* Events without a function are known, and of no interest. */
static const struct {
	const char *type;
	void (*hear)(struct conversation *, const json_t *);
} events[] = {
	{ "message_update", on_update },
	{ "message_start", on_message_start },
	{ "message_end", on_message_end },
	{ "tool_execution_start", on_tool_start },
	{ "tool_execution_end", on_tool_end },
	{ "auto_retry_start", on_retry },
	{ "agent_settled", on_settled },
	{ "response", on_response },
	{ "extension_ui_request", on_dialog },
	{ "agent_start", NULL },
	{ "agent_end", NULL },
	{ "turn_start", NULL },
	{ "turn_end", NULL },
	{ "tool_execution_update", NULL },
	{ "auto_retry_end", NULL },
	{ "queue_update", NULL },
	{ "entry_appended", NULL },
	{ "session_info_changed", NULL },
	{ "thinking_level_changed", NULL },
	{ "compaction_start", NULL },
	{ "compaction_end", NULL },
	{ "summarization_retry_scheduled", NULL },
	{ "summarization_retry_attempt_start", NULL },
	{ "summarization_retry_finished", NULL },
	{ "extension_error", NULL },
};

static void
hear(struct conversation *c, const json_t *line)
{
	const char *type = json_text(line, "type");

	for (size_t i = 0; type && i < sizeof events / sizeof *events; i++) {
		if (strcmp(type, events[i].type) != 0)
			continue;
		if (events[i].hear)
			events[i].hear(c, line);
		return;
	}
	instance_unknown(c->instance, "event", type ? type : "without type");
}

/* A line that looks like an event but is no valid JSON, for example because of
 * half a surrogate pair: its text is missing from the answer. */
static bool
is_damaged(struct str line)
{
	return line.len > 1 && line.ptr[0] == '{' &&
	       line.ptr[line.len - 1] == '}';
}

bool
pi_line(struct conversation *c, struct str said, struct error *e)
{
	json_t *line;

	said = str_trim(said);
	line = json_loadb(said.ptr, said.len, JSON_ALLOW_NUL, NULL);
	if (!line && is_damaged(said))
		return fail_with(e, ERR_HARNESS,
				 "pi: it wrote a line that is not valid JSON");
	if (line)
		hear(c, line);
	else if (said.len)
		instance_unknown(c->instance, "line", "that is no JSON");
	json_decref(line);
	return true;
}
