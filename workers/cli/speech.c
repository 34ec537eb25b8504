/* What a CLI says in a conversation, and what harness.h offers to a harness for
 * that. */
#include "workers/cli/harness.h"

#include <assert.h>
#include <ctype.h>

#include "proto/log.h"
#include "proto/utf8.h"
#include "workers/cli/prompt.h"
#include "workers/cli/pool.h"
#include "workers/cli/structured.h"
#include "workers/io/json_line.h"

/* Hears a line of a process that is not shared. */
void
conversation_hear(struct conversation *c, struct str line)
{
	struct error e = { 0 };

	if (c->state == CONVERSATION_LEAVING)
		return;
	if (!c->pool->harness->line(c, line, &e)) {
		conversation_break(c, &e);
		return;
	}
	if (c->state == CONVERSATION_BUSY && turn_is_blocked(c->turn))
		program_pause(&c->instance->program, true);
	if (c->state != CONVERSATION_STARTING)
		conversation_event(c, ON_SIGN, NULL);
}

void
conversation_explain_end(struct conversation *c, struct error *e)
{
	struct str words = program_last_words(&c->instance->program);

	if (c->pool->harness->ended)
		c->pool->harness->ended(c, c->instance->program.process.status,
					words, e);
	if (c->state != CONVERSATION_LEAVING && (c->turn || c->is_trial))
		log_warn("CLI %ju: %s", (uintmax_t)c->instance->number,
			 log_quote(str_of(e->text)));
}

const char *
conversation_name(const struct conversation *c)
{
	return c->pool->worker->name;
}

void
instance_write_json(struct instance *inst, json_t *json)
{
	struct buf line = BUF_INIT(MAX_JSON_LINE);

	json_line(&line, json);
	buf_put(&line, STR("\n"));
	instance_write(inst, buf_str(&line));
	buf_fini(&line);
	json_decref(json);
}

void
conversation_write(struct conversation *c, struct str s)
{
	instance_write(c->instance, s);
}

void
conversation_write_json(struct conversation *c, json_t *json)
{
	instance_write_json(c->instance, json);
}

void
conversation_end_input(struct conversation *c)
{
	program_close_input(&c->instance->program);
}

/* Such an argument cannot be an option, nor more than one word. */
bool
is_plain_model(const char *model)
{
	const char *s = model;

	if (!s || !isalnum((unsigned char)*s))
		return false;
	while (isalnum((unsigned char)*s) || (*s && strchr("-_.:/@+[]", *s)))
		s++;
	return *s == '\0';
}

void
conversation_name_it(struct conversation *c, const char *cli_id)
{
	char *name = copy(str_of(cli_id));

	free((char *)c->cli_id);
	c->cli_id = name;
}

void
conversation_ready(struct conversation *c)
{
	conversation_event(c, ON_READY, NULL);
}

void
conversation_speaks_alone(struct conversation *c)
{
	conversation_event(c, ON_ALONE, NULL);
}

void
conversation_falls_silent(struct conversation *c)
{
	conversation_event(c, ON_SILENT, NULL);
}

void
conversation_background(struct conversation *c, unsigned count)
{
	bool was_at_work = c->background;

	c->background = count;
	if (was_at_work != (count > 0))
		conversation_event(c, ON_BACKGROUND, NULL);
}

/*
 * A process that is not shared is not read while its client is slow.  A shared
 * process is read on, for the sake of its other conversations, and so much of
 * an answer is kept in memory until the turn is given up.
 */
static void
check_backlog(struct conversation *c)
{
	struct error e = { 0 };

	if (!c->pool->harness->shares || turn_backlog(c->turn) <= MAX_BACKLOG)
		return;
	fail_with(&e, ERR_TRUNCATED,
		  "the client reads too slowly: %u MiB of the answer wait "
		  "for it, and the rest is given up",
		  MAX_BACKLOG >> 20);
	conversation_stop(c, &e);
}

void
conversation_working(struct conversation *c, const char *what, size_t done,
		     size_t all)
{
	auto_free char *note = copy_format("%s: %zu of %zu", what, done, all);

	conversation_event(c, ON_SIGN, NULL);
	if (c->turn)
		turn_note(c->turn, str_of(note));
}

/* Whether the words of the CLI are its turn's: what it says before, between and
 * after its turns is not. */
static bool
speaks_for_turn(const struct conversation *c)
{
	return c->state == CONVERSATION_BUSY;
}

/* What is said between turns is kept for the next answer: its beginning, if
 * there is too much of it. */
static void
keep_for_later(struct conversation *c, struct str s)
{
	size_t room = c->meanwhile.max - c->meanwhile.len;

	if (c->state != CONVERSATION_ALONE && c->state != CONVERSATION_QUEUED &&
	    c->state != CONVERSATION_IDLE)
		return;
	if (s.len > room)
		s.len = utf8_whole((struct str){ s.ptr, room });
	buf_put(&c->meanwhile, s);
}

/* From here on its session cannot be found lost. */
static void
note_speech(struct conversation *c)
{
	if (c->said_something)
		return;
	c->said_something = true;
	c->pool->spoke(c);
}

/* See structured.h. */
static void
hold_back(struct conversation *c, struct str s)
{
	struct error e = { 0 };

	note_speech(c);
	turn_holds(c->turn);
	if (buf_add(&c->held, s, &e))
		return;
	fail_with(&e, ERR_TRUNCATED,
		  "%s: the answer is to be JSON, and is larger than %d bytes",
		  conversation_name(c), MAX_HELD_ANSWER);
	conversation_abort(c, &e);
}

void
conversation_structured(struct conversation *c, const json_t *json)
{
	auto_free char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);

	if (!speaks_for_turn(c) || !c->holds || !text)
		return;
	c->held.len = 0;
	hold_back(c, str_of(text));
}

void
conversation_text(struct conversation *c, struct str s)
{
	if (!speaks_for_turn(c)) {
		keep_for_later(c, s);
		return;
	}
	if (c->holds) {
		hold_back(c, s);
		return;
	}
	c->answer = answer_add(c->answer, s);
	note_speech(c);
	turn_text(c->turn, s);
	check_backlog(c);
}

void
conversation_reasoning(struct conversation *c, struct str s)
{
	if (!speaks_for_turn(c))
		return;
	note_speech(c);
	turn_reasoning(c->turn, s);
	check_backlog(c);
}

/* A tool's call or result that is too long for one event becomes an excerpt,
 * which says that it is one. */
static json_t *
excerpt_of(const json_t *tool, struct str all)
{
	struct str part = { all.ptr, MAX_DELTA / 4 };

	part.len = utf8_whole(part);
	return json_pack("{s:O?, s:O?, s:b, s:s%}", "id",
			 json_object_get(tool, "id"), "name",
			 json_object_get(tool, "name"), "truncated", 1,
			 "excerpt", part.ptr, part.len);
}

void
conversation_tool(struct conversation *c, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);
	json_t *excerpt;

	if (text && strlen(text) > MAX_DELTA) {
		excerpt = excerpt_of(json, str_of(text));
		free(text);
		text = json_dumps(excerpt, JSON_COMPACT);
		json_decref(excerpt);
	}
	if (speaks_for_turn(c) && text) {
		note_speech(c);
		turn_tool(c->turn, str_of(text));
		check_backlog(c);
	}
	free(text);
	json_decref(json);
}

void
conversation_lost(struct conversation *c)
{
	const struct outcome o = { .lost = true };

	if (!c->said_something || c->state == CONVERSATION_STARTING)
		conversation_event(c, ON_LOST, &o);
}

void
conversation_finish(struct conversation *c, enum finish_reason reason,
		    const struct usage *usage, const char *model)
{
	struct usage used = usage ? *usage : (struct usage){ 0 };
	const struct outcome o = {
		.reason = reason,
		.usage = &used,
		.model = model,
	};

	usage_settle(&used, (c->said_something ? TURN_SPOKE : 0) |
				    (c->turn && c->turn->has_used_tools
					     ? TURN_USED_TOOLS
					     : 0));
	conversation_event(c, ON_END, &o);
}

/* A call by the name that the caller has given its tool, and by an id that no
 * other call has. */
static void
tell_call(struct conversation *c, json_t *call)
{
	auto_free char *uuid = new_uuid();
	auto_free char *id = copy_format("call_%s", uuid);
	auto_free char *text = NULL;
	json_t *head;

	json_object_set_new(call, "id", json_string(id));
	head = json_pack("{s:s, s:O}", "id", id, "name",
			 json_object_get(call, "name"));
	text = json_dumps(head, JSON_COMPACT);
	json_decref(head);
	turn_call(c->turn, str_of(text), json_str(call, "arguments"));
	json_object_del(call, "arguments");
}

static void
tell_calls(struct conversation *c, json_t *calls)
{
	json_t *call;
	size_t i;

	note_speech(c);
	if (c->held.len)
		turn_text(c->turn, buf_str(&c->held));
	json_array_foreach (calls, i, call)
		tell_call(c, call);
	json_decref(c->calls);
	c->calls = json_incref(calls);
}

/* Of a turn that was stopped meanwhile nobody waits for the calls. */
void
conversation_park(struct conversation *c, json_t *calls,
		  const struct usage *usage, const char *model)
{
	const struct outcome o = {
		.reason = FINISH_TOOL_CALLS,
		.usage = usage,
		.model = model,
	};

	if (speaks_for_turn(c)) {
		tell_calls(c, calls);
		conversation_event(c, ON_PARK, &o);
	} else {
		conversation_event(c, ON_END, &o);
	}
	json_decref(calls);
}

void
conversation_fail(struct conversation *c, const struct error *why)
{
	struct error e = *why;
	const struct outcome o = { .error = &e };

	conversation_event(c, ON_END, &o);
}

void
conversation_abort(struct conversation *c, const struct error *why)
{
	struct error e = *why;

	conversation_break(c, &e);
}

/* The end of a turn that was stopped is no answer that a client has. */
void
conversation_mark(struct conversation *c, const char *position)
{
	char *mark;

	if (!speaks_for_turn(c))
		return;
	mark = copy(str_of(position));
	free((char *)c->position);
	c->position = mark;
}

void
conversation_acts(struct conversation *c)
{
	if (speaks_for_turn(c))
		turn_holds(c->turn);
}

bool
conversation_has_spoken(const struct conversation *c)
{
	return c->said_something;
}

void
conversation_models(struct conversation *c, json_t *models)
{
	struct pool *p = c->pool;

	pool_learn_models(p, models);
}
