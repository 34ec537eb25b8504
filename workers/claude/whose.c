#include "workers/claude/claude.h"

/*
 * Claude Code also has turns for which nobody has asked: a command or an agent
 * that it left in the background has ended, or a time has come that it has
 * chosen itself.  A prompt that is sent meanwhile is queued, and either gets a
 * turn of its own later or is taken into the CLI's turn between two of its
 * tools.
 *
 * The CLI tells which is which by the uuid that we give each prompt.  Lines of
 * the type command_lifecycle say that the prompt is "queued", has "started",
 * and has "completed" or was "cancelled"; lines of other types have it in
 * user_message_uuids.  Not every line does, but the first ones and the result
 * of each turn do.  So a turn is ours from the first line with our uuid to the
 * result with our uuid.  Each other turn is the CLI's own.
 *
 * A version that marks nothing has no "msg_lifecycle_v1" among the capabilities
 * that its first line tells.  There, whatever comes after the prompt is taken
 * for its turn.
 */

static bool
is_text(const json_t *line, const char *key, const char *text)
{
	const char *is = json_text(line, key);

	return is && !strcmp(is, text);
}

static bool
has_word(const json_t *array, const char *word)
{
	const json_t *each;
	size_t i;

	json_array_foreach (array, i, each)
		if (json_is_string(each) &&
		    !strcmp(json_string_value(each), word))
			return true;
	return false;
}

/* Whether the line has the prompt's uuid as one that its turn answers. */
static bool
names_our_prompt(const struct claude *own, const json_t *line)
{
	return own->uuid[0] &&
	       (is_text(line, "user_message_uuid", own->uuid) ||
		has_word(json_object_get(line, "user_message_uuids"),
			 own->uuid));
}

/* Told once for each turn of the CLI's own.  A conversation whose prompt is
 * being taken back is told when that is done. */
static void
announce(struct conversation *c)
{
	struct claude *own = c->own;

	if (own->announced || own->recalled)
		return;
	own->announced = true;
	conversation_speaks_alone(c);
}

void
whose_end(struct conversation *c)
{
	struct claude *own = c->own;
	bool was_announced = own->announced;

	own->under_way = CLAUDE_NO_TURN;
	own->paragraphs = (struct paragraphs){ 0 };
	own->prompts = (struct usage){ 0 };
	own->gave_up = own->announced = false;
	if (was_announced)
		conversation_falls_silent(c);
}

static void
begin_ours(struct conversation *c)
{
	struct claude *own = c->own;

	if (own->under_way == CLAUDE_OUR_TURN)
		return;
	whose_end(c);
	own->under_way = CLAUDE_OUR_TURN;
	if (own->recalled)
		claude_stop_turn(c);
}

static void
begin_own(struct conversation *c)
{
	struct claude *own = c->own;

	if (own->under_way != CLAUDE_NO_TURN)
		return;
	own->under_way = CLAUDE_OWN_TURN;
	announce(c);
}

/* A turn has begun, and the line does not say whose it is. */
static void
begin_unnamed(struct conversation *c)
{
	const struct claude *own = c->own;

	if (own->was_said && !own->marks)
		begin_ours(c);
	else
		begin_own(c);
}

/* The prompt has left the queue without a turn: we have taken it back, or the
 * CLI refuses it. */
static void
leave_queue(struct conversation *c, const char *state)
{
	struct claude *own = c->own;
	struct error e = { 0 };

	own->was_said = false;
	if (!own->recalled) {
		fail_with(&e, ERR_HARNESS,
			  "%s: it did not take the prompt (%s)",
			  c->instance->name, state);
		conversation_fail(c, &e);
		return;
	}
	own->recalled = false;
	if (own->under_way == CLAUDE_OWN_TURN) {
		own->announced = true;
		conversation_speaks_alone(c);
		return;
	}
	fail_with(&e, ERR_CANCELLED, "cancelled");
	conversation_fail(c, &e);
}

static void
on_lifecycle(struct conversation *c, const json_t *line)
{
	struct claude *own = c->own;
	const char *state = json_text(line, "state");
	bool is_ours =
		own->was_said && is_text(line, "command_uuid", own->uuid);

	own->marks = true;
	if (!state)
		return;
	if (!strcmp(state, "started") && is_ours)
		begin_ours(c);
	else if (!strcmp(state, "started"))
		begin_own(c);
	else if (is_ours && own->under_way != CLAUDE_OUR_TURN &&
		 (!strcmp(state, "cancelled") || !strcmp(state, "discarded") ||
		  !strcmp(state, "refused")))
		leave_queue(c, state);
}

static bool
begins_a_turn(const json_t *line)
{
	if (is_text(line, "type", "system"))
		return is_text(line, "subtype", "status") &&
		       is_text(line, "status", "requesting");
	return is_text(line, "type", "stream_event") &&
	       !json_text(line, "parent_tool_use_id") &&
	       is_text(json_object_get(line, "event"), "type", "message_start");
}

void
whose_hear(struct conversation *c, const json_t *line)
{
	struct claude *own = c->own;

	if (is_text(line, "type", "command_lifecycle")) {
		on_lifecycle(c, line);
		return;
	}
	if (is_text(line, "type", "system") && is_text(line, "subtype", "init"))
		own->marks |= has_word(json_object_get(line, "capabilities"),
				       "msg_lifecycle_v1");
	if (names_our_prompt(own, line)) {
		own->marks = true;
		if (own->was_said)
			begin_ours(c);
	} else if (begins_a_turn(line)) {
		begin_unnamed(c);
	}
}

/* While our turn is under way no other can end, except one whose result was
 * held back: that names another prompt, or where it has come from. */
bool
whose_is_ours(const struct claude *own, const json_t *result)
{
	if (!own->was_said || names_our_prompt(own, result))
		return own->was_said;
	if (json_object_get(result, "origin") ||
	    json_text(result, "user_message_uuid") ||
	    json_array_size(json_object_get(result, "user_message_uuids")))
		return false;
	return own->under_way == CLAUDE_OUR_TURN || !own->marks;
}
