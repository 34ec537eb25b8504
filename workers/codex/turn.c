#include "workers/codex/codex.h"

#include <inttypes.h>
#include <stdio.h>

/* A turn, from its input to its end. */

static void
forget_turn(struct codex *c)
{
	json_decref(c->input);
	json_decref(c->items);
	free(c->answering);
	c->input = NULL;
	c->items = json_object();
	c->answering = NULL;
	c->is_asked = c->is_started = c->is_stopping = c->is_alone = false;
	c->has_text = c->has_reasoning = false;
	c->turn[0] = c->reasoning[0] = '\0';
	c->retries = 0;
	c->usage = (struct usage){ 0 };
}

static void
begin_turn(struct conversation *c)
{
	forget_turn(c->own);
	codex_drop_calls(c);
}

/* Ends the turn, and frees what belongs to it. */
static void
end_turn(struct conversation *c, const struct error *e)
{
	struct codex *own = c->own;

	own->is_asked = false;
	conversation_fail(c, e);
}

/* A second turn/start would steer the turn under way instead of waiting: the
 * engine says one turn at a time. */

static void
on_asked(void *whom, const json_t *result, const json_t *error)
{
	struct conversation *c = whom;
	struct codex *own = c->own;
	const char *id = json_text(json_object_get(result, "turn"), "id");
	struct error e = { 0 };

	if (error) {
		codex_explain_refusal(error, &e);
		end_turn(c, &e);
		return;
	}
	if (id)
		snprintf(own->turn, sizeof own->turn, "%s", id);
	free(own->model);
	own->model = own->asked_model;
	own->asked_model = NULL;
}

/* A thread keeps the model of its last turn: so the model is named unless it is
 * known to be the same. */
static void
start_turn(struct conversation *c)
{
	struct codex *own = c->own;
	bool is_same = own->model && own->asked_model &&
		       !strcmp(own->model, own->asked_model);
	json_t *params = json_pack("{s:s, s:o}", "threadId", c->cli_id, "input",
				   own->input ? own->input : json_array());

	own->input = NULL;
	own->is_asked = true;
	if (own->asked_model && !is_same)
		json_object_set_new(params, "model",
				    json_string(own->asked_model));
	codex_add_effort(own, params);
	codex_add_format(c, params);
	rpc_ask(codex_rpc(c), "turn/start", params, on_asked, c);
}

static void
on_injected(void *whom, const json_t *result, const json_t *error)
{
	struct conversation *c = whom;
	struct codex *own = c->own;
	struct error e = { 0 };

	if (own->is_stopping)
		fail_with(&e, ERR_CANCELLED, "cancelled");
	else if (error)
		codex_explain_refusal(error, &e);
	if (e.code)
		conversation_abort(
			c, &e); /* the message is there, without an answer */
	else
		start_turn(c);
}

/* See input.c. */
static void
inject_and_start(struct conversation *c)
{
	struct codex *own = c->own;
	json_t *item = codex_item_of_input(own->input);

	json_decref(own->input);
	own->input = NULL;
	rpc_ask(codex_rpc(c), "thread/inject_items",
		json_pack("{s:s, s:[o]}", "threadId", c->cli_id, "items", item),
		on_injected, c);
}

/* The input waits for this answer. */
static void
on_skills(void *whom, const json_t *result, const json_t *error)
{
	struct conversation *c = whom;
	struct codex *own = c->own;
	struct error e = { 0 };
	bool as_item;

	if (own->is_stopping) {
		fail_with(&e, ERR_CANCELLED, "cancelled");
		conversation_fail(c, &e);
		return;
	}
	own->input = codex_make_inert(own->input, result, &as_item);
	if (as_item)
		inject_and_start(c);
	else
		start_turn(c);
}

/* A thread keeps the provider that it was begun with: Codex refuses to resume
 * it with another. */
static bool
choose_model(struct conversation *c, struct error *e)
{
	struct codex *own = c->own;
	char *provider, *model;
	bool is_other;

	codex_read_model(own->providers, c->model, &provider, &model);
	is_other = provider && strcmp(provider, own->provider) != 0;
	free(provider);
	if (is_other) {
		free(model);
		return fail_with(e, ERR_UNSUPPORTED,
				 "codex: this conversation is with the "
				 "provider %s, and can't go on with another",
				 own->provider);
	}
	free(own->asked_model);
	own->asked_model = model ? model : copy(str_of(own->default_model));
	return true;
}

void
codex_say(struct conversation *c)
{
	struct codex *own = c->own;
	struct error e = { 0 };

	begin_turn(c);
	if (!choose_model(c, &e) || !codex_choose_effort(c, &e)) {
		conversation_fail(c, &e);
		return;
	}
	own->input = codex_input(c);
	if (codex_may_name_skills(own->input))
		rpc_ask(codex_rpc(c), "skills/list",
			json_pack("{s:[s]}", "cwds", c->cwd), on_skills, c);
	else
		start_turn(c);
}

/*
 * Between the answer to turn/start and turn/started, turn/interrupt does not
 * know the turn's id; an empty id stands for the turn that is about to begin.
 */
void
codex_stop_turn(struct conversation *c)
{
	const struct codex *own = c->own;

	rpc_ask(codex_rpc(c), "turn/interrupt",
		json_pack("{s:s, s:s}", "threadId", c->cli_id, "turnId",
			  own->is_started ? own->turn : ""),
		NULL, NULL);
}

void
codex_interrupt(struct conversation *c)
{
	struct codex *own = c->own;

	own->is_stopping = true;
	if (own->is_asked)
		codex_stop_turn(c);
}

/* By its id, so that no other turn is hit. */
void
codex_interrupt_own(struct conversation *c)
{
	const struct codex *own = c->own;

	if (own->is_alone)
		rpc_ask(codex_rpc(c), "turn/interrupt",
			json_pack("{s:s, s:s}", "threadId", c->cli_id, "turnId",
				  own->turn),
			NULL, NULL);
}

/* What Codex tells of its turn */

bool
codex_is_turn(const struct codex *c, const json_t *params)
{
	const char *id = json_text(params, "turnId");

	if (!id)
		id = json_text(json_object_get(params, "turn"), "id");
	return (c->is_asked || c->is_alone) && c->turn[0] && id &&
	       !strcmp(c->turn, id);
}

/* Codex goes on by itself, for example towards a goal. */
static void
begin_alone(struct conversation *c, const char *id)
{
	struct codex *own = c->own;

	if (!own->is_open)
		return;
	begin_turn(c);
	own->is_alone = true;
	snprintf(own->turn, sizeof own->turn, "%s", id);
	conversation_speaks_alone(c);
}

static void
end_alone(struct conversation *c)
{
	struct codex *own = c->own;

	own->is_alone = false;
	conversation_falls_silent(c);
}

/* This notification may be the first that has the turn's id. */
void
codex_on_turn_started(struct conversation *c, const json_t *params)
{
	struct codex *own = c->own;
	const char *id = json_text(json_object_get(params, "turn"), "id");

	if (!id)
		return;
	if (!own->is_asked) {
		begin_alone(c, id);
		return;
	}
	if (!own->turn[0])
		snprintf(own->turn, sizeof own->turn, "%s", id);
	if (strcmp(own->turn, id) != 0)
		return;
	own->is_started = true;
	if (own->is_stopping)
		codex_stop_turn(c);
}

void
codex_add_usage(struct codex *own, const json_t *breakdown)
{
	static const struct usage_names names = {
		.input = "inputTokens",
		.cached = "cachedInputTokens",
		.written = "cacheWriteInputTokens",
		.output = "outputTokens",
		.reasoning = "reasoningOutputTokens",
	};

	usage_read(&own->usage, breakdown, &names);
}

/* Each request of a turn is told with its own tokens and the sum of the thread.
 * If the sum has not grown, the request was told before. */
void
codex_on_usage(struct conversation *c, const json_t *params)
{
	struct codex *own = c->own;
	const json_t *usage = json_object_get(params, "tokenUsage");
	json_int_t all = json_integer_value(json_object_get(
		json_object_get(usage, "total"), "totalTokens"));

	if (all == own->thread_tokens || own->is_raw)
		return;
	own->thread_tokens = all;
	codex_add_usage(own, json_object_get(usage, "last"));
}

void
codex_on_rerouted(struct conversation *c, const json_t *params)
{
	struct codex *own = c->own;

	free(own->answering);
	own->answering = copy(json_str(params, "toModel"));
}

static void
finish(struct conversation *c, enum finish_reason reason)
{
	struct codex *own = c->own;
	const struct codex_agent *a = c->instance->own;
	auto_free char *position = copy_format(
		"%s %" PRIx64 " %" PRIx64, own->turn, own->instructions, a->id);
	struct error e = { 0 };

	if (!own->has_text) {
		fail_with(&e, ERR_HARNESS,
			  "codex: the answer is empty (no stream output)");
		end_turn(c, &e);
		return;
	}
	own->is_asked = false;
	conversation_mark(c, position);
	conversation_finish(c, reason, &own->usage,
			    own->answering ? own->answering : own->model);
}

/* To Codex, an answer that reached its maximum length is a failure. */
static enum finish_reason
reason_in(const json_t *error)
{
	const char *words = json_text(error, "message");

	if (words && strstr(words, "reason: max_output_tokens"))
		return FINISH_LENGTH;
	if (words && strstr(words, "reason: content_filter"))
		return FINISH_CONTENT_FILTER;
	return FINISH_NONE;
}

static void
on_failed(struct conversation *c, const json_t *error)
{
	const struct codex *own = c->own;
	enum finish_reason reason = reason_in(error);
	struct error e = { 0 };

	if (reason && own->has_text) {
		finish(c, reason);
		return;
	}
	codex_explain(error, &e);
	end_turn(c, &e);
}

void
codex_on_turn_completed(struct conversation *c, const json_t *params)
{
	const struct codex *own = c->own;
	const json_t *turn = json_object_get(params, "turn");
	const char *status = json_text(turn, "status");
	struct error e = { 0 };

	if (own->is_alone) {
		end_alone(c);
	} else if (status && !strcmp(status, "completed")) {
		finish(c, FINISH_STOP);
	} else if (status && !strcmp(status, "failed")) {
		on_failed(c, json_object_get(turn, "error"));
	} else if (own->is_stopping) {
		fail_with(&e, ERR_CANCELLED, "cancelled");
		end_turn(c, &e);
	} else {
		fail_with(&e, ERR_HARNESS, "codex: the turn ended as \"%s\"",
			  status ? status : "");
		end_turn(c, &e);
	}
}

/* How many times Codex may fail to reach its vendor. */
enum { MAX_RETRIES = 6 };

/*
 * The built-in provider is asked by a WebSocket first.  If that fails five
 * times within six seconds, it is asked by HTTP as the others are.  So these
 * failures mean nothing, unless the vendor's reason stands beside them.
 */
static bool
may_retry(const struct codex *c, const json_t *error)
{
	const char *details = json_text(error, "additionalDetails");
	bool is_socket = details && strstr(details, "url: ws");
	int status = codex_status_of(error);

	if (status == 401 || status == 403 || status == 429)
		return false;
	return (!status || is_socket) && c->retries < MAX_RETRIES;
}

/*
 * Codex is about to ask the vendor again, or has given up, which the end of the
 * turn says as well.  A turn that has spoken cannot take its words back, and a
 * second try would repeat them.
 */
void
codex_on_error(struct conversation *c, const json_t *params)
{
	struct codex *own = c->own;
	const json_t *error = json_object_get(params, "error");
	struct error e = { 0 };

	if (own->is_alone ||
	    !json_is_true(json_object_get(params, "willRetry")))
		return;
	own->retries++;
	if (!conversation_has_spoken(c) && may_retry(own, error))
		return;
	codex_explain(error, &e);
	conversation_abort(c, &e);
}
