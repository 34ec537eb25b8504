#include "workers/acp/acp.h"

#include <ctype.h>
#include <stdio.h>

#include "workers/cli/transcript.h"

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

/* The blocks that are being written, and for whom. */
struct said {
	const struct conversation *conversation;
	json_t *blocks;
};

static bool
say_text(void *to, const json_t *part, struct error *e)
{
	struct said *s = to;

	if (json_str(part, "text").len)
		json_array_append(s->blocks, (json_t *)part);
	return true;
}

/* Whether an agent sees images is known only when it runs. */
static bool
say_image(void *to, const json_t *part, struct error *e)
{
	struct said *s = to;

	if (!acp_agent_of(s->conversation)->sees_images)
		return fail_with(e, ERR_UNSUPPORTED, "%s takes no images",
				 conversation_name(s->conversation));
	json_array_append_new(s->blocks,
			      json_pack("{s:s, s:O, s:O}", "type", "image",
					"mimeType",
					json_object_get(part, "media_type"),
					"data", json_object_get(part, "data")));
	return true;
}

/* A resource has an address, which is the place for its name; this one leads
 * nowhere. */
static char *
address_of(const json_t *part)
{
	struct str name = json_str(part, "name");
	struct buf address = BUF_INIT(8 * (size_t)MAX_PATH);
	char *text;

	buf_put(&address, STR("attachment:"));
	for (size_t i = 0; i < name.len; i++)
		if (isalnum((unsigned char)name.ptr[i]) ||
		    (name.ptr[i] && strchr("-._", name.ptr[i])))
			buf_put(&address,
				str_from((struct str){ name.ptr, i + 1 }, i));
		else
			buf_print(&address, "%%%02X",
				  (unsigned char)name.ptr[i]);
	if (!name.len)
		buf_put(&address, STR("document.pdf"));
	text = copy(buf_str(&address));
	buf_fini(&address);
	return text;
}

/* Likewise whether it takes files. */
static bool
say_file(void *to, const json_t *part, struct error *e)
{
	struct said *s = to;
	auto_free char *address = address_of(part);

	if (!acp_agent_of(s->conversation)->takes_files)
		return fail_with(e, ERR_UNSUPPORTED, "%s takes no files",
				 conversation_name(s->conversation));
	json_array_append_new(s->blocks,
			      json_pack("{s:s, s:{s:s, s:O, s:O}}", "type",
					"resource", "resource", "uri", address,
					"mimeType",
					json_object_get(part, "media_type"),
					"blob", json_object_get(part, "data")));
	return true;
}

static void
make_inert(const struct conversation *c, json_t *blocks)
{
	const char *before = acp_agent_of(c)->kind->before_commands;

	if (looks_like_a_command(blocks))
		json_array_insert_new(
			blocks, 0,
			json_pack("{s:s, s:s}", "type", "text", "text",
				  before ? before : BEFORE_COMMANDS));
}

/* Before the agent spends memory on what it will refuse. */
static bool
check_length(const struct conversation *c, const json_t *blocks,
	     struct error *e)
{
	size_t most = acp_agent_of(c)->kind->max_text, len = 0, i;
	const json_t *block;

	json_array_foreach (blocks, i, block)
		len += json_str(block, "text").len;
	if (!most || len <= most)
		return true;
	return fail_with(e, ERR_TOO_LARGE,
			 "%s takes prompts of %zu bytes of text, and this one, "
			 "with what the conversation begins with, has %zu",
			 conversation_name(c), most, len);
}

static bool
read_prompt(struct conversation *c, struct error *e)
{
	static const struct part_handlers handlers = { .text = say_text,
						       .image = say_image,
						       .file = say_file };
	struct acp *own = c->own;
	struct said s = { .conversation = c, .blocks = json_array() };
	json_t *question = transcript_question(c);
	bool ok = parts_say(own->preface, &handlers, &s, e) &&
		  parts_say(question, &handlers, &s, e) &&
		  check_length(c, s.blocks, e);

	json_decref(question);
	make_inert(c, s.blocks);
	if (ok)
		own->prompt = s.blocks;
	else
		json_decref(s.blocks);
	return ok;
}

/* Whether the conversation has calls of tools behind it, as far as the caller
 * knows. */
static bool
had_calls(const struct conversation *c)
{
	const json_t *message, *part;
	size_t i, k;

	json_array_foreach (c->messages, i, message)
		json_array_foreach (json_object_get(message, "content"), k,
				    part) {
			const char *type = json_text(part, "type");

			if (i < c->from && type && !strcmp(type, "tool_call"))
				return true;
		}
	return false;
}

void
acp_say(struct conversation *c)
{
	struct acp *own = c->own;
	struct error e = { 0 };

	if (c->resumed && c->turns == 1 &&
	    acp_agent_of(c)->kind->doubles_results && had_calls(c)) {
		conversation_lost(c);
		return;
	}
	acp_forget_turn(own);
	own->said_alone = own->may_speak = false;
	if (!read_prompt(c, &e) || !acp_choose_effort(c, &e)) {
		conversation_fail(c, &e);
		return;
	}
	if (!acp_ask_model(c) && !acp_ask_effort(c))
		acp_send_prompt(c);
}

/*
 * The answer to the prompt, which is "cancelled", ends the turn.  A prompt that
 * was not sent yet is dropped.  Which model the session has then is not known,
 * so the next turn sets it again.
 *
 * Kimi knows nothing to cancel once it has answered a prompt, though it may
 * have put it in a queue: see record.c.  Then only closing the session helps.
 */
void
acp_interrupt(struct conversation *c)
{
	struct acp *own = c->own;
	bool is_queued = own->record.answer && !own->was_heard;
	struct error e = { 0 };

	if (own->is_asked) {
		rpc_tell(&acp_agent_of(c)->rpc, "session/cancel",
			 acp_params(c, NULL, NULL));
		return;
	}
	rpc_forget(&acp_agent_of(c)->rpc, c);
	free(own->effort);
	own->effort = NULL;
	if (own->asked_model) {
		free(own->model);
		own->model = copy(STR(""));
	}
	fail_with(&e, ERR_CANCELLED, "cancelled");
	if (is_queued)
		conversation_abort(c, &e);
	else
		acp_fail(c, &e);
}

void
acp_stop_for(struct conversation *c, const struct error *e)
{
	struct acp *own = c->own;

	own->why = *e;
	rpc_tell(&acp_agent_of(c)->rpc, "session/cancel",
		 acp_params(c, NULL, NULL));
}

/* The end of a turn */

void
acp_fail(struct conversation *c, struct error *e)
{
	struct acp *own = c->own;

	acp_forget_turn(own);
	conversation_fail(c, e);
}

static void
fail_for(struct conversation *c, const char *stop)
{
	struct error e = { 0 };

	if (stop && !strcmp(stop, "cancelled"))
		fail_with(&e, ERR_CANCELLED, "cancelled");
	else if (stop && !strcmp(stop, "max_turn_requests"))
		fail_with(&e, ERR_HARNESS,
			  "%s: the turn has asked its model too often, or goes "
			  "round in circles",
			  conversation_name(c));
	else
		fail_with(&e, ERR_HARNESS, "%s ended its turn as \"%s\"",
			  conversation_name(c), stop ? stop : "");
	acp_fail(c, &e);
}

static void
finish(struct conversation *c, enum finish_reason reason)
{
	struct acp *own = c->own;
	struct usage usage;
	char model[MAX_MODEL];

	acp_count_cost(own);
	usage = own->usage; /* which is forgotten */
	snprintf(model, sizeof model, "%s", own->answering);
	json_decref(own->preface);
	own->preface = NULL;
	acp_forget_turn(own);
	own->may_speak = true;
	conversation_finish(c, reason, &usage, *model ? model : c->model);
}

/* An agent that has swallowed an error of its vendor's ends a turn like this,
 * or one that has put the prompt in a queue and runs it later: so it is no
 * error after which a client asks again by itself. */
static void
fail_silent(struct conversation *c)
{
	struct error e = { 0 };

	fail_with(&e, ERR_HARNESS, "%s ended its turn without a word",
		  conversation_name(c));
	acp_fail(c, &e);
}

/* gemini counts tokens itself, and ends a turn like one that was cut for its
 * length if its model would not take so many. */
static void
fail_unasked(struct conversation *c)
{
	struct error e = { 0 };

	fail_with(&e, ERR_CONTEXT,
		  "%s did not ask its model, because the conversation does not "
		  "fit into its context",
		  conversation_name(c));
	acp_fail(c, &e);
}

static bool
was_unasked(const struct acp *own, enum finish_reason reason)
{
	return reason == FINISH_LENGTH && !own->paragraphs.has_text &&
	       !own->tools && own->usage.input.is_known &&
	       !own->usage.input.count && !own->usage.output.count;
}

static void
fail_as_it_said(struct conversation *c)
{
	struct acp *own = c->own;
	struct error e = { 0 };

	acp_explain_words(c, 0, own->complaint, &e);
	acp_fail(c, &e);
}

void
acp_conclude(struct conversation *c, const json_t *result)
{
	static const struct finish_word words[] = {
		{ "end_turn", FINISH_STOP },
		{ "max_tokens", FINISH_LENGTH },
		{ "refusal", FINISH_CONTENT_FILTER },
		{ NULL, FINISH_NONE },
	};
	struct acp *own = c->own;
	const char *stop = json_text(result, "stopReason");
	enum finish_reason reason = finish_reason_of(words, stop);
	uint64_t turn = c->turns;

	acp_say_held(c);
	if (c->turns != turn)
		return; /* the turn has ended, and the next may have begun */
	if (!reason)
		fail_for(c, stop);
	else if (own->complaint)
		fail_as_it_said(c);
	else if (reason == FINISH_STOP && !own->paragraphs.has_text &&
		 !own->tools)
		fail_silent(c);
	else if (was_unasked(own, reason))
		fail_unasked(c);
	else
		finish(c, reason);
}

static void
on_answered(void *whom, const json_t *result, const json_t *error)
{
	struct conversation *c = whom;
	struct acp *own = c->own;
	struct error e = { 0 };

	own->is_asked = false;
	acp_reset_effort(c);
	if (own->why.code) {
		e = own->why;
		acp_fail(c, &e);
		return;
	}
	if (error) {
		acp_explain(c, error, &e);
		acp_fail(c, &e);
		return;
	}
	acp_count_answer(own, result);
	acp_record_end(c, result);
}

/* During a turn of its own an agent gets no prompt: acp_end_alone() sends it.
 */
void
acp_send_prompt(struct conversation *c)
{
	struct acp *own = c->own;

	acp_record_begin(c);
	own->is_held = own->is_alone;
	if (own->is_held) {
		conversation_speaks_alone(c);
		return;
	}
	own->is_asked = true;
	acp_begin_to_count(c);
	rpc_ask(&acp_agent_of(c)->rpc, "session/prompt",
		acp_params(c, "prompt", own->prompt), on_answered, c);
	own->prompt = NULL;
}
