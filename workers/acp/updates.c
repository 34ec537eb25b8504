#include "workers/acp/acp.h"

enum { MAX_TRIES = 2 /* and then no more */ };

void
acp_forget_turn(struct acp *c)
{
	json_decref(c->prompt);
	json_decref(c->tools);
	json_decref(c->answer);
	free(c->asked_model);
	free(c->complaint);
	c->prompt = c->tools = c->answer = NULL;
	c->asked_model = c->complaint = NULL;
	c->is_asked = c->has_text = c->used_tool = false;
	c->usage = (struct acp_usage){ 0 };
	c->has_usage = false;
	buf_fini(&c->said);
	buf_fini(&c->held);
	c->answering[0] = '\0';
	c->why = (struct error){ 0 };
	c->looks = c->tries = 0;
}

/* More text follows, so the text was the model's own. */
static void
say_complaint(struct talk *t)
{
	struct acp *c = t->state;
	char *complaint = c->complaint;

	c->complaint = NULL;
	acp_hear_text(t, str_of(complaint));
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
on_retry(struct talk *t, struct str text)
{
	struct acp *c = t->state;
	struct error e = { 0 };

	if (!c->has_text || !memmem(text.ptr, text.len, "interrupted", 11))
		return;
	fail_with(&e, ERR_TRUNCATED, "%s: " STR_FMT, talk_name(t),
		  STR_ARG(text));
	acp_stop_for(t, &e);
}

/*
 * Copilot tells how full the model's context is before each request.  If the
 * vendor has too many requests it tells nothing, waits, and asks again.
 */
static void
on_context(struct talk *t, const json_t *update)
{
	struct acp *c = t->state;
	struct error e = { 0 };

	if (!acp_agent_of(t)->kind->says_its_failures || c->tries++ < MAX_TRIES)
		return;
	fail_with(&e, ERR_RATE_LIMIT,
		  "%s has asked its model again and again, without an answer",
		  talk_name(t));
	if (talk_has_spoken(t))
		e.code = ERR_TRUNCATED;
	acp_stop_for(t, &e);
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

static void
hear_text(struct talk *t, struct str text)
{
	const struct acp_kind *kind = acp_agent_of(t)->kind;
	struct acp *c = t->state;

	if (kind->says_its_modes && is_mode(text))
		return;
	if (!kind->says_its_failures) {
		acp_hear_text(t, text);
		return;
	}
	if (is_retry(text)) {
		on_retry(t, text);
		return;
	}
	say_complaint(t);
	if (is_complaint(text))
		c->complaint = copy(text);
	else
		acp_hear_text(t, text);
}

static struct str
text_of(const json_t *update)
{
	return str_in(
		json_object_get(json_object_get(update, "content"), "text"));
}

static void
on_message(struct talk *t, const json_t *update)
{
	const char *type =
		json_text(json_object_get(update, "content"), "type");

	if (type && !strcmp(type, "text"))
		hear_text(t, text_of(update));
	else
		agent_unknown(t->agent, "content", type ? type : "");
}

static void
on_thought(struct talk *t, const json_t *update)
{
	struct str text = text_of(update);

	if (str_starts(text, STR("****\n")))
		text = str_from(text, 5); /* a title is missing */
	if (text.len)
		talk_reasoning(t, text);
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
tell_of_call(struct talk *t, const json_t *update, const char *id)
{
	struct acp *c = t->state;

	if (!c->tools)
		c->tools = json_object();
	if (json_object_get(c->tools, id))
		return;
	json_object_set_new(c->tools, id, json_true());
	acp_say_held(t);
	buf_fini(&c->said);
	c->used_tool = true;
	talk_tool(t, json_pack("{s:s, s:s?, s:o}", "id", id, "name",
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
tell_of_result(struct talk *t, const json_t *update, const char *id,
	       bool failed)
{
	talk_tool(t, json_pack("{s:s, s:o, s:b}", "id", id, "result",
			       result_of(update), "is_error", failed));
}

static void
on_tool(struct talk *t, const json_t *update)
{
	const char *id = json_text(update, "toolCallId");
	const char *status = json_text(update, "status");
	bool failed = status && !strcmp(status, "failed");
	bool over = failed || (status && !strcmp(status, "completed"));
	bool runs = status && !strcmp(status, "in_progress") &&
		    json_text(update, "kind");

	if (!id)
		return;
	if (over || runs || has_members(json_object_get(update, "rawInput")))
		tell_of_call(t, update, id);
	if (over)
		tell_of_result(t, update, id, failed);
}

/* A permission may be asked for before the call is told, or without that. */
void
acp_on_permission(struct talk *t, const json_t *params)
{
	const json_t *call = json_object_get(params, "toolCall");
	const char *id = json_text(call, "toolCallId");
	struct acp *c = t->state;

	if (c->is_asked && !c->why.code && id)
		tell_of_call(t, call, id);
}

static void
pass_over(struct talk *t, const json_t *update)
{
}

static const struct {
	const char *kind;
	void (*hear)(struct talk *, const json_t *);
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
hear(struct talk *t, const json_t *update,
     void (*hear_it)(struct talk *, const json_t *))
{
	struct acp *c = t->state;

	if (hear_it != on_context)
		c->tries = 0;
	acp_count_update(c, update);
	hear_it(t, update);
}

/* An update may be a repetition of an old session, or of a turn that is over:
 * see acp_set_mode(). */
void
acp_on_update(struct talk *t, const json_t *update)
{
	const char *kind = json_text(update, "sessionUpdate");
	struct acp *c = t->state;

	for (size_t i = 0; kind && i < sizeof updates / sizeof *updates; i++)
		if (!strcmp(kind, updates[i].kind)) {
			if (c->is_asked && !c->why.code)
				hear(t, update, updates[i].hear);
			return;
		}
	agent_unknown(t->agent, "update", kind ? kind : "");
}
