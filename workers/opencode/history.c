#include "workers/opencode/opencode.h"

#include <stdio.h>
#include <time.h>

/*
 * The server keeps a session as the list of what has happened in it, and
 * takes such lists, to be told of sessions that were begun at another server.
 * So a conversation that began elsewhere becomes a part of the session,
 * message by message, before anything is said.  Where that can't be done - a
 * caller's own tools were used in it, say - it is told as text.
 */

enum {
	SECOND = 1, /* event of a session: the first is that it was made */
	MAX_MESSAGES = 4000,
};

/* A history that is being written. */
struct writer {
	const struct talk *talk;
	const json_t *model;
	json_t *events;
	uint64_t when;			/* grows with each id */
	json_int_t ms;			/* the time of it all */
	char user[MAX_OPENCODE_ID + 1]; /* the last message of the user's */
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
	size_t seq = SECOND + json_array_size(w->events);

	opencode_id(id, "evt", w->when++);
	json_object_set_new(about, "sessionID", json_string(w->talk->cli_id));
	json_array_append_new(w->events,
			      json_pack("{s:s, s:s, s:I, s:s, s:o}", "id", id,
					"aggregateID", w->talk->cli_id, "seq",
					(json_int_t)seq, "type", type, "data",
					about));
}

/* Takes `part`. */
static void
add_part(struct writer *w, const char *message, json_t *part)
{
	char id[MAX_OPENCODE_ID + 1];

	opencode_id(id, "prt", w->when++);
	json_object_set_new(part, "id", json_string(id));
	json_object_set_new(part, "messageID", json_string(message));
	json_object_set_new(part, "sessionID", json_string(w->talk->cli_id));
	json_object_set_new(
		part, "time",
		json_pack("{s:I, s:I}", "start", w->ms, "end", w->ms));
	add_event(w, "message.part.updated.1",
		  json_pack("{s:o, s:I}", "part", part, "time", w->ms));
}

static json_t *
user_message(const struct writer *w, const char *id)
{
	return json_pack("{s:s, s:s, s:s, s:{s:I}, s:s, s:O}", "id", id,
			 "sessionID", w->talk->cli_id, "role", "user", "time",
			 "created", w->ms, "agent", "build", "model", w->model);
}

static json_t *
assistant_message(const struct writer *w, const char *id)
{
	json_t *message = json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:{s:I, s:I}}", "id", id,
		"sessionID", w->talk->cli_id, "parentID", w->user, "role",
		"assistant", "mode", "build", "agent", "build", "finish",
		"stop", "time", "created", w->ms, "completed", w->ms);
	json_t *rest =
		json_pack("{s:{s:s, s:s}, s:i, s:{s:i, s:i, s:i, "
			  "s:{s:i, s:i}}}",
			  "path", "cwd", directory_of(w->talk), "root", "/",
			  "cost", 0, "tokens", "input", 0, "output", 0,
			  "reasoning", 0, "cache", "read", 0, "write", 0);

	json_object_update(message, rest);
	json_object_update(message, (json_t *)w->model);
	json_decref(rest);
	return message;
}

static void
add_message(struct writer *w, const json_t *message)
{
	const json_t *content = json_object_get(message, "content"), *part;
	bool is_user = text_is(json_text(message, "role"), "user");
	char id[MAX_OPENCODE_ID + 1];
	struct error e = { 0 };
	size_t i;

	opencode_id(id, "msg", w->when++);
	if (is_user)
		memcpy(w->user, id, sizeof id);
	add_event(w, "message.updated.1",
		  json_pack("{s:o}", "info",
			    is_user ? user_message(w, id)
				    : assistant_message(w, id)));
	json_array_foreach (content, i, part)
		add_part(w, id, opencode_part(part, &e));
}

static bool
can_tell(const json_t *messages)
{
	const json_t *message, *part;
	size_t i, k;

	json_array_foreach (messages, i, message)
		json_array_foreach (json_object_get(message, "content"), k,
				    part)
			if (!text_is(json_text(part, "type"), "text") &&
			    !json_text(part, "data"))
				return false;
	return json_array_size(messages) <= MAX_MESSAGES &&
	       text_is(json_text(json_array_get(messages, 0), "role"), "user");
}

json_t *
history_events(const struct talk *t, const json_t *model)
{
	const struct opencode *o = t->state;
	struct writer w = { .talk = t, .model = model };
	const json_t *message;
	size_t i;

	if (!model || !can_tell(o->history))
		return NULL;
	w.ms = (json_int_t)opencode_now() - 1000;
	w.when = (uint64_t)w.ms << 12;
	w.events = json_array();
	json_array_foreach (o->history, i, message)
		add_message(&w, message);
	return json_pack("{s:s, s:o}", "directory", directory_of(t), "events",
			 w.events);
}
