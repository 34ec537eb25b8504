#include "workers/acp/acp.h"

#include <ctype.h>
#include <stdio.h>

/*
 * Every agent takes a first text that begins with "/" for a command, and some
 * commands erase the conversation; gemini has commands with "$" as well.  White
 * space before the text prevents that with some agents, words with all of them.
 * Parts that are no text or only white space do not count as the first text.
 */
#define BEFORE_COMMANDS "The user says:\n"

static bool
looks_like_a_command(const json_t *blocks)
{
	const json_t *block;
	size_t i;

	json_array_foreach (blocks, i, block) {
		struct str text = str_in(json_object_get(block, "text"));

		while (text.len && !isgraph((unsigned char)*text.ptr))
			text = str_from(text, 1);
		if (text.len)
			return *text.ptr == '/' || *text.ptr == '$';
	}
	return false;
}

static void
add_block(json_t *blocks, json_t *text)
{
	if (json_string_length(text))
		json_array_append_new(blocks, json_pack("{s:s, s:o}", "type",
							"text", "text", text));
	else
		json_decref(text);
}

static json_t *
result_text(const json_t *part)
{
	struct str text = str_in(json_object_get(part, "text"));

	return json_sprintf("<tool_result id=\"%s\">\n%.*s\n</tool_result>",
			    json_text(part, "id"), (int)text.len,
			    text.ptr ? text.ptr : "");
}

static bool
add_image(const struct talk *t, json_t *blocks, const json_t *part,
	  struct error *e)
{
	if (!acp_agent_of(t)->sees_images)
		return fail_with(e, ERR_UNSUPPORTED, "%s takes no images",
				 talk_name(t));
	if (json_text(part, "url"))
		return fail_with(e, ERR_UNSUPPORTED,
				 "%s takes images as data: URLs only",
				 talk_name(t));
	json_array_append_new(blocks,
			      json_pack("{s:s, s:O, s:O}", "type", "image",
					"mimeType",
					json_object_get(part, "media_type"),
					"data", json_object_get(part, "data")));
	return true;
}

static bool
add_part(const struct talk *t, json_t *blocks, const json_t *part,
	 struct error *e)
{
	const char *type = json_text(part, "type");

	if (!strcmp(type, "image"))
		return add_image(t, blocks, part, e);
	if (!strcmp(type, "tool_result"))
		add_block(blocks, result_text(part));
	else if (!strcmp(type, "text"))
		add_block(blocks, json_incref(json_object_get(part, "text")));
	return true;
}

static bool
add_parts(const struct talk *t, json_t *blocks, const json_t *parts,
	  struct error *e)
{
	const json_t *part;
	size_t i;

	json_array_foreach (parts, i, part)
		if (!add_part(t, blocks, part, e))
			return false;
	return true;
}

static void
make_inert(const struct talk *t, json_t *blocks)
{
	const char *before = acp_agent_of(t)->kind->before_commands;

	if (looks_like_a_command(blocks))
		json_array_insert_new(
			blocks, 0,
			json_pack("{s:s, s:s}", "type", "text", "text",
				  before ? before : BEFORE_COMMANDS));
}

static bool
read_prompt(struct talk *t, struct error *e)
{
	struct acp *c = t->state;
	json_t *blocks = json_array();
	bool ok = add_parts(t, blocks, c->preface, e);

	for (size_t i = t->from; ok && i < json_array_size(t->messages); i++)
		ok = add_parts(t, blocks,
			       json_object_get(json_array_get(t->messages, i),
					       "content"),
			       e);
	make_inert(t, blocks);
	if (ok)
		c->prompt = blocks;
	else
		json_decref(blocks);
	return ok;
}

void
acp_say(struct talk *t)
{
	struct acp *c = t->state;
	struct error e = { 0 };

	acp_forget_turn(c);
	if (!read_prompt(t, &e)) {
		talk_fail(t, &e);
		return;
	}
	if (!acp_ask_model(t))
		acp_send_prompt(t);
}

/* A prompt that was not sent yet is dropped.  Which model the session has then
 * is not known, so the next turn sets it again. */
void
acp_interrupt(struct talk *t)
{
	struct acp *c = t->state;
	struct error e = { 0 };

	if (c->is_asked) {
		rpc_tell(&acp_agent_of(t)->rpc, "session/cancel",
			 acp_params(t, NULL, NULL));
		return;
	}
	rpc_forget(&acp_agent_of(t)->rpc, t);
	if (c->asked_model) {
		free(c->model);
		c->model = copy(STR(""));
	}
	fail_with(&e, ERR_CANCELLED, "cancelled");
	acp_fail(t, &e);
}

void
acp_stop_for(struct talk *t, const struct error *e)
{
	struct acp *c = t->state;

	c->why = *e;
	rpc_tell(&acp_agent_of(t)->rpc, "session/cancel",
		 acp_params(t, NULL, NULL));
}

/* The end of a turn */

static const struct {
	const char *stop, *reason;
} reasons[] = {
	{ "end_turn", "stop" },
	{ "max_tokens", "length" },
	{ "refusal", "content_filter" },
};

static const char *
reason_of(const char *stop)
{
	for (size_t i = 0; stop && i < sizeof reasons / sizeof *reasons; i++)
		if (!strcmp(stop, reasons[i].stop))
			return reasons[i].reason;
	return NULL;
}

void
acp_fail(struct talk *t, struct error *e)
{
	struct acp *c = t->state;

	acp_forget_turn(c);
	talk_fail(t, e);
}

static void
fail_for(struct talk *t, const char *stop)
{
	struct error e = { 0 };

	if (stop && !strcmp(stop, "cancelled"))
		fail_with(&e, ERR_CANCELLED, "cancelled");
	else if (stop && !strcmp(stop, "max_turn_requests"))
		fail_with(&e, ERR_HARNESS,
			  "%s: the turn has asked its model too often, or goes "
			  "round in circles",
			  talk_name(t));
	else
		fail_with(&e, ERR_HARNESS, "%s ended its turn as \"%s\"",
			  talk_name(t), stop ? stop : "");
	acp_fail(t, &e);
}

static void
finish(struct talk *t, const char *reason)
{
	struct acp *c = t->state;
	char model[MAX_MODEL];
	json_t *usage = acp_usage(c);

	snprintf(model, sizeof model, "%s", c->answering);
	json_decref(c->preface);
	c->preface = NULL;
	acp_forget_turn(c);
	talk_finish(t, reason, usage, *model ? model : t->model);
}

/* An agent that has swallowed an error of its vendor's ends a turn like this.
 */
static void
fail_silent(struct talk *t)
{
	struct error e = { 0 };

	fail_with(&e, ERR_UPSTREAM, "%s ended its turn without a word",
		  talk_name(t));
	acp_fail(t, &e);
}

static void
fail_as_it_said(struct talk *t)
{
	struct acp *c = t->state;
	struct error e = { 0 };

	acp_explain_words(t, 0, c->complaint, &e);
	acp_fail(t, &e);
}

void
acp_conclude(struct talk *t, const json_t *result)
{
	struct acp *c = t->state;
	const char *stop = json_text(result, "stopReason");
	const char *reason = reason_of(stop);
	uint64_t turn = t->turn;

	acp_say_held(t);
	if (t->turn != turn)
		return; /* the turn has ended, and the next may have begun */
	if (!reason)
		fail_for(t, stop);
	else if (c->complaint)
		fail_as_it_said(t);
	else if (!strcmp(reason, "stop") && !c->has_text && !c->tools)
		fail_silent(t);
	else
		finish(t, reason);
}

static void
on_answered(void *whom, const json_t *result, const json_t *error)
{
	struct talk *t = whom;
	struct acp *c = t->state;
	struct error e = { 0 };

	c->is_asked = false;
	if (c->why.code) {
		e = c->why;
		acp_fail(t, &e);
		return;
	}
	if (error) {
		acp_explain(t, error, &e);
		acp_fail(t, &e);
		return;
	}
	acp_count_answer(c, result);
	acp_record_end(t, result);
}

void
acp_send_prompt(struct talk *t)
{
	struct acp *c = t->state;

	acp_record_begin(t);
	c->is_asked = true;
	rpc_ask(&acp_agent_of(t)->rpc, "session/prompt",
		acp_params(t, "prompt", c->prompt), on_answered, t);
	c->prompt = NULL;
}
