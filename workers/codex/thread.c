#include "workers/codex/codex.h"

#include <stdio.h>

/*
 * A conversation is a thread.  Before one is opened, the CLI is asked for its
 * settings in that directory, its providers, models and login.  Then it begins
 * a thread or resumes one, and the history is put into it.
 */

uint64_t
codex_hash(uint64_t so_far, struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		so_far = (so_far ^ (unsigned char)text.ptr[i]) *
			 UINT64_C(0x100000001b3);
	return so_far;
}

/* Frees the answers that only the opening of a thread needs. */
static void
forget_answers(struct codex *c)
{
	json_decref(c->config);
	json_decref(c->models);
	json_decref(c->account);
	c->config = c->models = c->account = NULL;
}

/* Steps, once there is a thread */

static void next_step(struct talk *);

static void
on_stepped(void *whom, const json_t *result, const json_t *error)
{
	struct talk *t = whom;
	struct error e = { 0 };

	if (!error) {
		next_step(t);
		return;
	}
	codex_explain_refusal(error, &e);
	talk_fail(t, &e);
}

/* If the turn has ended by itself meanwhile, the answer is an error: that is
 * fine. */
static void
on_calmed(void *whom, const json_t *result, const json_t *error)
{
	next_step(whom);
}

/* Takes `items`. */
static void
inject(struct talk *t, json_t *items)
{
	rpc_ask(codex_rpc(t), "thread/inject_items",
		json_pack("{s:s, s:o}", "threadId", t->cli_id, "items", items),
		on_stepped, t);
}

/*
 * A thread keeps the instructions that it was begun with, whatever it is
 * resumed with.  So new instructions are added as a message of the same role.
 */
static json_t *
new_instructions(const struct talk *t)
{
	struct str s = codex_system(t);

	if (!s.len)
		s = STR("The instructions that were given by the user of this "
			"conversation before do not apply any more.");
	return json_pack("[{s:s, s:s, s:[{s:s, s:s%}]}]", "type", "message",
			 "role", "developer", "content", "type", "input_text",
			 "text", s.ptr, s.len);
}

static void
open_up(struct talk *t)
{
	struct codex *c = t->state;

	c->is_open = true;
	forget_answers(c);
	talk_ready(t);
}

/* An empty turn id stands for any turn that is under way. */
static void
next_step(struct talk *t)
{
	struct codex *c = t->state;
	json_t *items = c->history;

	if (c->is_running) {
		c->is_running = false;
		rpc_ask(codex_rpc(t), "turn/interrupt",
			json_pack("{s:s, s:s}", "threadId", t->cli_id, "turnId",
				  ""),
			on_calmed, t);
	} else if (c->bad[0]) {
		rpc_ask(codex_rpc(t), "thread/revert",
			json_pack("{s:s, s:s}", "threadId", t->cli_id,
				  "beforeTurnId", c->bad),
			on_stepped, t);
		c->bad[0] = '\0';
	} else if (c->is_told_anew) {
		c->is_told_anew = false;
		inject(t, new_instructions(t));
	} else if (items) {
		c->history = NULL;
		inject(t, items);
	} else {
		open_up(t);
	}
}

/* A thread has been opened, or not */

/*
 * A position of ours is "turn hash": the last good turn, and the hash of the
 * instructions that were in force.  Turns that failed or were stopped may
 * follow it: the thread is cut before the first of them.
 */
static void
find_bad_turn(struct talk *t, const json_t *result)
{
	struct codex *c = t->state;
	const json_t *page = json_object_get(result, "initialTurnsPage");
	const json_t *turns = json_object_get(page, "data"), *turn;
	struct str hash, good = str_cut(str_of(t->position), ' ', &hash);
	const char *later = NULL;
	size_t i;

	c->is_told_anew =
		hash.ptr && strtoull(hash.ptr, NULL, 16) != c->instructions;
	json_array_foreach (turns, i, turn) {
		const char *id = json_text(turn, "id");

		if (id && str_is(good, id)) {
			snprintf(c->bad, sizeof c->bad, "%s",
				 later ? later : "");
			return;
		}
		later = id;
	}
}

static void
note_thread(struct talk *t, const json_t *result)
{
	struct codex *c = t->state;
	const json_t *thread = json_object_get(result, "thread");
	const char *status =
		json_text(json_object_get(thread, "status"), "type");
	const char *provider = json_text(result, "modelProvider");
	struct str model = json_str(result, "model");

	snprintf(c->provider, sizeof c->provider, "%s",
		 provider ? provider : "");
	free(c->model);
	c->model = copy(model);
	c->is_running = status && !strcmp(status, "active");
	if (t->resumed && t->position)
		find_bad_turn(t, result);
}

/* Whether Codex refuses an id because it does not know it, or because the id is
 * not one of its own. */
static bool
is_lost(const struct talk *t, const json_t *error)
{
	const char *why = json_text(error, "message");

	return t->resumed && why &&
	       (strstr(why, "no rollout found") ||
		strstr(why, "thread not found") ||
		strstr(why, "invalid session id") ||
		strstr(why, "invalid thread id"));
}

static void
on_refused(struct talk *t, const json_t *error)
{
	struct error e = { 0 };

	if (is_lost(t, error)) {
		talk_lost(t);
		return;
	}
	codex_explain_refusal(error, &e);
	talk_fail(t, &e);
}

static void
unsubscribe(struct rpc *r, const char *thread)
{
	rpc_ask(r, "thread/unsubscribe", json_pack("{s:s}", "threadId", thread),
		NULL, NULL);
}

static void
on_opened(void *whom, const json_t *result, const json_t *error)
{
	struct opening *o = whom;
	struct codex_agent *a = o->agent->state;
	struct talk *t = o->talk;
	const char *id = json_text(json_object_get(result, "thread"), "id");
	struct error e = { 0 };

	list_remove(&a->openings, &o->node);
	free(o);
	if (!t) {
		if (id)
			unsubscribe(&a->rpc, id);
		return;
	}
	((struct codex *)t->state)->opening = NULL;
	if (error) {
		on_refused(t, error);
	} else if (!id) {
		fail_with(&e, ERR_HARNESS,
			  "codex: it opened a thread without an id");
		talk_fail(t, &e);
	} else {
		talk_name_it(t, id);
		note_thread(t, result);
		next_step(t);
	}
}

/* Asking for one */

static void
add_model(const struct talk *t, const struct codex *c, json_t *params)
{
	char *provider = NULL, *model = NULL;

	codex_read_model(c->providers, t->model, &provider, &model);
	if (provider)
		json_object_set_new(params, "modelProvider",
				    json_string(provider));
	if (model)
		json_object_set_new(params, "model", json_string(model));
	free(provider);
	free(model);
}

/* More turns than these will hardly fail in a row. */
enum { TURNS_PAGE = 100 };

static void
open_thread(struct talk *t)
{
	struct codex *c = t->state;
	struct codex_agent *a = t->agent->state;
	struct opening *o = xcalloc(1, sizeof *o);
	json_t *params = codex_settings(t);

	o->agent = t->agent;
	o->talk = t;
	c->opening = o;
	list_append(&a->openings, &o->node);
	if (!t->resumed) {
		add_model(t, c, params);
		json_object_set_new(params, "ephemeral",
				    json_boolean(!t->kept));
		rpc_ask(&a->rpc, "thread/start", params, on_opened, o);
		return;
	}
	json_object_set_new(params, "threadId", json_string(t->cli_id));
	json_object_set_new(params, "excludeTurns", json_true());
	json_object_set_new(params, "initialTurnsPage",
			    json_pack("{s:i, s:s, s:s}", "limit", TURNS_PAGE,
				      "sortDirection", "desc", "itemsView",
				      "notLoaded"));
	rpc_ask(&a->rpc, "thread/resume", params, on_opened, o);
}

/* What it is like */

static void
when_read(struct talk *t)
{
	struct codex *c = t->state;
	struct error e = { 0 };
	json_t *ids;

	if (--c->unread)
		return;
	if (codex_lacks_login(t)) {
		fail_with(&e, ERR_LOGIN,
			  "codex: not logged in: run codex "
			  "login");
		talk_fail(t, &e);
		return;
	}
	ids = codex_model_ids(c);
	talk_models(t, ids);
	free(c->default_model);
	c->default_model = codex_default_model(c);
	open_thread(t);
}

/* A missing answer counts as an empty one. */
static void
keep(json_t **place, const json_t *result)
{
	json_decref(*place);
	*place = json_incref((json_t *)result);
}

static void
on_config(void *whom, const json_t *result, const json_t *error)
{
	struct talk *t = whom;
	struct codex *c = t->state;

	keep(&c->config, json_object_get(result, "config"));
	when_read(t);
}

static void
on_providers(void *whom, const json_t *result, const json_t *error)
{
	struct talk *t = whom;
	struct codex *c = t->state;

	keep(&c->providers, result);
	when_read(t);
}

static void
on_models(void *whom, const json_t *result, const json_t *error)
{
	struct talk *t = whom;
	struct codex *c = t->state;

	keep(&c->models, result);
	when_read(t);
}

static void
on_account(void *whom, const json_t *result, const json_t *error)
{
	struct talk *t = whom;
	struct codex *c = t->state;

	keep(&c->account, result);
	when_read(t);
}

/* talk->history is gone once this returns, so it is copied. */
void
codex_greet(struct talk *t)
{
	struct codex *c = t->state;
	struct rpc *r = codex_rpc(t);

	if (t->history && !t->resumed)
		c->history = codex_items(t->history);
	c->instructions = codex_hash(CODEX_NOTHING, codex_system(t));
	c->unread = 4;
	rpc_ask(r, "config/read", json_pack("{s:s}", "cwd", t->cwd), on_config,
		t);
	rpc_ask(r, "modelProvider/list", json_object(), on_providers, t);
	rpc_ask(r, "model/list", json_object(), on_models, t);
	rpc_ask(r, "account/read", json_object(), on_account, t);
}

/* Closes the thread, and what runs in the background for it. */
void
codex_close(struct talk *t)
{
	struct codex *c = t->state;

	if (c->opening)
		c->opening->talk = NULL;
	c->opening = NULL;
	if (c->is_asked)
		codex_stop_turn(t);
	rpc_forget(codex_rpc(t), t);
	if (!c->is_open)
		return;
	rpc_ask(codex_rpc(t), "thread/backgroundTerminals/clean",
		json_pack("{s:s}", "threadId", t->cli_id), NULL, NULL);
	unsubscribe(codex_rpc(t), t->cli_id);
}

void
codex_clear(struct talk *t)
{
	struct codex *c = t->state;

	if (c->opening)
		c->opening->talk = NULL;
	forget_answers(c);
	json_decref(c->providers);
	json_decref(c->history);
	json_decref(c->input);
	json_decref(c->items);
	free(c->default_model);
	free(c->model);
	free(c->asked_model);
	free(c->answering);
	memset(c, 0, sizeof *c);
}

void
codex_drop_openings(struct codex_agent *a)
{
	struct node *n;

	while (a->openings.head.next && (n = list_first(&a->openings))) {
		list_remove(&a->openings, n);
		free(container_of(n, struct opening, node));
	}
}
