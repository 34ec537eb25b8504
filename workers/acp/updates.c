#include "workers/acp/acp.h"

enum { MAX_TRIES = 2 /* and then no more */ };

void
acp_forget_turn(struct acp *c)
{
	json_decref(c->prompt);
	json_decref(c->tools);
	json_decref(c->client_calls);
	json_decref(c->record.answer);
	json_decref(c->record.end);
	free(c->asked_model);
	free(c->complaint);
	c->client_calls = NULL;
	c->prompt = c->tools = c->record.answer = c->record.end = NULL;
	c->asked_model = c->complaint = NULL;
	c->is_asked = c->is_held = c->was_heard = false;
	c->paragraphs = (struct paragraphs){ 0 };
	if (c->record.owner == ACP_OURS)
		c->record.owner = ACP_NOBODY;
	c->usage = (struct usage){ 0 };
	buf_fini(&c->said);
	buf_fini(&c->held);
	c->answering[0] = '\0';
	c->why = (struct error){ 0 };
	c->tries = 0;
}

/* More text follows, so the text was the model's own. */
static void
say_complaint(struct conversation *c)
{
	struct acp *own = c->own;
	char *complaint = own->complaint;

	own->complaint = NULL;
	acp_hear_text(c, str_of(complaint));
	free(complaint);
}

/*
 * Copilot announces a retry as one piece of text; the model's text comes in
 * smaller pieces.  After a retry it repeats an answer that had begun.
 */
static bool
is_retry(struct str text)
{
	static const char end[] = "Retrying...";
	size_t n = sizeof end - 1;

	return str_starts(text, STR("Info: ")) && text.len > n &&
	       !memcmp(text.ptr + text.len - n, end, n);
}

static void
on_retry(struct conversation *c, struct str text)
{
	struct acp *own = c->own;
	struct error e = { 0 };

	if (!own->paragraphs.has_text ||
	    !memmem(text.ptr, text.len, "interrupted", 11))
		return;
	fail_with(&e, ERR_TRUNCATED, "%s: " STR_FMT, conversation_name(c),
		  STR_ARG(text));
	acp_stop_for(c, &e);
}

/*
 * Copilot tells how full the model's context is before each request.  If the
 * vendor has too many requests it tells nothing, waits, and asks again.
 */
static void
on_context(struct conversation *c, const json_t *update)
{
	struct acp *own = c->own;
	struct error e = { 0 };

	if (!acp_agent_of(c)->kind->says_its_failures ||
	    own->tries++ < MAX_TRIES)
		return;
	fail_with(&e, ERR_RATE_LIMIT,
		  "%s has asked its model again and again, without an answer",
		  conversation_name(c));
	acp_stop_for(c, &e);
}

/* The last text of copilot's, if it comes in one piece, may say why it failed.
 */
static bool
is_complaint(struct str text)
{
	return str_starts(text, STR("Error: ")) && text.len > 16;
}

static bool
is_mode(struct str text)
{
	return str_starts(text, STR("[MODE_UPDATE] "));
}

/* Copilot says at first what was taken from it. */
static bool
is_of_taken_tools(const struct conversation *c, struct str text)
{
	return options_replace_tools(&c->options) &&
	       str_starts(text, STR("Info: Disabled tools: "));
}

static void
hear_text(struct conversation *c, struct str text)
{
	const struct acp_kind *kind = acp_agent_of(c)->kind;
	struct acp *own = c->own;

	if (kind->says_its_modes && is_mode(text))
		return;
	if (kind->says_its_failures && is_of_taken_tools(c, text))
		return;
	if (!kind->says_its_failures) {
		acp_hear_text(c, text);
		return;
	}
	if (is_retry(text)) {
		on_retry(c, text);
		return;
	}
	say_complaint(c);
	if (is_complaint(text))
		own->complaint = copy(text);
	else
		acp_hear_text(c, text);
}

static struct str
text_of(const json_t *update)
{
	return str_in(
		json_object_get(json_object_get(update, "content"), "text"));
}

static void
on_message(struct conversation *c, const json_t *update)
{
	const char *type =
		json_text(json_object_get(update, "content"), "type");

	if (type && !strcmp(type, "text"))
		hear_text(c, text_of(update));
	else
		instance_unknown(c->instance, "content", type ? type : "");
}

static void
on_thought(struct conversation *c, const json_t *update)
{
	struct str text = text_of(update);

	if (str_starts(text, STR("****\n")))
		text = str_from(text, 5); /* a title is missing */
	if (text.len)
		conversation_reasoning(c, text);
}

/* Tools */

/* A title is for people, and says what it is used for. */
static const char *
tool_name(const json_t *update)
{
	const char *name =
		json_text(json_object_get(update, "_meta"), "toolName");

	if (!name)
		name = json_text(update, "kind");
	return name ? name : json_text(update, "title");
}

static bool
has_members(const json_t *arguments)
{
	return json_is_object(arguments) ? json_object_size(arguments) > 0
					 : arguments != NULL;
}

/* Some tools have no arguments but the title. */
static json_t *
arguments_of(const json_t *update)
{
	json_t *raw = json_object_get(update, "rawInput");

	if (has_members(raw))
		return json_incref(raw);
	return json_pack("{s:s*}", "title", json_text(update, "title"));
}

/* Each call is told once: when its arguments are there, or when it runs. */
static void
tell_of_call(struct conversation *c, const json_t *update, const char *id)
{
	const char *title = json_text(update, "title");
	struct acp *own = c->own;

	if (!own->tools)
		own->tools = json_object();
	if (json_object_get(own->tools, id))
		return;
	json_object_set_new(own->tools, id,
			    title ? json_string(title) : json_true());
	acp_say_held(c);
	buf_fini(&own->said);
	own->paragraphs.used_tool = true;
	conversation_tool(c, json_pack("{s:s, s:s?, s:o}", "id", id, "name",
				       tool_name(update), "arguments",
				       arguments_of(update)));
}

static json_t *
result_of(const json_t *update)
{
	const json_t *block, *content = json_object_get(update, "content");
	struct buf text = BUF_INIT(MAX_LINE);
	struct error e;
	json_t *result;
	size_t i;

	json_array_foreach (content, i, block)
		(void)!buf_add(&text, text_of(block), &e);
	result = json_stringn(buf_str(&text).ptr, text.len);
	buf_fini(&text);
	return result ? result : json_string("");
}

static void
tell_of_result(struct conversation *c, const json_t *update, const char *id,
	       bool failed)
{
	conversation_tool(c, json_pack("{s:s, s:o, s:b}", "id", id, "result",
				       result_of(update), "is_error", failed));
}

static void
on_tool(struct conversation *c, const json_t *update)
{
	const char *id = json_text(update, "toolCallId");
	const char *status = json_text(update, "status");
	bool failed = status && !strcmp(status, "failed");
	bool over = failed || (status && !strcmp(status, "completed"));
	bool runs = status && !strcmp(status, "in_progress") &&
		    json_text(update, "kind");

	if (!id)
		return;
	if (acp_hear_client_call(c, update))
		return;
	acp_note_call(c, update);
	if (over || runs || has_members(json_object_get(update, "rawInput")))
		tell_of_call(c, update, id);
	if (over) {
		acp_note_result(c, id, failed);
		tell_of_result(c, update, id, failed);
	}
}

/* A permission may be asked for before the call is told, or without that. */
void
acp_on_permission(struct conversation *c, const json_t *params)
{
	const json_t *call = json_object_get(params, "toolCall");
	const char *id = json_text(call, "toolCallId");
	struct acp *own = c->own;

	if (own->is_asked && !own->is_alone && !own->why.code && id &&
	    !acp_hear_client_call(c, call))
		tell_of_call(c, call, id);
}

static void
pass_over(struct conversation *c, const json_t *update)
{
}

static const struct {
	const char *kind;
	void (*hear)(struct conversation *, const json_t *);
} updates[] = {
	{ "agent_message_chunk", on_message },
	{ "agent_thought_chunk", on_thought },
	{ "tool_call", on_tool },
	{ "tool_call_update", on_tool },
	{ "available_commands_update", pass_over },
	{ "config_option_update", pass_over },
	{ "current_mode_update", pass_over },
	{ "plan", pass_over },
	{ "session_info_update", pass_over },
	{ "usage_update", on_context },
	{ "user_message_chunk", pass_over },
};

static void
hear(struct conversation *c, const json_t *update,
     void (*hear_it)(struct conversation *, const json_t *))
{
	struct acp *own = c->own;

	if (hear_it != on_context)
		own->tries = 0;
	if (hear_it == on_message || hear_it == on_thought ||
	    hear_it == on_tool)
		own->was_heard = true;
	acp_count_update(own, update);
	hear_it(c, update);
}

/*
 * Only what comes between a prompt and its answer belongs to its turn, unless
 * it is marked otherwise.  Words that come when nothing was asked are the
 * agent's own.  But they may also be a repetition of an old session, see
 * acp_set_mode(), or the rest of a turn that was stopped.
 */
static void
sort(struct conversation *c, const json_t *update,
     void (*hear_it)(struct conversation *, const json_t *))
{
	struct acp *own = c->own;

	if (own->is_asked && !own->is_alone) {
		if (!own->why.code)
			hear(c, update, hear_it);
	} else if (hear_it == on_message && (own->is_alone || own->may_speak)) {
		acp_hear_alone(c, update);
	}
}

void
acp_on_update(struct conversation *c, const json_t *update)
{
	const char *kind = json_text(update, "sessionUpdate");

	if (((const struct acp *)c->own)->is_asking_for_report) {
		acp_hear_report(c, update);
		return;
	}
	if (acp_is_alone(update)) {
		acp_hear_alone(c, update);
		return;
	}
	for (size_t i = 0; kind && i < sizeof updates / sizeof *updates; i++)
		if (!strcmp(kind, updates[i].kind)) {
			if (updates[i].hear == on_context)
				acp_count_spent(c->own, update);
			sort(c, update, updates[i].hear);
			return;
		}
	instance_unknown(c->instance, "update", kind ? kind : "");
}
