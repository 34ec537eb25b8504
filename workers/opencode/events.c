#include "workers/opencode/opencode.h"

#include <stdio.h>
#include <time.h>

#include "workers/conversation.h"

/*
 * One stream tells of all sessions, one event a line: {"directory","payload":
 * {"type","properties":{"sessionID",...}}}.  Text comes twice: as deltas, and
 * whole when its part is closed.
 */

static struct str
json_str(const json_t *object, const char *key)
{
	const json_t *text = json_object_get(object, key);

	return (struct str){ json_string_value(text),
			     json_string_length(text) };
}

static json_int_t
number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static bool
is_on(const struct opencode *o)
{
	return o->phase == BEGUN && !o->is_stopping;
}

/* What is said */

/* The record of a part or message, which is made if it has none. */
static json_t *
record_of(struct opencode *o, const char *id, const char *type)
{
	json_t *record = json_object_get(o->parts, id);

	if (record)
		return record;
	record = json_pack("{s:s?, s:I, s:I}", "type", type, "said",
			   (json_int_t)0, "hash", (json_int_t)ANSWER_EMPTY);
	json_object_set_new(o->parts, id, record);
	return record;
}

/* Text behind a use of tools begins anew. */
static void
say_text(struct talk *t, const char *part, struct str text)
{
	struct opencode *o = t->state;

	if (strcmp(o->part, part) && o->has_text)
		talk_text(t, STR("\n\n"));
	snprintf(o->part, sizeof o->part, "%s", part);
	o->has_text = true;
	talk_text(t, text);
}

static void
say(struct talk *t, json_t *record, const char *part, struct str text)
{
	struct opencode *o = t->state;
	const char *type = json_text(record, "type");
	uint64_t hash = (uint64_t)number(record, "hash");

	if (!text.len)
		return;
	json_object_set_new(
		record, "said",
		json_integer(number(record, "said") + (json_int_t)text.len));
	json_object_set_new(record, "hash",
			    json_integer((json_int_t)answer_add(hash, text)));
	o->step_spoke = true;
	if (text_is(type, "reasoning"))
		talk_reasoning(t, text);
	else
		say_text(t, part, text);
}

/* The whole of what was heard piece by piece: what is missing is said now, if
 * it goes on from there. */
static void
catch_up(struct talk *t, json_t *record, const char *part, struct str whole)
{
	size_t said = (size_t)number(record, "said");
	struct str begin = { whole.ptr, said };

	if (whole.len > said &&
	    answer_add(ANSWER_EMPTY, begin) == (uint64_t)number(record, "hash"))
		say(t, record, part, str_from(whole, said));
}

static void
on_text_part(struct talk *t, const json_t *part)
{
	struct opencode *o = t->state;
	const char *id = json_text(part, "id");
	json_t *record = record_of(o, id, json_text(part, "type"));

	if (json_object_get(json_object_get(part, "time"), "end"))
		catch_up(t, record, id, json_str(part, "text"));
}

/* Tools, which it uses by itself. */

static void
on_tool_call(struct talk *t, json_t *record, const json_t *part)
{
	const json_t *state = json_object_get(part, "state");
	struct opencode *o = t->state;

	if (json_object_get(record, "called"))
		return;
	json_object_set_new(record, "called", json_true());
	o->step_spoke = o->step_called = true;
	talk_tool(t, json_pack("{s:s?, s:s?, s:O?}", "id",
			       json_text(part, "callID"), "name",
			       json_text(part, "tool"), "arguments",
			       json_object_get(state, "input")));
}

static void
on_tool_result(struct talk *t, json_t *record, const json_t *part)
{
	const json_t *state = json_object_get(part, "state");
	bool is_error = text_is(json_text(state, "status"), "error");

	if (json_object_get(record, "answered"))
		return;
	json_object_set_new(record, "answered", json_true());
	talk_tool(t, json_pack("{s:s?, s:O?, s:b}", "id",
			       json_text(part, "callID"), "result",
			       json_object_get(state,
					       is_error ? "error" : "output"),
			       "is_error", is_error));
}

static void
on_tool_part(struct talk *t, const json_t *part)
{
	struct opencode *o = t->state;
	const char *status =
		json_text(json_object_get(part, "state"), "status");
	json_t *record = record_of(o, json_text(part, "id"), "tool");
	bool is_over = text_is(status, "completed") || text_is(status, "error");

	if (is_over || text_is(status, "running"))
		on_tool_call(t, record, part);
	if (is_over)
		on_tool_result(t, record, part);
}

/* A request to the vendor begins: the next may be tried again alone. */
static void
on_step_start(struct talk *t, const json_t *part)
{
	struct opencode *o = t->state;

	o->step_spoke = o->step_called = false;
}

/* The CLI counts cache and reasoning apart. */
static void
on_step_finish(struct talk *t, const json_t *part)
{
	struct opencode *o = t->state;
	const json_t *tokens = json_object_get(part, "tokens");
	const json_t *cache = json_object_get(tokens, "cache");
	json_t *record = record_of(o, json_text(part, "id"), "step-finish");

	if (json_object_get(record, "counted"))
		return;
	json_object_set_new(record, "counted", json_true());
	o->used.input += number(tokens, "input") + number(cache, "write");
	o->used.cached += number(cache, "read");
	o->used.output += number(tokens, "output");
	o->used.reasoning += number(tokens, "reasoning");
}

static const struct {
	const char *type;
	void (*hear)(struct talk *, const json_t *part);
	bool also_aside; /* of what is not said */
} parts[] = {
	{ "text", on_text_part, false },
	{ "reasoning", on_text_part, false },
	{ "tool", on_tool_part, false },
	{ "step-start", on_step_start, true },
	{ "step-finish", on_step_finish, true },
	{ "agent", NULL, false },
	{ "compaction", NULL, false },
	{ "file", NULL, false },
	{ "patch", NULL, false },
	{ "retry", NULL, false },
	{ "snapshot", NULL, false },
	{ "subtask", NULL, false },
};

static void
on_part(struct talk *t, const json_t *about)
{
	struct opencode *o = t->state;
	const json_t *part = json_object_get(about, "part");
	const char *type = json_text(part, "type");

	if (!is_on(o) || !type || !json_text(part, "id") ||
	    !text_is(json_text(part, "messageID"), o->assistant))
		return;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		if (strcmp(type, parts[i].type))
			continue;
		if (parts[i].hear && (!o->is_aside || parts[i].also_aside))
			parts[i].hear(t, part);
		return;
	}
	agent_unknown(t->agent, "part", type);
}

/* Of a part that was not begun it is not known what it is. */
static void
on_delta(struct talk *t, const json_t *about)
{
	struct opencode *o = t->state;
	const char *id = json_text(about, "partID");
	json_t *record = id ? json_object_get(o->parts, id) : NULL;

	if (!is_on(o) || o->is_aside || !record ||
	    !text_is(json_text(about, "messageID"), o->assistant) ||
	    !text_is(json_text(about, "field"), "text"))
		return;
	say(t, record, id, json_str(about, "delta"));
}

/* Messages */

/*
 * A stream that ended without a reason has been cut: the CLI sends what there
 * was to the vendor as if it were whole, and what it hears then would come
 * behind half a sentence.
 */
static void
on_complete(struct talk *t, const json_t *info)
{
	static const char *const known[] = { "stop", "length", "tool-calls",
					     "content-filter" };
	struct opencode *o = t->state;
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
	turn_stop(t, &why);
}

static void
on_failure(struct talk *t, const json_t *error)
{
	struct opencode *o = t->state;

	/* A filter's word is how the answer ends, and not that it failed. */
	if (text_is(json_text(error, "name"), "ContentFilterError"))
		return;
	if (!o->is_stopping && !o->failure.code)
		opencode_explain(error, talk_has_spoken(t), &o->failure);
}

/* A new one after a failure: the CLI has found a way to go on. */
static void
on_new_message(struct talk *t, const json_t *info, const char *id)
{
	struct opencode *o = t->state;
	const char *provider = json_text(info, "providerID");
	const char *model = json_text(info, "modelID");

	record_of(o, id, "message");
	snprintf(o->assistant, sizeof o->assistant, "%s", id);
	o->is_aside = json_is_true(json_object_get(info, "summary"));
	o->is_complete = false;
	if (!o->is_stopping)
		o->failure = (struct error){ 0 };
	if (provider && model && !o->is_aside)
		snprintf(o->model, sizeof o->model, "%s/%s", provider, model);
}

static void
on_message(struct talk *t, const json_t *about)
{
	struct opencode *o = t->state;
	const json_t *info = json_object_get(about, "info");
	const char *id = json_text(info, "id");

	if (o->phase == ASKED && text_is(id, o->prompt))
		o->phase = BEGUN;
	if (o->phase != BEGUN || !id || strlen(id) > MAX_OPENCODE_ID ||
	    !text_is(json_text(info, "role"), "assistant"))
		return;
	if (!json_object_get(o->parts, id))
		on_new_message(t, info, id);
	if (strcmp(id, o->assistant))
		return;
	if (json_object_get(info, "error"))
		on_failure(t, json_object_get(info, "error"));
	if (json_object_get(json_object_get(info, "time"), "completed"))
		on_complete(t, info);
}

/* Sessions */

static uint32_t
wait_until(json_int_t then)
{
	struct timespec now;
	json_int_t ms;

	clock_gettime(CLOCK_REALTIME, &now);
	ms = then - ((json_int_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
	if (ms < 0)
		return 0;
	return ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}

/*
 * The vendor has failed, and the CLI will try again, up to five times, first
 * after two seconds or what the vendor has asked for.  One such wait it may
 * have, if nothing would be said twice and it is not to wait for long.
 */
static void
on_retry(struct talk *t, const json_t *status)
{
	enum { PATIENCE_MS = 4000 };
	struct opencode *o = t->state;
	const char *words = json_text(status, "message");
	enum error_code code = opencode_code_of_words(words);
	uint32_t wait = wait_until(number(status, "next"));
	struct error why = { 0 };

	if (code == ERR_NONE)
		code = ERR_UPSTREAM;
	if (!o->step_spoke && code != ERR_RATE_LIMIT && code != ERR_QUOTA &&
	    number(status, "attempt") <= 1 && wait <= PATIENCE_MS)
		return;
	if (o->step_spoke ||
	    (talk_has_spoken(t) && opencode_invites_retry(code)))
		code = ERR_TRUNCATED;
	fail_with(&why, code, "opencode: %s", words ? words : "it would retry");
	if (code == ERR_RATE_LIMIT || code == ERR_QUOTA)
		why.retry_ms = wait;
	turn_stop(t, &why);
}

static void
on_status(struct talk *t, const json_t *about)
{
	const struct opencode *o = t->state;
	const json_t *status = json_object_get(about, "status");
	const char *type = json_text(status, "type");

	if (text_is(type, "retry") && is_on(o))
		on_retry(t, status);
	else if (text_is(type, "idle"))
		turn_idle(t);
}

static void
on_idle(struct talk *t, const json_t *about)
{
	turn_idle(t);
}

/* One that comes before the turn has begun is why it never will: no end of it
 * is told then. */
static void
on_error(struct talk *t, const json_t *about)
{
	const json_t *error = json_object_get(about, "error");
	struct opencode *o = t->state;
	struct error why = { 0 };

	if (o->phase == BEGUN) {
		on_failure(t, error);
	} else if (o->phase == ASKED && !o->is_stopping) {
		opencode_explain(error, false, &why);
		turn_stop(t, &why);
	}
}

static const struct {
	const char *type;
	void (*hear)(struct talk *, const json_t *about);
} events[] = {
	{ "message.part.delta", on_delta }, { "message.part.updated", on_part },
	{ "message.updated", on_message },  { "session.error", on_error },
	{ "session.idle", on_idle },	    { "session.status", on_status },
};

/* Of a sub-agent's session only its cost is heard: it is the turn's too. */
static void
hear_child(struct talk *t, const char *type, const json_t *about)
{
	const json_t *part = json_object_get(about, "part");
	const struct opencode *o = t->state;

	if (is_on(o) && text_is(type, "message.part.updated") &&
	    text_is(json_text(part, "type"), "step-finish") &&
	    json_text(part, "id"))
		on_step_finish(t, part);
}

/* What is asked of us.  Sub-agents ask too. */

static void
on_reply(struct errand *x, int status, const json_t *answer)
{
}

static void
on_permission(struct agent *a, const char *id, const char *directory)
{
	bool may = !strcmp(a->permission_mode, "allow");
	auto_free char *path =
		copy_format("/permission/%s/reply%s", id, directory);

	errand_run(a, NULL, "POST", path,
		   json_pack("{s:s}", "reply", may ? "once" : "reject"),
		   on_reply);
}

static void
on_question(struct agent *a, const char *id, const char *directory)
{
	auto_free char *path =
		copy_format("/question/%s/reject%s", id, directory);

	errand_run(a, NULL, "POST", path, NULL, on_reply);
}

static bool
is_plain_id(const char *id)
{
	return id && strlen(id) <= MAX_OPENCODE_ID && !strpbrk(id, "/?#%&. ");
}

static bool
answer_it(struct agent *a, const json_t *event, const char *type,
	  const json_t *about)
{
	const char *id = json_text(about, "id");
	const char *directory = json_text(event, "directory");
	auto_free char *where =
		directory ? opencode_where(directory) : copy(STR(""));

	if (!is_plain_id(id))
		return false;
	if (!strcmp(type, "permission.asked"))
		on_permission(a, id, where);
	else if (!strcmp(type, "question.asked"))
		on_question(a, id, where);
	else
		return false;
	return true;
}

/* A sub-agent's sub-agent is of the same talk. */
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

/* Of no interest, but known. */
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
hear(struct agent *a, const json_t *event)
{
	struct server *s = a->state;
	const json_t *payload = json_object_get(event, "payload");
	const json_t *about = json_object_get(payload, "properties");
	const char *type = json_text(payload, "type");
	const char *session = json_text(about, "sessionID");
	const char *parent = session ? json_text(s->children, session) : NULL;
	struct talk *t =
		session ? agent_talk(a, parent ? parent : session) : NULL;

	if (!type || answer_it(a, event, type, about))
		return;
	if (!strcmp(type, "session.created"))
		note_child(s, about);
	if (t && parent) {
		hear_child(t, type, about);
		return;
	}
	for (size_t i = 0; i < sizeof events / sizeof *events; i++)
		if (!strcmp(type, events[i].type)) {
			if (t)
				events[i].hear(t, about);
			return;
		}
	if (!is_known(type))
		agent_unknown(a, "event", type);
}

/*
 * A line that can't be read, half a character in an escape, say: what it had
 * to say is missing from somebody's answer.
 */
static void
on_damage(struct agent *a, struct str line)
{
	static const char key[] = "\"sessionID\":\"";
	const char *at = memmem(line.ptr, line.len, key, sizeof key - 1);
	struct error why = { 0 };
	struct str id = { 0 }, rest;
	auto_free char *session = NULL;
	struct talk *t = NULL;

	if (at) {
		id = str_from(line, (size_t)(at - line.ptr) + sizeof key - 1);
		session = copy(str_cut(id, '"', &rest));
		t = agent_talk(a, session);
	}
	if (!t) {
		agent_unknown(a, "line", "that can't be read");
		return;
	}
	fail_with(&why, ERR_HARNESS, "opencode: an event that can't be read");
	turn_stop(t, &why);
}

/* The lines of its stream are "data: " and JSON, or empty. */
void
events_line(struct agent *a, struct str line)
{
	json_t *event;

	if (!str_starts(line, STR("data:")))
		return;
	line = str_trim(str_from(line, 5));
	event = json_loadb(line.ptr, line.len, JSON_ALLOW_NUL, NULL);
	if (event)
		hear(a, event);
	else
		on_damage(a, line);
	json_decref(event);
}
