#include "workers/opencode/opencode.h"

#include <ctype.h>

#include "workers/transcript.h"

enum { LOOK_BACK = 64 }; /* messages among which the last good turn must be */

/* Each request names the directory that it is for. */
char *
opencode_where(const char *directory)
{
	static const char hex[] = "0123456789ABCDEF";
	char *where = xcalloc(3 * strlen(directory) + 16, 1);
	char *to = stpcpy(where, "?directory=");

	for (const char *c = directory; *c; c++) {
		if (isalnum((unsigned char)*c) || strchr("-._~/", *c)) {
			*to++ = *c;
			continue;
		}
		*to++ = '%';
		*to++ = hex[(unsigned char)*c >> 4];
		*to++ = hex[(unsigned char)*c & 15];
	}
	return where;
}

/*
 * The session's rules.  Nobody could answer a question, so asking is denied.
 * The user's own rules apply besides.
 */
static json_t *
rules_of(const struct talk *t)
{
	json_t *rules = json_pack("[{s:s, s:s, s:s}]", "permission", "question",
				  "pattern", "*", "action", "deny");

	if (text_is(t->permission_mode, "deny"))
		json_array_append_new(
			rules, json_pack("{s:s, s:s, s:s}", "permission", "*",
					 "pattern", "*", "action", "deny"));
	return rules;
}

static void
be_ready(struct talk *t)
{
	struct server *s = t->agent->state;
	struct opencode *o = t->state;

	json_decref(o->history);
	o->history = NULL;
	talk_models(t, json_incref(s->models));
	talk_ready(t);
}

/* Importing a history */

static void make(struct talk *);
static void on_deleted(struct errand *, int status, const json_t *answer);
static void import_more(struct talk *);

/* A part of the history may be in the session now, so another session is made,
 * which gets the history as text. */
static void
begin_without_import(struct talk *t)
{
	struct opencode *o = t->state;

	import_end(o);
	o->import_was_refused = true;
	session_ask(t, "DELETE", "", NULL, on_deleted);
	o->is_open = false;
	make(t);
}

static void
on_imported(struct errand *x, int status, const json_t *answer)
{
	struct opencode *o = x->talk ? x->talk->state : NULL;

	if (!o)
		return;
	if (status / 100 != 2) {
		begin_without_import(x->talk);
		return;
	}
	talk_working(x->talk, "importing the conversation", o->import.messages,
		     json_array_size(o->history));
	import_more(x->talk);
}

/* Hands over the next piece.  A history that was imported is not said as text.
 */
static void
import_more(struct talk *t)
{
	struct opencode *o = t->state;
	auto_free char *path = copy_format("/sync/replay%s", o->where);
	json_t *piece = import_next(t);

	if (piece) {
		errand_run(t->agent, t, "POST", path, piece, on_imported);
		return;
	}
	import_end(o);
	json_decref(o->preface);
	o->preface = NULL;
	be_ready(t);
}

/* The session is open, and stands where the last good turn ended.  Takes
 * `model`. */
static void
tell_history(struct talk *t, json_t *model)
{
	struct server *s = t->agent->state;
	struct opencode *o = t->state;

	if (!model && o->its_model)
		model = model_named(s, o->its_model);
	if (import_begin(t, model))
		import_more(t);
	else
		be_ready(t);
}

static void
check_model(struct talk *t)
{
	struct error e = { 0 };
	json_t *model;

	if (model_of(t, &model, &e))
		tell_history(t, model);
	else
		talk_fail(t, &e);
}

static void
on_config(struct errand *x, int status, const json_t *answer)
{
	struct opencode *o = x->talk ? x->talk->state : NULL;
	const char *model = json_text(answer, "model");
	const struct server *s = x->agent->state;

	if (!o)
		return;
	free(o->its_model);
	o->its_model = copy(str_of(model));
	o->has_default = model || (!s->has_free && s->first_model);
	check_model(x->talk);
}

/* The configuration says whether the default model is the user's choice. */
static void
find_default(struct talk *t)
{
	struct opencode *o = t->state;
	auto_free char *path = copy_format("/config%s", o->where);

	errand_run(t->agent, t, "GET", path, NULL, on_config);
}

/* A new session */

static void
on_deleted(struct errand *x, int status, const json_t *answer)
{
}

static void
on_made(struct errand *x, int status, const json_t *answer)
{
	const char *id = json_text(answer, "id");
	struct opencode *o = x->talk ? x->talk->state : NULL;
	struct error e = { 0 };

	if (!o) {
		x->session = copy(str_of(id));
		if (id)
			session_ask_later(x, "DELETE", "", on_deleted);
		return;
	}
	if (!server_agrees(status, answer, &e) ||
	    (!id && !fail_with(&e, ERR_HARNESS,
			       "opencode: it made a session without an id"))) {
		talk_fail(x->talk, &e);
		return;
	}
	o->is_open = true;
	talk_name_it(x->talk, id);
	find_default(x->talk);
}

/* With a title of ours, opencode does not ask a model for one. */
static void
make(struct talk *t)
{
	struct opencode *o = t->state;
	auto_free char *path = copy_format("/session%s", o->where);

	errand_run(t->agent, t, "POST", path,
		   json_pack("{s:s, s:o}", "title", "cli-bridge", "permission",
			     rules_of(t)),
		   on_made);
}

/* A session that the server knows */

static void
on_taken_back(struct errand *x, int status, const json_t *answer)
{
	if (!x->talk)
		return;
	if (status / 100 == 2)
		find_default(x->talk);
	else
		talk_lost(x->talk);
}

static size_t
find_message(const json_t *messages, const char *id)
{
	const json_t *message;
	size_t i;

	json_array_foreach (messages, i, message)
		if (text_is(json_text(json_object_get(message, "info"), "id"),
			    id))
			return i;
	return SIZE_MAX;
}

/* Takes back what follows the last good turn, from the user's first message in
 * it. */
static void
on_messages(struct errand *x, int status, const json_t *answer)
{
	size_t i;

	if (!x->talk)
		return;
	i = find_message(answer, x->talk->position);
	if (i == SIZE_MAX) {
		talk_lost(x->talk);
		return;
	}
	while (++i < json_array_size(answer)) {
		const json_t *info =
			json_object_get(json_array_get(answer, i), "info");
		json_t *id = json_object_get(info, "id");

		if (!text_is(json_text(info, "role"), "user"))
			continue;
		session_ask(x->talk, "POST", "/revert",
			    json_pack("{s:O?}", "messageID", id),
			    on_taken_back);
		return;
	}
	find_default(x->talk);
}

/* A session that was begun under other rules is lost to us: a new one begins.
 */
static void
on_known(struct errand *x, int status, const json_t *answer)
{
	struct talk *t = x->talk;
	struct opencode *o = t ? t->state : NULL;
	auto_free char *path = NULL;
	struct error e = { 0 };
	json_t *rules;
	bool fits;

	if (!o)
		return;
	rules = rules_of(t);
	fits = json_equal(rules, json_object_get(answer, "permission"));
	json_decref(rules);
	if (status == 404 || (status == 200 && !fits)) {
		talk_lost(t);
	} else if (!server_agrees(status, answer, &e)) {
		talk_fail(t, &e);
	} else if (t->position) {
		path = copy_format("/session/%s/message%s&limit=%d", t->cli_id,
				   o->where, LOOK_BACK);
		errand_run(t->agent, t, "GET", path, NULL, on_messages);
	} else {
		find_default(t);
	}
}

static bool
is_its_id(const char *id)
{
	return !strncmp(id, "ses_", 4) &&
	       strspn(id + 4, "0123456789abcdefghijklmnopqrstuvwxyz"
			      "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == strlen(id + 4);
}

void
session_open(struct talk *t)
{
	struct opencode *o = t->state;

	o->where = opencode_where(directory_of(t));
	o->history = json_incref((json_t *)t->history);
	o->preface = transcript_history(t);
	if (!t->resumed) {
		make(t);
	} else if (is_its_id(t->cli_id)) {
		o->is_open = true;
		session_ask(t, "GET", "", NULL, on_known);
	} else {
		talk_lost(t);
	}
}

/* The end */

static void
on_last_stop(struct errand *x, int status, const json_t *answer)
{
	if (!x->kept)
		session_ask_later(x, "DELETE", "", on_deleted);
}

/* Deleting a session does not stop its turn, so the turn is stopped first. */
void
turn_is_orphan(struct errand *x)
{
	session_ask_later(x, "POST", "/abort", on_last_stop);
}

/* If the post of a turn was not answered yet, turn_is_orphan() does the rest
 * later. */
void
session_close(struct talk *t)
{
	struct opencode *o = t->state;
	bool is_busy = o->phase == ASKED || o->phase == BEGUN;

	server_forget(t);
	if (!o->is_open || (is_busy && !o->is_accepted))
		return;
	if (is_busy)
		session_ask(t, "POST", "/abort", NULL, on_last_stop);
	else if (!t->kept || o->import.model)
		session_ask(t, "DELETE", "", NULL, on_deleted);
	server_forget(t);
}

void
session_clear(struct talk *t)
{
	struct opencode *o = t->state;

	server_forget(t);
	free(o->where);
	free(o->its_model);
	import_end(o);
	json_decref(o->history);
	json_decref(o->preface);
	json_decref(o->parts);
	memset(o, 0, sizeof *o);
}
