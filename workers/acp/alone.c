#include "workers/acp/acp.h"

/*
 * What an agent does by itself, such as to go on when a background command has
 * ended.  Nobody has asked for that, so none of it belongs to a turn of ours;
 * and no prompt is sent meanwhile, for the agent would mix both, give up one of
 * them, or put our prompt in a queue and answer it without a word.
 *
 * Which agent tells what:
 *
 *   qwen      asks whether it may begin, and marks each update; see told() and
 *             asked() in acp.c
 *   kimi      nothing, but its records show it: see record.c
 *   copilot   keeps its prompt open until all background commands have ended
 *   gemini    is never told that a background command has ended
 *
 * Words that come unmarked from any agent while no prompt is open are taken for
 * such a turn, which begins and ends with them.
 */

void
acp_begin_alone(struct conversation *c)
{
	struct acp *own = c->own;

	if (own->is_alone)
		return;
	own->is_alone = true;
	conversation_speaks_alone(c);
}

/* The engine may begin the turn that has waited before this returns. */
void
acp_end_alone(struct conversation *c)
{
	struct acp *own = c->own;
	bool was_held = own->is_held;

	if (!own->is_alone)
		return;
	own->is_alone = false;
	conversation_falls_silent(c);
	if (was_held && own->is_held && own->prompt)
		acp_send_prompt(c);
}

void
acp_say_alone(struct conversation *c, struct str text)
{
	struct acp *own = c->own;
	bool was_alone = own->is_alone;

	if (!text.len)
		return;
	acp_begin_alone(c);
	own->said_alone = true;
	conversation_text(c, text);
	if (!was_alone)
		acp_end_alone(c);
}

/* The marks of qwen's. */

static bool
has_source(const json_t *update, const char *beginning)
{
	const char *source =
		json_text(json_object_get(update, "_meta"), "source");

	return source && !strncmp(source, beginning, strlen(beginning));
}

bool
acp_is_alone(const json_t *update)
{
	return json_object_get(json_object_get(update, "_meta"),
			       "backgroundTurn") ||
	       has_source(update, "background_");
}

static void
count_background(struct conversation *c, int more)
{
	struct acp *own = c->own;

	if (more < 0 && !own->background)
		return;
	own->background += (unsigned)more;
	conversation_background(c, own->background);
}

/* That a command has ended is said twice: when it ends, and at the beginning of
 * the agent's own turn. */
void
acp_hear_alone(struct conversation *c, const json_t *update)
{
	const char *kind = json_text(update, "sessionUpdate");
	struct str text = str_in(
		json_object_get(json_object_get(update, "content"), "text"));
	bool is_paragraph = json_is_true(json_object_get(
		json_object_get(update, "_meta"), "qwenDiscreteMessage"));
	struct acp *own = c->own;

	if (has_source(update, "background_task_completed")) {
		count_background(c, -1);
		return;
	}
	if (!kind || strcmp(kind, "agent_message_chunk") || !text.len)
		return;
	if (is_paragraph && own->said_alone)
		acp_say_alone(c, STR("\n\n"));
	acp_say_alone(c, text);
}

bool
acp_may_begin_alone(const struct conversation *c)
{
	const struct acp *own = c ? c->own : NULL;

	return own && !own->is_asked && !own->prompt;
}

/* Background commands: a call has an argument that makes it one. */

void
acp_note_call(struct conversation *c, const json_t *update)
{
	const json_t *arguments = json_object_get(update, "rawInput");
	struct acp *own = c->own;

	if (!acp_agent_of(c)->kind->tells_of_background)
		return;
	if (!json_is_true(json_object_get(arguments, "is_background")) &&
	    !json_is_true(json_object_get(arguments, "run_in_background")))
		return;
	if (!own->background_calls)
		own->background_calls = json_object();
	json_object_set_new(own->background_calls,
			    json_text(update, "toolCallId"), json_true());
}

void
acp_note_result(struct conversation *c, const char *id, bool failed)
{
	struct acp *own = c->own;

	if (json_object_del(own->background_calls, id) == 0 && !failed)
		count_background(c, 1);
}
