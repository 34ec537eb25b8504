#include "workers/opencode/opencode.h"

#include <stdio.h>

#include "workers/cli/failure.h"

/*
 * One stream has the events of all sessions, one event a line: {"directory",
 * "payload":{"type","properties":{"sessionID",...}}}.
 */

static json_int_t
number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* Messages */

/*
 * An answer that ended without a reason was cut off.  The CLI takes it for a
 * whole answer and asks the vendor again; the next words would follow half a
 * sentence, so the turn is stopped.
 */
static void
on_complete(struct conversation *c, const json_t *info)
{
	static const char *const known[] = { "stop", "length", "tool-calls",
					     "content-filter" };
	struct opencode *o = c->own;
	const char *finish = json_text(info, "finish");
	struct error why = { 0 };

	o->is_complete = true;
	snprintf(o->finish, sizeof o->finish, "%s", finish ? finish : "");
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (text_is(finish, known[i]))
			return;
	if (!finish || !o->step_spoke || o->step_called)
		return;
	fail_with(&why, ERR_TRUNCATED,
		  "opencode: the vendor's stream ended "
		  "in the middle");
	turn_stop(c, &why);
}

static void
on_failure(struct conversation *c, const json_t *error)
{
	struct opencode *o = c->own;

	/* A content filter ends the answer; that is no failure. */
	if (text_is(json_text(error, "name"), "ContentFilterError") ||
	    structured_is_missing(c, error))
		return;
	if (!o->is_stopping && !o->failure.code)
		opencode_explain(error, &o->failure);
}

/* A new message after a failure: the CLI goes on. */
static void
on_new_message(struct conversation *c, const json_t *info, const char *id)
{
	struct opencode *o = c->own;
	const char *provider = json_text(info, "providerID");
	const char *model = json_text(info, "modelID");

	parts_record(o, id, "message");
	snprintf(o->assistant, sizeof o->assistant, "%s", id);
	o->is_aside = json_is_true(json_object_get(info, "summary"));
	o->is_complete = false;
	if (!o->is_stopping)
		o->failure = (struct error){ 0 };
	if (provider && model && !o->is_aside)
		snprintf(o->model, sizeof o->model, "%s/%s", provider, model);
	turn_is_prepared(c);
}

static void
on_message(struct conversation *c, const json_t *about)
{
	struct opencode *o = c->own;
	const json_t *info = json_object_get(about, "info");
	const char *id = json_text(info, "id");

	if (o->phase == ASKED && text_is(id, o->prompt))
		o->phase = BEGUN;
	if (o->phase != BEGUN || !id || strlen(id) > MAX_OPENCODE_ID ||
	    !text_is(json_text(info, "role"), "assistant"))
		return;
	if (!json_object_get(o->parts, id))
		on_new_message(c, info, id);
	if (strcmp(id, o->assistant))
		return;
	structured_hear(o, info);
	if (json_object_get(info, "error"))
		on_failure(c, json_object_get(info, "error"));
	if (json_object_get(json_object_get(info, "time"), "completed"))
		on_complete(c, info);
}

/* Sessions */

static uint32_t
wait_until(json_int_t then)
{
	json_int_t ms = then - (json_int_t)opencode_now();

	if (ms < 0)
		return 0;
	return ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}

/*
 * The vendor has failed, and the CLI will ask again, up to five times, first
 * after two seconds or the time that the vendor has asked for.  It may do so
 * once, if no text would be repeated and the wait is short.
 */
static void
on_retry(struct conversation *c, const json_t *status)
{
	enum { LONGEST_WAIT_MS = 4000 };
	struct opencode *o = c->own;
	const char *words = json_text(status, "message");
	enum error_code code = opencode_code_of_words(words);
	uint32_t wait = wait_until(number(status, "next"));
	struct error why = { 0 };

	if (code == ERR_NONE)
		code = ERR_UPSTREAM;
	if (!o->step_spoke && code != ERR_RATE_LIMIT && code != ERR_QUOTA &&
	    number(status, "attempt") <= 1 && wait <= LONGEST_WAIT_MS)
		return;
	if (o->step_spoke)
		code = ERR_TRUNCATED;
	fail_with(&why, code, "opencode: %s", words ? words : "it would retry");
	if (code == ERR_RATE_LIMIT || code == ERR_QUOTA)
		why.retry_ms = wait;
	turn_stop(c, &why);
}

static void
on_status(struct conversation *c, const json_t *about)
{
	const struct opencode *o = c->own;
	const json_t *status = json_object_get(about, "status");
	const char *type = json_text(status, "type");

	if (text_is(type, "retry") && turn_is_on(o))
		on_retry(c, status);
	else if (text_is(type, "idle"))
		turn_idle(c);
}

static void
on_idle(struct conversation *c, const json_t *about)
{
	turn_idle(c);
}

/* An error before the turn has begun is the reason why it never will; no other
 * event tells its end. */
static void
on_error(struct conversation *c, const json_t *about)
{
	const json_t *error = json_object_get(about, "error");
	struct opencode *o = c->own;
	struct error why = { 0 };

	if (o->phase == BEGUN) {
		on_failure(c, error);
	} else if (o->phase == ASKED) {
		opencode_explain(error, &why);
		turn_stop(c, &why);
	}
}

static const struct {
	const char *type;
	void (*hear)(struct conversation *, const json_t *about);
} events[] = {
	{ "message.part.delta", parts_delta },
	{ "message.part.updated", parts_hear },
	{ "message.updated", on_message },
	{ "session.error", on_error },
	{ "session.idle", on_idle },
	{ "session.status", on_status },
};

static bool
is_heard(const char *type)
{
	for (size_t i = 0; i < sizeof events / sizeof *events; i++)
		if (!strcmp(type, events[i].type))
			return true;
	return false;
}

void
events_hear(struct conversation *c, const char *type, const json_t *about)
{
	for (size_t i = 0; i < sizeof events / sizeof *events; i++)
		if (!strcmp(type, events[i].type))
			events[i].hear(c, about);
}

/* Only the tokens of a sub-agent's session are counted, as the turn's. */
static void
hear_child(struct conversation *c, const char *type, const json_t *about)
{
	const json_t *part = json_object_get(about, "part");
	const struct opencode *o = c->own;

	if (turn_is_on(o) && text_is(type, "message.part.updated") &&
	    text_is(json_text(part, "type"), "step-finish") &&
	    json_text(part, "id"))
		parts_count(c, part);
}

/* Requests for permission, also those of sub-agents. */

static void
on_reply(struct request *x, int status, const json_t *answer)
{
}

static void
on_permission(struct instance *inst, const char *id, const char *directory)
{
	bool may = !strcmp(inst->permission_mode, "allow");
	auto_free char *path =
		copy_format("/permission/%s/reply%s", id, directory);

	request_send(inst, NULL, "POST", path,
		     json_pack("{s:s}", "reply", may ? "once" : "reject"),
		     on_reply);
}

static void
on_question(struct instance *inst, const char *id, const char *directory)
{
	auto_free char *path =
		copy_format("/question/%s/reject%s", id, directory);

	request_send(inst, NULL, "POST", path, NULL, on_reply);
}

static bool
is_plain_id(const char *id)
{
	return id && strlen(id) <= MAX_OPENCODE_ID && !strpbrk(id, "/?#%&. ");
}

static bool
answer_it(struct instance *inst, const json_t *event, const char *type,
	  const json_t *about)
{
	const char *id = json_text(about, "id");
	const char *directory = json_text(event, "directory");
	auto_free char *where =
		directory ? opencode_where(directory) : copy(STR(""));

	if (!is_plain_id(id))
		return false;
	if (!strcmp(type, "permission.asked"))
		on_permission(inst, id, where);
	else if (!strcmp(type, "question.asked"))
		on_question(inst, id, where);
	else
		return false;
	return true;
}

/* The sub-agents of a sub-agent belong to the same conversation. */
static void
note_child(struct server *s, const json_t *about)
{
	const json_t *info = json_object_get(about, "info");
	const char *id = json_text(info, "id");
	const char *parent = json_text(info, "parentID");
	json_t *root = parent ? json_object_get(s->children, parent) : NULL;

	if (!id || !parent)
		return;
	json_object_set_new(s->children, id,
			    root ? json_incref(root) : json_string(parent));
}

/* Events that are known, and of no interest. */
static bool
is_known(const char *type)
{
	static const char *const known[] = {
		"catalog.",	 "command.",	 "file.",	"global.",
		"installation.", "integration.", "lsp.",	"mcp.",
		"message.",	 "models-dev.",	 "permission.", "plugin.",
		"project.",	 "pty.",	 "question.",	"reference.",
		"server.",	 "session.",	 "sync",	"todo.",
		"tui.",		 "vcs.",	 "workspace.",	"worktree.",
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (str_starts(str_of(type), str_of(known[i])))
			return true;
	return false;
}

static void
hear(struct instance *inst, const json_t *event)
{
	struct server *s = inst->own;
	const json_t *payload = json_object_get(event, "payload");
	const json_t *about = json_object_get(payload, "properties");
	const char *type = json_text(payload, "type");
	const char *session = json_text(about, "sessionID");
	const char *parent = session ? json_text(s->children, session) : NULL;
	struct conversation *c =
		session ? instance_conversation(inst, parent ? parent : session)
			: NULL;

	if (!type || answer_it(inst, event, type, about))
		return;
	if (!strcmp(type, "session.created"))
		note_child(s, about);
	if (c && parent) {
		hear_child(c, type, about);
		return;
	}
	if (!is_heard(type) && !is_known(type))
		instance_unknown(inst, "event", type);
	else if (c && is_heard(type) && !tools_keep_event(c, type, about))
		events_hear(c, type, about);
}

/*
 * A line that is no valid JSON, for example because of half a surrogate pair:
 * its text is missing from somebody's answer.
 */
static void
on_damage(struct instance *inst, struct str line)
{
	static const char key[] = "\"sessionID\":\"";
	const char *at = memmem(line.ptr, line.len, key, sizeof key - 1);
	struct error why = { 0 };
	struct str id = { 0 }, rest;
	auto_free char *session = NULL;
	struct conversation *c = NULL;

	if (at) {
		id = str_from(line, (size_t)(at - line.ptr) + sizeof key - 1);
		session = copy(str_cut(id, '"', &rest));
		c = instance_conversation(inst, session);
	}
	if (!c) {
		instance_unknown(inst, "line", "that can't be read");
		return;
	}
	fail_with(&why, ERR_HARNESS,
		  "opencode: it sent an event that is not valid JSON");
	turn_stop(c, &why);
}

/* The lines of its stream are "data: " and JSON, or empty. */
void
events_line(struct instance *inst, struct str line)
{
	json_t *event;

	if (!str_starts(line, STR("data:")))
		return;
	line = str_trim(str_from(line, 5));
	event = json_loadb(line.ptr, line.len, JSON_ALLOW_NUL, NULL);
	if (event)
		hear(inst, event);
	else
		on_damage(inst, line);
	json_decref(event);
}
