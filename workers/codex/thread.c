#include "workers/codex/codex.h"

#include <inttypes.h>
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

static void next_step(struct conversation *);
static void fork_thread(struct conversation *);

static void
on_stepped(void *whom, const json_t *result, const json_t *error)
{
	struct conversation *c = whom;
	struct error e = { 0 };

	if (!error) {
		next_step(c);
		return;
	}
	codex_explain_refusal(error, &e);
	conversation_fail(c, &e);
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
inject(struct conversation *c, json_t *items)
{
	rpc_ask(codex_rpc(c), "thread/inject_items",
		json_pack("{s:s, s:o}", "threadId", c->cli_id, "items", items),
		on_stepped, c);
}

/*
 * A thread keeps the instructions that it was begun with, whatever it is
 * resumed with.  So new instructions are added as a message of the same role.
 */
static json_t *
new_instructions(const struct conversation *c)
{
	struct str s = codex_system(c);

	if (!s.len)
		s = STR("The instructions that were given by the user of this "
			"conversation before do not apply any more.");
	return json_pack("[{s:s, s:s, s:[{s:s, s:s%}]}]", "type", "message",
			 "role", "developer", "content", "type", "input_text",
			 "text", s.ptr, s.len);
}

static void
open_up(struct conversation *c)
{
	struct codex *own = c->own;

	own->is_open = true;
	forget_answers(own);
	conversation_ready(c);
}

/* An empty turn id stands for any turn that is under way. */
static void
next_step(struct conversation *c)
{
	struct codex *own = c->own;
	json_t *items = own->history;

	if (own->is_running) {
		own->is_running = false;
		rpc_ask(codex_rpc(c), "turn/interrupt",
			json_pack("{s:s, s:s}", "threadId", c->cli_id, "turnId",
				  ""),
			on_calmed, c);
	} else if (own->last[0]) {
		fork_thread(c);
	} else if (own->is_told_anew) {
		own->is_told_anew = false;
		inject(c, new_instructions(c));
	} else if (items) {
		own->history = NULL;
		inject(c, items);
	} else {
		open_up(c);
	}
}

/* A thread has been opened, or not */

/*
 * A position of ours is "turn hash process": the turn whose answer the
 * conversation goes on behind, the hash of the instructions that were in force,
 * and the id of the process that ran the turn.  If other turns follow it, which
 * failed, were stopped or are taken back, the conversation goes on in a fork of
 * the thread that ends there: the thread itself stays as it is, for the turn
 * that is to come may fail as well.
 *
 * False: another process ran the turn, and did not write its end down.
 */
static bool
read_position(struct conversation *c, const json_t *result)
{
	struct codex *own = c->own;
	const struct codex_agent *a = c->instance->own;
	const json_t *page = json_object_get(result, "initialTurnsPage");
	const json_t *newest = json_array_get(json_object_get(page, "data"), 0);
	const char *path = json_text(json_object_get(result, "thread"), "path");
	const char *id = json_text(newest, "id");
	char turn[MAX_CODEX_ID + 1] = "";
	uint64_t instructions = 0, process = 0;
	int n = sscanf(c->position, "%63s %" SCNx64 " %" SCNx64, turn,
		       &instructions, &process);

	own->is_told_anew = n > 1 && instructions != own->instructions;
	if (n > 2 && process != a->id &&
	    codex_rollout_is_cut(c->executor, path, turn))
		return false;
	if (!id || strcmp(turn, id) != 0)
		snprintf(own->last, sizeof own->last, "%s", turn);
	return true;
}

/* False: the answer behind which the conversation goes on is not there. */
static bool
note_thread(struct conversation *c, const json_t *result)
{
	struct codex *own = c->own;
	const json_t *thread = json_object_get(result, "thread");
	const char *status =
		json_text(json_object_get(thread, "status"), "type");
	const char *provider = json_text(result, "modelProvider");
	struct str model = json_str(result, "model");

	snprintf(own->provider, sizeof own->provider, "%s",
		 provider ? provider : "");
	free(own->model);
	own->model = copy(model);
	codex_note_effort(own, result);
	own->is_running = status && !strcmp(status, "active");
	return !c->resumed || !c->position || own->is_forked ||
	       read_position(c, result);
}

/* Whether Codex refuses an id because it does not know it, or because the id is
 * not one of its own: of a thread, or of the turn where it is to be forked. */
static bool
is_lost(const struct conversation *c, const json_t *error)
{
	const char *why = json_text(error, "message");

	if (((struct codex *)c->own)->is_forked)
		return true; /* the turn is not there */
	return c->resumed && why &&
	       (strstr(why, "no rollout found") ||
		strstr(why, "thread not found") ||
		strstr(why, "invalid session id") ||
		strstr(why, "invalid thread id"));
}

static void
unsubscribe(struct rpc *r, const char *thread)
{
	rpc_ask(r, "thread/unsubscribe", json_pack("{s:s}", "threadId", thread),
		NULL, NULL);
}

static void
on_refused(struct conversation *c, const json_t *error)
{
	struct error e = { 0 };

	if (((struct codex *)c->own)->is_forked)
		unsubscribe(codex_rpc(c), c->cli_id);
	if (codex_has_failed_for_server(c, error, &e)) {
		conversation_fail(c, &e);
		return;
	}
	if (is_lost(c, error)) {
		conversation_lost(c);
		return;
	}
	codex_explain_refusal(error, &e);
	conversation_fail(c, &e);
}

/*
 * A thread whose conversation was closed while it was being opened.  By now the
 * next turn of its session may have asked for the same thread, in the same
 * process: what ended the one subscription would end the other.
 */
static void
abandon(struct instance *inst, struct rpc *r, const char *thread)
{
	if (thread && !instance_conversation(inst, thread))
		unsubscribe(r, thread);
}

static void
on_opened(void *whom, const json_t *result, const json_t *error)
{
	struct opening *o = whom;
	struct instance *inst = o->instance;
	struct codex_agent *a = inst->own;
	struct conversation *c = o->conversation;
	struct codex *own;
	const char *id = json_text(json_object_get(result, "thread"), "id");
	struct error e = { 0 };

	list_remove(&a->openings, &o->node);
	free(o);
	if (!c) {
		abandon(inst, &a->rpc, id);
		return;
	}
	own = c->own;
	own->opening = NULL;
	if (error) {
		on_refused(c, error);
	} else if (!id) {
		fail_with(&e, ERR_HARNESS,
			  "codex: it opened a thread without an id");
		conversation_fail(c, &e);
	} else {
		if (own->is_forked)
			unsubscribe(&a->rpc, c->cli_id);
		conversation_name_it(c, id);
		if (note_thread(c, result)) {
			next_step(c);
			return;
		}
		unsubscribe(&a->rpc, id);
		conversation_lost(c);
	}
}

/* Asking for one */

static void
add_model(const struct conversation *c, const struct codex *own, json_t *params)
{
	char *provider = NULL, *model = NULL;

	codex_read_model(own->providers, c->model, &provider, &model);
	if (provider)
		json_object_set_new(params, "modelProvider",
				    json_string(provider));
	if (model)
		json_object_set_new(params, "model", json_string(model));
	free(provider);
	free(model);
}

/* Takes `params`. */
static void
ask_for_thread(struct conversation *c, const char *method, json_t *params)
{
	struct codex *own = c->own;
	struct codex_agent *a = c->instance->own;
	struct opening *o = xcalloc(1, sizeof *o);

	o->instance = c->instance;
	o->conversation = c;
	own->opening = o;
	list_append(&a->openings, &o->node);
	rpc_ask(&a->rpc, method, params, on_opened, o);
}

static void
open_thread(struct conversation *c)
{
	json_t *params = codex_settings(c);

	if (!c->resumed) {
		add_model(c, c->own, params);
		codex_add_tools(c, params);
		json_object_set_new(params, "ephemeral",
				    json_boolean(!c->kept));
		ask_for_thread(c, "thread/start", params);
		return;
	}
	json_object_set_new(params, "threadId", json_string(c->cli_id));
	json_object_set_new(params, "excludeTurns", json_true());
	json_object_set_new(params, "initialTurnsPage",
			    json_pack("{s:i, s:s, s:s}", "limit", 1,
				      "sortDirection", "desc", "itemsView",
				      "notLoaded"));
	ask_for_thread(c, "thread/resume", params);
}

/* See read_position(). */
static void
fork_thread(struct conversation *c)
{
	struct codex *own = c->own;
	json_t *params = codex_settings(c);

	json_object_set_new(params, "threadId", json_string(c->cli_id));
	json_object_set_new(params, "excludeTurns", json_true());
	json_object_set_new(params, "lastTurnId", json_string(own->last));
	own->last[0] = '\0';
	own->is_forked = true;
	ask_for_thread(c, "thread/fork", params);
}

/* What it is like */

static void
when_read(struct conversation *c)
{
	struct codex *own = c->own;
	struct error e = { 0 };
	json_t *ids;

	if (--own->unread)
		return;
	if (codex_lacks_login(c)) {
		fail_with(&e, ERR_LOGIN,
			  "codex: not logged in: run codex "
			  "login");
		conversation_fail(c, &e);
		return;
	}
	if (!codex_can_be_safe(c, &e) || !codex_check_servers(c, &e)) {
		conversation_fail(c, &e);
		return;
	}
	ids = codex_model_ids(own);
	conversation_models(c, ids);
	free(own->default_model);
	own->default_model = codex_default_model(own);
	open_thread(c);
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
	struct conversation *c = whom;
	struct codex *own = c->own;

	keep(&own->config, json_object_get(result, "config"));
	when_read(c);
}

static void
on_providers(void *whom, const json_t *result, const json_t *error)
{
	struct conversation *c = whom;
	struct codex *own = c->own;

	keep(&own->providers, result);
	when_read(c);
}

static void
on_models(void *whom, const json_t *result, const json_t *error)
{
	struct conversation *c = whom;
	struct codex *own = c->own;

	keep(&own->models, result);
	when_read(c);
}

static void
on_account(void *whom, const json_t *result, const json_t *error)
{
	struct conversation *c = whom;
	struct codex *own = c->own;

	keep(&own->account, result);
	when_read(c);
}

/* conversation->history is gone once this returns, so it is copied. */
void
codex_greet(struct conversation *c)
{
	struct codex *own = c->own;
	struct rpc *r = codex_rpc(c);

	if (c->history && !c->resumed)
		own->history = codex_items(c->history);
	own->instructions = codex_hash(CODEX_NOTHING, codex_system(c));
	own->unread = 4;
	rpc_ask(r, "config/read", json_pack("{s:s}", "cwd", c->cwd), on_config,
		c);
	rpc_ask(r, "modelProvider/list", json_object(), on_providers, c);
	rpc_ask(r, "model/list", json_object(), on_models, c);
	rpc_ask(r, "account/read", json_object(), on_account, c);
}

/* Closes the thread, and what runs in the background for it. */
void
codex_close(struct conversation *c)
{
	struct codex *own = c->own;

	if (own->opening)
		own->opening->conversation = NULL;
	own->opening = NULL;
	if (own->is_asked)
		codex_stop_turn(c);
	rpc_forget(codex_rpc(c), c);
	if (!own->is_open)
		return;
	rpc_ask(codex_rpc(c), "thread/backgroundTerminals/clean",
		json_pack("{s:s}", "threadId", c->cli_id), NULL, NULL);
	unsubscribe(codex_rpc(c), c->cli_id);
}

void
codex_clear(struct conversation *c)
{
	struct codex *own = c->own;

	if (own->opening)
		own->opening->conversation = NULL;
	forget_answers(own);
	json_decref(own->providers);
	json_decref(own->history);
	json_decref(own->input);
	json_decref(own->items);
	json_decref(own->commands);
	codex_drop_calls(c);
	free(own->effort);
	free(own->usual_effort);
	free(own->default_model);
	free(own->model);
	free(own->asked_model);
	free(own->answering);
	memset(own, 0, sizeof *own);
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
