#include "workers/opencode/opencode.h"

#include <assert.h>
#include <stdio.h>
#include <time.h>

/*
 * The server keeps a session as the list of what has happened in it, and
 * takes such lists, to be told of sessions that were begun at another server.
 * So a conversation that began elsewhere becomes a part of the session before
 * anything is said.  Where that can't be done - a caller's own tools were used
 * in it, say, and the request has none - it is told as text.
 *
 * The server takes a few milliseconds for a message, and ten times as many on
 * a machine that is busy, and does nothing else meanwhile.  So a history is
 * handed over in pieces: each answer shows that the work goes on, and other
 * conversations get their turn in between.
 */

enum {
	SECOND = 1, /* event of a session: the first is that it was made */
	MAX_MESSAGES = 4000,
	PIECE = 20, /* messages that are handed over at once */
};

/* A piece of a history that is being written. */
struct writer {
	const struct conversation *conversation;
	struct import *import;
	json_t *events;
};

uint64_t
opencode_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/*
 * As the CLI makes them, for it sorts by them: the last 48 bits of the time in
 * units of 1/4096 ms, and something random.
 */
void
opencode_id(char *id, const char *kind, uint64_t when)
{
	auto_free char *uuid = new_uuid();

	snprintf(id, MAX_OPENCODE_ID + 1, "%s_%012jx%.8s%.4s%.2s", kind,
		 (uintmax_t)(when & 0xffffffffffff), uuid, uuid + 9, uuid + 14);
}

/* Takes `about`. */
static void
add_event(struct writer *w, const char *type, json_t *about)
{
	char id[MAX_OPENCODE_ID + 1];
	size_t seq = SECOND + w->import->events++;

	opencode_id(id, "evt", w->import->when++);
	json_object_set_new(about, "sessionID",
			    json_string(w->conversation->cli_id));
	json_array_append_new(w->events,
			      json_pack("{s:s, s:s, s:I, s:s, s:o}", "id", id,
					"aggregateID", w->conversation->cli_id,
					"seq", (json_int_t)seq, "type", type,
					"data", about));
}

/* Takes `part`. */
static void
add_part(struct writer *w, const char *message, json_t *part)
{
	char id[MAX_OPENCODE_ID + 1];

	json_int_t now_ms = w->import->now_ms;

	opencode_id(id, "prt", w->import->when++);
	json_object_set_new(part, "id", json_string(id));
	json_object_set_new(part, "messageID", json_string(message));
	json_object_set_new(part, "sessionID",
			    json_string(w->conversation->cli_id));
	json_object_set_new(
		part, "time",
		json_pack("{s:I, s:I}", "start", now_ms, "end", now_ms));
	add_event(w, "message.part.updated.1",
		  json_pack("{s:o, s:I}", "part", part, "time", now_ms));
}

static json_t *
user_message(const struct writer *w, const char *id)
{
	return json_pack("{s:s, s:s, s:s, s:{s:I}, s:s, s:O}", "id", id,
			 "sessionID", w->conversation->cli_id, "role", "user",
			 "time", "created", w->import->now_ms, "agent", "build",
			 "model", w->import->model);
}

static bool
has_calls(const json_t *message)
{
	const json_t *part;
	size_t i;

	json_array_foreach (json_object_get(message, "content"), i, part)
		if (text_is(json_text(part, "type"), "tool_call"))
			return true;
	return false;
}

static json_t *
assistant_message(const struct writer *w, const char *id, bool calls)
{
	json_t *message = json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:{s:I, s:I}}", "id", id,
		"sessionID", w->conversation->cli_id, "parentID",
		w->import->user, "role", "assistant", "mode", "build", "agent",
		"build", "finish", calls ? "tool-calls" : "stop", "time",
		"created", w->import->now_ms, "completed", w->import->now_ms);
	json_t *rest =
		json_pack("{s:{s:s, s:s}, s:i, s:{s:i, s:i, s:i, "
			  "s:{s:i, s:i}}}",
			  "path", "cwd", directory_of(w->conversation), "root",
			  "/", "cost", 0, "tokens", "input", 0, "output", 0,
			  "reasoning", 0, "cache", "read", 0, "write", 0);

	json_object_update(message, rest);
	json_object_update(message, w->import->model);
	json_decref(rest);
	return message;
}

/* Calls come behind what else the message says. */
static void
add_calls(struct writer *w, size_t at, const json_t *message, const char *id)
{
	const json_t *part;
	size_t i;

	json_array_foreach (json_object_get(message, "content"), i, part)
		if (text_is(json_text(part, "type"), "tool_call"))
			add_part(w, id,
				 calls_part(w->conversation, at, part, id,
					    w->import->now_ms));
}

/* Without calls and their results. */
static json_t *
words_of(const json_t *message)
{
	json_t *content = json_array(), *part;
	size_t i;

	json_array_foreach (json_object_get(message, "content"), i, part)
		if (strncmp(json_text(part, "type"), "tool", 4) != 0)
			json_array_append(content, part);
	return content;
}

static void
add_message(struct writer *w, size_t at, const json_t *message)
{
	json_t *parts, *part, *content;
	bool is_user = text_is(json_text(message, "role"), "user");
	char id[MAX_OPENCODE_ID + 1];
	struct error e = { 0 };
	size_t i;
	bool ok;

	if (is_user && calls_are_all(message))
		return; /* they are told with their calls */
	parts = json_array();
	opencode_id(id, "msg", w->import->when++);
	if (is_user)
		memcpy(w->import->user, id, sizeof id);
	add_event(w, "message.updated.1",
		  json_pack("{s:o}", "info",
			    is_user ? user_message(w, id)
				    : assistant_message(w, id,
							has_calls(message))));
	content = words_of(message);
	ok = opencode_parts(parts, content, &e);
	assert(ok); /* can_tell() has seen that there are text and images only
		     */
	json_array_foreach (parts, i, part)
		add_part(w, id, json_copy(part));
	add_calls(w, at, message, id);
	json_decref(content);
	json_decref(parts);
}

/* What the model does not take is refused when it is said before the question
 * instead. */
static bool
can_tell(const struct conversation *c, const json_t *messages,
	 const json_t *model)
{
	const json_t *message, *part;
	struct error e = { 0 };
	size_t i, k;

	json_array_foreach (messages, i, message)
		if (!model_takes(c, model, json_object_get(message, "content"),
				 &e))
			return false;

	json_array_foreach (messages, i, message)
		json_array_foreach (json_object_get(message, "content"), k,
				    part)
			if (!text_is(json_text(part, "type"), "text") &&
			    !json_text(part, "data") &&
			    !calls_can_tell(c, part))
				return false;
	return json_array_size(messages) <= MAX_MESSAGES &&
	       text_is(json_text(json_array_get(messages, 0), "role"), "user");
}

bool
import_begin(struct conversation *c, json_t *model)
{
	struct opencode *o = c->own;
	json_int_t now_ms = (json_int_t)opencode_now() - 1000;

	if (!model || o->import_was_refused ||
	    !can_tell(c, o->history, model)) {
		json_decref(model);
		return false;
	}
	o->import = (struct import){ .model = model,
				     .now_ms = now_ms,
				     .when = (uint64_t)now_ms << 12 };
	return true;
}

json_t *
import_next(struct conversation *c)
{
	struct opencode *o = c->own;
	struct writer w = { .conversation = c,
			    .import = &o->import,
			    .events = json_array() };
	size_t end = o->import.messages + PIECE;

	for (; (o->import.messages < end || !json_array_size(w.events)) &&
	       o->import.messages < json_array_size(o->history);
	     o->import.messages++)
		add_message(&w, o->import.messages,
			    json_array_get(o->history, o->import.messages));
	if (json_array_size(w.events))
		return json_pack("{s:s, s:o}", "directory", directory_of(c),
				 "events", w.events);
	json_decref(w.events);
	return NULL;
}

void
import_end(struct opencode *o)
{
	json_decref(o->import.model);
	o->import = (struct import){ 0 };
}
