/* What harness.h offers to a harness, done with a process of the pool. */
#include "workers/harness.h"

#include <assert.h>
#include <ctype.h>

#include "proto/utf8.h"
#include "workers/conversation.h"
#include "workers/pool.h"

static struct warm *
warm_of(const struct talk *t)
{
	return container_of(t, struct warm, talk);
}

const char *
talk_name(const struct talk *t)
{
	return warm_of(t)->pool->worker->name;
}

void
agent_write_json(struct agent *a, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);

	assert(text);
	agent_write(a, str_of(text));
	agent_write(a, STR("\n"));
	free(text);
	json_decref(json);
}

void
talk_write(struct talk *t, struct str s)
{
	agent_write(t->agent, s);
}

void
talk_write_json(struct talk *t, json_t *json)
{
	agent_write_json(t->agent, json);
}

void
talk_end_input(struct talk *t)
{
	cli_close_input(&warm_of(t)->run->cli);
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
talk_name_it(struct talk *t, const char *cli_id)
{
	struct warm *w = warm_of(t);

	free(w->cli_id);
	w->cli_id = copy(str_of(cli_id));
	t->cli_id = w->cli_id;
}

void
talk_ready(struct talk *t)
{
	struct warm *w = warm_of(t);

	w->was_ready |= w->state == WARM_SPARE;
	if (w->state == WARM_STARTING)
		warm_ready(w);
}

/*
 * A process that is not shared is not read while its client is slow.  A shared
 * process is read on, for the sake of its other conversations, and so much of
 * an answer is kept in memory until the turn is given up.
 */
static void
check_backlog(struct warm *w)
{
	struct error e = { 0 };

	if (!w->pool->harness->shares || turn_backlog(w->turn) <= MAX_BACKLOG)
		return;
	fail_with(&e, ERR_TRUNCATED,
		  "the client reads too slowly: %u MiB of the answer wait "
		  "for it, and the rest is given up",
		  MAX_BACKLOG >> 20);
	warm_stop(w, &e);
}

void
talk_working(struct talk *t, const char *what, size_t done, size_t all)
{
	struct warm *w = warm_of(t);
	auto_free char *note = copy_format("%s: %zu of %zu", what, done, all);

	warm_is_alive(w);
	if (w->turn)
		turn_note(w->turn, str_of(note));
}

/* From here on its session cannot be found lost. */
static void
note_speech(struct warm *w)
{
	if (w->said_something)
		return;
	w->said_something = true;
	w->pool->spoke(w);
}

void
talk_text(struct talk *t, struct str s)
{
	struct warm *w = warm_of(t);

	if (w->state != WARM_BUSY)
		return;
	w->answer = answer_add(w->answer, s);
	note_speech(w);
	turn_text(w->turn, s);
	check_backlog(w);
}

void
talk_reasoning(struct talk *t, struct str s)
{
	struct warm *w = warm_of(t);

	if (w->state != WARM_BUSY)
		return;
	note_speech(w);
	turn_reasoning(w->turn, s);
	check_backlog(w);
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
talk_tool(struct talk *t, json_t *json)
{
	struct warm *w = warm_of(t);
	char *text = json_dumps(json, JSON_COMPACT);
	json_t *excerpt;

	if (text && strlen(text) > MAX_DELTA) {
		excerpt = excerpt_of(json, str_of(text));
		free(text);
		text = json_dumps(excerpt, JSON_COMPACT);
		json_decref(excerpt);
	}
	if (w->state == WARM_BUSY && text) {
		note_speech(w);
		turn_tool(w->turn, str_of(text));
		check_backlog(w);
	}
	free(text);
	json_decref(json);
}

void
talk_lost(struct talk *t)
{
	struct warm *w = warm_of(t);

	if (w->state == WARM_STARTING ||
	    (w->state == WARM_BUSY && !w->said_something))
		warm_lost(w);
}

void
talk_finish(struct talk *t, const char *reason, json_t *usage,
	    const char *model)
{
	struct warm *w = warm_of(t);
	char *text = usage ? json_dumps(usage, JSON_COMPACT) : NULL;
	struct error e = w->why;
	struct outcome o = {
		.error = w->state == WARM_STOPPING ? &e : NULL,
		.reason = reason,
		.usage = text,
		.model = model,
	};

	json_decref(usage);
	if (w->state == WARM_BUSY || w->state == WARM_STOPPING)
		warm_conclude(w, &o);
	free(text);
}

void
talk_fail(struct talk *t, const struct error *why)
{
	struct warm *w = warm_of(t);
	struct error e = w->state == WARM_STOPPING ? w->why : *why;
	const struct outcome o = { .error = &e };

	if (w->state == WARM_STARTING)
		warm_give_up(w, &e);
	else if (w->state == WARM_BUSY || w->state == WARM_STOPPING)
		warm_conclude(w, &o);
}

void
talk_abort(struct talk *t, const struct error *why)
{
	struct warm *w = warm_of(t);
	struct error e = w->state == WARM_STOPPING ? w->why : *why;

	if (w->state != WARM_LEAVING)
		warm_give_up(w, &e);
}

void
talk_mark(struct talk *t, const char *position)
{
	struct warm *w = warm_of(t);

	free(w->position);
	w->position = copy(str_of(position));
	t->position = w->position;
}

bool
talk_has_spoken(const struct talk *t)
{
	return container_of(t, const struct warm, talk)->said_something;
}

void
talk_models(struct talk *t, json_t *models)
{
	struct pool *p = warm_of(t)->pool;

	pool_learn_models(p, models);
}
