#include "workers/opencode/opencode.h"

#include <ctype.h>

#include "workers/cli/transcript.h"

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

static void
be_open(struct conversation *c)
{
	struct server *s = c->instance->own;
	struct opencode *o = c->own;

	json_decref(o->history);
	o->history = NULL;
	conversation_models(c, json_incref(s->models));
	conversation_ready(c);
}

static void
be_ready(struct conversation *c)
{
	servers_open(c, be_open);
}

/* Importing a history */

static void make(struct conversation *);
static void on_deleted(struct request *, int status, const json_t *answer);
static void import_more(struct conversation *);

/* A part of the history may be in the session now, so another session is made,
 * which gets the history as text. */
static void
begin_without_import(struct conversation *c)
{
	struct opencode *o = c->own;

	import_end(o);
	o->import_was_refused = true;
	session_ask(c, "DELETE", "", NULL, on_deleted);
	o->is_open = false;
	make(c);
}

static void
on_imported(struct request *x, int status, const json_t *answer)
{
	struct opencode *o = x->conversation ? x->conversation->own : NULL;

	if (!o)
		return;
	if (status / 100 != 2) {
		begin_without_import(x->conversation);
		return;
	}
	conversation_working(x->conversation, "importing the conversation",
			     o->import.messages, json_array_size(o->history));
	import_more(x->conversation);
}

/* Hands over the next piece.  A history that was imported is not said as text.
 */
static void
import_more(struct conversation *c)
{
	struct opencode *o = c->own;
	auto_free char *path = copy_format("/sync/replay%s", o->where);
	json_t *piece = import_next(c);

	if (piece) {
		request_send(c->instance, c, "POST", path, piece, on_imported);
		return;
	}
	import_end(o);
	json_decref(o->preface);
	o->preface = NULL;
	be_ready(c);
}

/* The session is open, and stands where the last good turn ended.  Takes
 * `model`. */
static void
tell_history(struct conversation *c, json_t *model)
{
	struct server *s = c->instance->own;
	struct opencode *o = c->own;

	if (!model && o->its_model)
		model = model_named(s, o->its_model);
	if (import_begin(c, model))
		import_more(c);
	else
		be_ready(c);
}

static void
check_model(struct conversation *c)
{
	struct error e = { 0 };
	json_t *model;

	if (model_of(c, &model, &e))
		tell_history(c, model);
	else
		conversation_fail(c, &e);
}

static void
on_config(struct request *x, int status, const json_t *answer)
{
	struct opencode *o = x->conversation ? x->conversation->own : NULL;
	const char *model = json_text(answer, "model");
	const struct server *s = x->instance->own;

	if (!o)
		return;
	free(o->its_model);
	o->its_model = copy(str_of(model));
	o->has_default = model || (!s->has_free && s->first_model);
	check_model(x->conversation);
}

/* The configuration says whether the default model is the user's choice. */
static void
find_default(struct conversation *c)
{
	struct opencode *o = c->own;
	auto_free char *path = copy_format("/config%s", o->where);

	request_send(c->instance, c, "GET", path, NULL, on_config);
}

/* A new session */

static void
on_deleted(struct request *x, int status, const json_t *answer)
{
}

static void
on_made(struct request *x, int status, const json_t *answer)
{
	const char *id = json_text(answer, "id");
	struct opencode *o = x->conversation ? x->conversation->own : NULL;
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
		conversation_fail(x->conversation, &e);
		return;
	}
	o->is_open = true;
	conversation_name_it(x->conversation, id);
	find_default(x->conversation);
}

/* With a title of ours, opencode does not ask a model for one. */
static void
make(struct conversation *c)
{
	struct opencode *o = c->own;
	auto_free char *path = copy_format("/session%s", o->where);

	request_send(c->instance, c, "POST", path,
		     json_pack("{s:s, s:o}", "title", "cli-bridge",
			       "permission", rules_of(c)),
		     on_made);
}

/* A session that the server knows */

static void
on_taken_back(struct request *x, int status, const json_t *answer)
{
	if (!x->conversation)
		return;
	if (status / 100 == 2)
		find_default(x->conversation);
	else
		conversation_lost(x->conversation);
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

/* A session that was begun under other rules goes on in a copy of it, which has
 * none at first. */

static void
on_copy_ruled(struct request *x, int status, const json_t *answer)
{
	struct error e = { 0 };

	if (!x->conversation)
		return;
	if (server_agrees(status, answer, &e))
		find_default(x->conversation);
	else
		conversation_fail(x->conversation, &e);
}

static void
on_forked(struct request *x, int status, const json_t *answer)
{
	struct conversation *c = x->conversation;
	const char *id = json_text(answer, "id");

	if (!c)
		return;
	if (status / 100 != 2 || !id) {
		conversation_lost(c);
		return;
	}
	conversation_name_it(c, id);
	session_ask(c, "PATCH", "",
		    json_pack("{s:o}", "permission", rules_of(c)),
		    on_copy_ruled);
}

/* `id` is the user's message that is to be taken back with all that follows;
 * NULL: none is. */
static void
go_on(struct conversation *c, json_t *id)
{
	const struct opencode *o = c->own;

	if (o->has_other_rules)
		session_ask(c, "POST", "/fork",
			    json_pack("{s:O*}", "messageID", id), on_forked);
	else if (id)
		session_ask(c, "POST", "/revert",
			    json_pack("{s:O}", "messageID", id), on_taken_back);
	else
		find_default(c);
}

/* Takes back what follows the last good turn, from the user's first message in
 * it. */
static void
on_messages(struct request *x, int status, const json_t *answer)
{
	size_t i;

	if (!x->conversation)
		return;
	i = find_message(answer, x->conversation->position);
	if (i == SIZE_MAX) {
		conversation_lost(x->conversation);
		return;
	}
	while (++i < json_array_size(answer)) {
		const json_t *info =
			json_object_get(json_array_get(answer, i), "info");
		json_t *id = json_object_get(info, "id");

		if (!text_is(json_text(info, "role"), "user"))
			continue;
		go_on(x->conversation, id);
		return;
	}
	go_on(x->conversation, NULL);
}

static void
look_back(struct conversation *c)
{
	struct opencode *o = c->own;
	auto_free char *path = NULL;

	if (!c->position) {
		go_on(c, NULL);
		return;
	}
	path = copy_format("/session/%s/message%s&limit=%d", c->cli_id,
			   o->where, LOOK_BACK);
	request_send(c->instance, c, "GET", path, NULL, on_messages);
}

static void
on_ruled(struct request *x, int status, const json_t *answer)
{
	struct error e = { 0 };

	if (!x->conversation)
		return;
	if (server_agrees(status, answer, &e))
		look_back(x->conversation);
	else
		conversation_fail(x->conversation, &e);
}

static void
on_known(struct request *x, int status, const json_t *answer)
{
	struct conversation *c = x->conversation;
	const json_t *had = json_object_get(answer, "permission");
	struct error e = { 0 };
	struct opencode *o;
	json_t *more;

	if (!c)
		return;
	o = c->own;
	o->has_other_rules = !rules_are(c, had);
	if (status == 404) {
		conversation_lost(c);
		return;
	}
	if (!server_agrees(status, answer, &e)) {
		conversation_fail(c, &e);
		return;
	}
	more = o->has_other_rules ? NULL : servers_rules(c, had);
	if (json_array_size(more))
		session_ask(c, "PATCH", "",
			    json_pack("{s:O}", "permission", more), on_ruled);
	else
		look_back(c);
	json_decref(more);
}

static bool
is_its_id(const char *id)
{
	return !strncmp(id, "ses_", 4) &&
	       strspn(id + 4, "0123456789abcdefghijklmnopqrstuvwxyz"
			      "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == strlen(id + 4);
}

void
session_open(struct conversation *c)
{
	struct opencode *o = c->own;

	o->where = opencode_where(directory_of(c));
	o->history = json_incref((json_t *)c->history);
	o->preface = transcript_history(c);
	if (!c->resumed) {
		make(c);
	} else if (is_its_id(c->cli_id)) {
		o->is_open = true;
		session_ask(c, "GET", "", NULL, on_known);
	} else {
		conversation_lost(c);
	}
}

/* The end */

static void
on_last_stop(struct request *x, int status, const json_t *answer)
{
	if (!x->kept)
		session_ask_later(x, "DELETE", "", on_deleted);
}

/* Deleting a session does not stop its turn, so the turn is stopped first. */
void
turn_is_orphan(struct request *x)
{
	session_ask_later(x, "POST", "/abort", on_last_stop);
}

/* If the post of a turn was not answered yet, turn_is_orphan() does the rest
 * later. */
void
session_close(struct conversation *c)
{
	struct opencode *o = c->own;
	bool is_busy = o->phase == ASKED || o->phase == BEGUN;

	server_forget(c);
	servers_close(c);
	if (is_busy && o->key[0])
		json_object_set_new(
			((struct server *)c->instance->own)->burnt_keys, o->key,
			json_true());
	if (!o->is_open || (is_busy && !o->is_accepted))
		return;
	if (is_busy)
		session_ask(c, "POST", "/abort", NULL, on_last_stop);
	else if (!c->kept || o->import.model)
		session_ask(c, "DELETE", "", NULL, on_deleted);
	server_forget(c);
}

void
session_clear(struct conversation *c)
{
	struct opencode *o = c->own;

	server_forget(c);
	free(o->where);
	free(o->its_model);
	import_end(o);
	if (o->waits.next)
		list_remove(&((struct server *)c->instance->own)->waiting,
			    &o->waits);
	json_decref(o->servers);
	json_decref(o->history);
	json_decref(o->preface);
	json_decref(o->parts);
	json_decref(o->structured);
	json_decref(o->kept);
	memset(o, 0, sizeof *o);
}
