#include "workers/opencode/opencode.h"

#include "workers/cli/transcript.h"

/*
 * A turn is posted, and the answer to the post is empty: events tell what
 * becomes of it.  These name the session but not the turn, and events of the
 * turn before may come late.  So the turn's message gets an id of ours, and
 * only events after that message are heard.
 *
 * A turn that fails is taken back, so that the next turn does not find half of
 * it in the conversation.
 *
 * The server prepares a directory while the first turn in it begins.  If that
 * turn is aborted meanwhile, opencode 1.18 keeps the interrupted preparation:
 * every later turn in that directory ends at once, with nothing, as long as the
 * process lives.  So a turn is aborted only when it has failed by itself, or
 * when some turn in its directory has come as far as a message that answers it,
 * and a process in which a turn ends without one gets no further turns.
 */

enum {
	MAX_ATTEMPTS = 20, /* to take back a turn that is still busy */
};

/* Saying a turn */

static bool
say_image(void *parts, const json_t *part, struct error *e)
{
	const char *type = json_text(part, "media_type");
	auto_free char *url =
		copy_format("data:%s;base64,%s", type, json_text(part, "data"));

	json_array_append_new(parts,
			      json_pack("{s:s, s:s, s:s}", "type", "file",
					"mime", type, "url", url));
	return true;
}

/* A document, with its name if it has one. */
static bool
say_file(void *parts, const json_t *part, struct error *e)
{
	json_t *name = json_object_get(part, "name");

	if (!say_image(parts, part, e))
		return false;
	if (name)
		json_object_set(
			json_array_get(parts, json_array_size(parts) - 1),
			"filename", name);
	return true;
}

bool
opencode_parts(json_t *parts, const json_t *content, struct error *e)
{
	static const struct part_handlers handlers = { .text = part_append,
						       .image = say_image,
						       .file = say_file };

	return parts_say(content, &handlers, parts, e);
}

/* NULL on failure.  All of it is text for the model: commands and names of
 * files have a meaning only in the CLI's user interface. */
static json_t *
parts_of(const struct conversation *c, struct error *e)
{
	const struct opencode *o = c->own;
	json_t *parts = json_array(), *question = transcript_question(c);
	bool ok = opencode_parts(parts, o->preface, e) &&
		  opencode_parts(parts, question, e);

	json_decref(question);
	if (ok)
		return parts;
	json_decref(parts);
	return NULL;
}

static json_t *
prompt_of(const struct conversation *c, struct error *e)
{
	const struct opencode *o = c->own;
	json_t *model, *parts = parts_of(c, e), *prompt;

	if (!parts)
		return NULL;
	if (!model_of(c, &model, e) || !model_takes(c, model, parts, e)) {
		json_decref(model);
		json_decref(parts);
		return NULL;
	}
	prompt = json_pack("{s:s, s:o, s:o*}", "messageID", o->prompt, "parts",
			   parts, "model", model);
	if (c->system)
		json_object_set_new(prompt, "system",
				    json_stringn(c->system, c->system_len));
	structured_ask_for(c, prompt);
	if (effort_ask_for(c, prompt, e))
		return prompt;
	json_decref(prompt);
	return NULL;
}

static void
on_stopped(struct request *x, int status, const json_t *answer)
{
	struct opencode *o = x->conversation ? x->conversation->own : NULL;
	struct error e = { 0 };

	if (!o || x->turn < o->said_as || o->phase == AT_REST)
		return;
	if (!server_agrees(status, answer, &e)) {
		o->phase = AT_REST;
		conversation_abort(x->conversation,
				   o->failure.code ? &o->failure : &e);
		return;
	}
	o->is_stopped = true;
	if (o->phase == ASKED)
		turn_idle(x->conversation);
}

static bool
is_prepared(const struct conversation *c)
{
	const struct server *s = c->instance->own;

	return json_object_get(s->prepared, directory_of(c)) != NULL;
}

static void
abort_if_due(struct conversation *c)
{
	struct opencode *o = c->own;

	if (!o->is_stopping || !o->is_accepted || o->was_aborted ||
	    (!o->failure.code && !is_prepared(c)))
		return;
	o->was_aborted = true;
	session_ask(c, "POST", "/abort", NULL, on_stopped);
}

void
turn_is_prepared(struct conversation *c)
{
	struct server *s = c->instance->own;

	json_object_set_new(s->prepared, directory_of(c), json_true());
	abort_if_due(c);
}

static void
on_asked(struct request *x, int status, const json_t *answer)
{
	struct opencode *o = x->conversation ? x->conversation->own : NULL;
	struct error e = { 0 };

	if (!o) {
		turn_is_orphan(x);
		return;
	}
	if (x->turn < o->said_as || o->phase == AT_REST)
		return;
	o->is_accepted = true;
	if (!server_agrees(status, answer, &e)) {
		o->phase = AT_REST;
		conversation_abort(x->conversation, &e);
	} else {
		abort_if_due(x->conversation);
	}
}

static void
begin(struct opencode *o)
{
	o->phase = ASKED;
	o->is_accepted = o->is_stopping = false;
	o->was_aborted = o->is_stopped = false;
	o->is_aside = o->is_complete = o->has_text = false;
	o->step_spoke = o->step_called = o->has_calls = o->is_parked = false;
	o->assistant[0] = o->part[0] = o->finish[0] = o->model[0] = '\0';
	o->attempts = 0;
	o->usage = (struct usage){ 0 };
	o->failure = (struct error){ 0 };
	json_decref(o->structured);
	json_decref(o->kept);
	o->structured = o->kept = NULL;
	json_decref(o->parts);
	o->parts = json_object();
	opencode_id(o->prompt, "msg", opencode_now() << 12);
}

void
turn_say(struct conversation *c)
{
	struct opencode *o = c->own;
	struct error e = { 0 };
	json_t *prompt;

	begin(o);
	o->said_as = c->turns;
	prompt = prompt_of(c, &e);
	if (!prompt) {
		o->phase = AT_REST;
		conversation_fail(c, &e);
		return;
	}
	session_ask(c, "POST", "/prompt_async", prompt, on_asked);
}

/* The end of a turn */

static void on_reverted(struct request *, int status, const json_t *answer);

static void
take_back(struct conversation *c)
{
	struct opencode *o = c->own;

	o->phase = ENDING;
	session_ask(c, "POST", "/revert",
		    json_pack("{s:s}", "messageID", o->prompt), on_reverted);
}

/* The status 409 says that the session is busy. */
static void
on_reverted(struct request *x, int status, const json_t *answer)
{
	struct opencode *o = x->conversation ? x->conversation->own : NULL;
	struct error why;

	if (!o || x->turn < o->said_as || o->phase != ENDING)
		return;
	if (status == 409 && ++o->attempts < MAX_ATTEMPTS) {
		session_ask(x->conversation, "POST", "/abort", NULL,
			    on_stopped);
		take_back(x->conversation);
		return;
	}
	o->phase = AT_REST;
	why = o->failure;
	if (status == 409)
		conversation_abort(x->conversation, &why);
	else
		conversation_fail(x->conversation, &why);
}

/* FINISH_NONE if the turn did not end well. */
static enum finish_reason
finish_reason(const struct opencode *o)
{
	static const struct finish_word words[] = {
		{ "stop", FINISH_STOP },
		{ "length", FINISH_LENGTH },
		{ "content-filter", FINISH_CONTENT_FILTER },
		{ NULL, FINISH_NONE },
	};
	enum finish_reason reason = finish_reason_of(words, o->finish);

	if (o->is_complete && o->structured)
		return FINISH_STOP;
	if (!o->is_complete || (reason == FINISH_STOP && !o->has_text))
		return FINISH_NONE;
	return reason;
}

static void
explain(const struct opencode *o, bool has_spoken, struct error *e)
{
	if (o->is_stopping)
		fail_with(e, ERR_CANCELLED, "cancelled");
	else if (has_spoken && !text_is(o->finish, "stop"))
		fail_with(e, ERR_TRUNCATED,
			  "opencode: the answer ended in the middle (%s)",
			  o->finish[0] ? o->finish : "no reason given");
	else
		fail_with(e, ERR_HARNESS,
			  "opencode: the answer is empty (no stream output)");
}

static void
finish(struct conversation *c, enum finish_reason reason)
{
	struct opencode *o = c->own;

	o->phase = AT_REST;
	json_decref(o->preface);
	o->preface = NULL;
	conversation_mark(c, o->assistant);
	if (o->structured)
		conversation_structured(c, o->structured);
	conversation_finish(c, reason, &o->usage,
			    o->model[0] ? o->model : NULL);
}

/*
 * The session is idle.  After a stop that event comes twice; at the first one
 * the last message is not finished yet.
 */
void
turn_idle(struct conversation *c)
{
	struct opencode *o = c->own;
	enum finish_reason reason = finish_reason(o);

	if (o->phase != BEGUN && !(o->phase == ASKED && o->is_stopped))
		return;
	if (o->assistant[0] && !o->is_complete)
		return;
	if (reason && !o->failure.code) {
		finish(c, reason);
		return;
	}
	if (!o->failure.code) {
		explain(o, conversation_has_spoken(c), &o->failure);
		if (!o->assistant[0] && !o->was_aborted)
			instance_close(c->instance);
	}
	take_back(c);
}

void
turn_stop(struct conversation *c, const struct error *why)
{
	struct opencode *o = c->own;

	if (o->phase == AT_REST || o->phase == ENDING || o->was_aborted)
		return;
	if (why && !o->failure.code)
		o->failure = *why;
	o->is_stopping = true;
	abort_if_due(c);
}

/* Stops the turn.  A turn that has failed by itself is about to say so. */
void
turn_interrupt(struct conversation *c)
{
	turn_stop(c, NULL);
}
