#include "workers/codex/codex.h"

#include <inttypes.h>
#include <stdio.h>

/* A turn, from its input to its end. */

static void
forget_turn(struct codex *c)
{
	json_int_t seen = c->usage.seen;

	json_decref(c->input);
	json_decref(c->items);
	free(c->answering);
	c->input = NULL;
	c->items = json_object();
	c->answering = NULL;
	c->is_asked = c->is_started = c->is_stopping = false;
	c->has_text = c->has_reasoning = false;
	c->turn[0] = c->reasoning[0] = '\0';
	c->retries = 0;
	c->usage = (struct codex_usage){ .seen = seen };
}

/* Ends the turn, and frees what belongs to it. */
static void
end_turn(struct talk *t, const struct error *e)
{
	struct codex *c = t->state;

	c->is_asked = false;
	talk_fail(t, e);
}

/* A second turn/start would steer the turn under way instead of waiting: the
 * engine says one turn at a time. */

static void
on_asked(void *whom, const json_t *result, const json_t *error)
{
	struct talk *t = whom;
	struct codex *c = t->state;
	const char *id = json_text(json_object_get(result, "turn"), "id");
	struct error e = { 0 };

	if (error) {
		codex_explain_refusal(error, &e);
		end_turn(t, &e);
		return;
	}
	if (id)
		snprintf(c->turn, sizeof c->turn, "%s", id);
	free(c->model);
	c->model = c->asked_model;
	c->asked_model = NULL;
}

/* A thread keeps the model of its last turn: so the model is named unless it is
 * known to be the same. */
static void
start_turn(struct talk *t)
{
	struct codex *c = t->state;
	bool is_same =
		c->model && c->asked_model && !strcmp(c->model, c->asked_model);
	json_t *params = json_pack("{s:s, s:o}", "threadId", t->cli_id, "input",
				   c->input ? c->input : json_array());

	c->input = NULL;
	c->is_asked = true;
	if (c->asked_model && !is_same)
		json_object_set_new(params, "model",
				    json_string(c->asked_model));
	rpc_ask(codex_rpc(t), "turn/start", params, on_asked, t);
}

static void
on_injected(void *whom, const json_t *result, const json_t *error)
{
	struct talk *t = whom;
	struct codex *c = t->state;
	struct error e = { 0 };

	if (c->is_stopping)
		fail_with(&e, ERR_CANCELLED, "cancelled");
	else if (error)
		codex_explain_refusal(error, &e);
	if (e.code)
		talk_abort(t, &e); /* the message is there, without an answer */
	else
		start_turn(t);
}

/* See input.c. */
static void
inject_and_start(struct talk *t)
{
	struct codex *c = t->state;
	json_t *item = codex_item_of_input(c->input);

	json_decref(c->input);
	c->input = NULL;
	rpc_ask(codex_rpc(t), "thread/inject_items",
		json_pack("{s:s, s:[o]}", "threadId", t->cli_id, "items", item),
		on_injected, t);
}

/* The input waits for this answer. */
static void
on_skills(void *whom, const json_t *result, const json_t *error)
{
	struct talk *t = whom;
	struct codex *c = t->state;
	struct error e = { 0 };
	bool as_item;

	if (c->is_stopping) {
		fail_with(&e, ERR_CANCELLED, "cancelled");
		talk_fail(t, &e);
		return;
	}
	c->input = codex_make_inert(c->input, result, &as_item);
	if (as_item)
		inject_and_start(t);
	else
		start_turn(t);
}

/* A thread keeps the provider that it was begun with: Codex refuses to resume
 * it with another. */
static bool
choose_model(struct talk *t, struct error *e)
{
	struct codex *c = t->state;
	char *provider, *model;
	bool is_other;

	codex_read_model(c->providers, t->model, &provider, &model);
	is_other = provider && strcmp(provider, c->provider) != 0;
	free(provider);
	if (is_other) {
		free(model);
		return fail_with(e, ERR_UNSUPPORTED,
				 "codex: this conversation is with the "
				 "provider %s, and can't go on with another",
				 c->provider);
	}
	free(c->asked_model);
	c->asked_model = model ? model : copy(str_of(c->default_model));
	return true;
}

void
codex_say(struct talk *t)
{
	struct codex *c = t->state;
	struct error e = { 0 };

	forget_turn(c);
	if (!choose_model(t, &e)) {
		talk_fail(t, &e);
		return;
	}
	c->input = codex_input(t);
	if (codex_may_name_skills(c->input))
		rpc_ask(codex_rpc(t), "skills/list",
			json_pack("{s:[s]}", "cwds", t->cwd), on_skills, t);
	else
		start_turn(t);
}

/*
 * Between the answer to turn/start and turn/started, turn/interrupt does not
 * know the turn's id; an empty id stands for the turn that is about to begin.
 */
void
codex_stop_turn(struct talk *t)
{
	const struct codex *c = t->state;

	rpc_ask(codex_rpc(t), "turn/interrupt",
		json_pack("{s:s, s:s}", "threadId", t->cli_id, "turnId",
			  c->is_started ? c->turn : ""),
		NULL, NULL);
}

void
codex_interrupt(struct talk *t)
{
	struct codex *c = t->state;

	c->is_stopping = true;
	if (c->is_asked)
		codex_stop_turn(t);
}

/* What Codex tells of its turn */

bool
codex_is_turn(const struct codex *c, const json_t *params)
{
	const char *id = json_text(params, "turnId");

	if (!id)
		id = json_text(json_object_get(params, "turn"), "id");
	return c->is_asked && c->turn[0] && id && !strcmp(c->turn, id);
}

/* This notification may be the first that has the turn's id. */
void
codex_on_turn_started(struct talk *t, const json_t *params)
{
	struct codex *c = t->state;
	const char *id = json_text(json_object_get(params, "turn"), "id");

	if (!c->is_asked || !id)
		return;
	if (!c->turn[0])
		snprintf(c->turn, sizeof c->turn, "%s", id);
	if (strcmp(c->turn, id) != 0)
		return;
	c->is_started = true;
	if (c->is_stopping)
		codex_stop_turn(t);
}

/* Each request of a turn is told with its own tokens and the sum of the thread.
 * If the sum has not grown, the request was told before. */
void
codex_on_usage(struct talk *t, const json_t *params)
{
	struct codex *c = t->state;
	const json_t *usage = json_object_get(params, "tokenUsage");
	const json_t *last = json_object_get(usage, "last");
	json_int_t all = json_integer_value(json_object_get(
		json_object_get(usage, "total"), "totalTokens"));

	if (all == c->usage.seen)
		return;
	c->usage.seen = all;
	c->usage.input +=
		json_integer_value(json_object_get(last, "inputTokens"));
	c->usage.cached +=
		json_integer_value(json_object_get(last, "cachedInputTokens"));
	c->usage.output +=
		json_integer_value(json_object_get(last, "outputTokens"));
	c->usage.reasoning += json_integer_value(
		json_object_get(last, "reasoningOutputTokens"));
}

static json_t *
usage_of(const struct codex_usage *u)
{
	return json_pack("{s:I, s:I, s:I, s:{s:I}, s:{s:I}}", "prompt_tokens",
			 u->input, "completion_tokens", u->output,
			 "total_tokens", u->input + u->output,
			 "prompt_tokens_details", "cached_tokens", u->cached,
			 "completion_tokens_details", "reasoning_tokens",
			 u->reasoning);
}

void
codex_on_rerouted(struct talk *t, const json_t *params)
{
	struct codex *c = t->state;

	free(c->answering);
	c->answering = copy(json_str(params, "toModel"));
}

static void
finish(struct talk *t, const char *reason)
{
	struct codex *c = t->state;
	auto_free char *position =
		copy_format("%s %" PRIx64, c->turn, c->instructions);
	struct error e = { 0 };

	if (!c->has_text) {
		fail_with(&e, ERR_HARNESS,
			  "codex: the answer is empty (no stream output)");
		end_turn(t, &e);
		return;
	}
	c->is_asked = false;
	talk_mark(t, position);
	talk_finish(t, reason, usage_of(&c->usage),
		    c->answering ? c->answering : c->model);
}

/* To Codex, an answer that reached its maximum length is a failure. */
static const char *
reason_in(const json_t *error)
{
	const char *words = json_text(error, "message");

	if (words && strstr(words, "reason: max_output_tokens"))
		return "length";
	if (words && strstr(words, "reason: content_filter"))
		return "content_filter";
	return NULL;
}

static void
on_failed(struct talk *t, const json_t *error)
{
	const struct codex *c = t->state;
	const char *reason = reason_in(error);
	struct error e = { 0 };

	if (reason && c->has_text) {
		finish(t, reason);
		return;
	}
	codex_explain(error, talk_has_spoken(t), &e);
	end_turn(t, &e);
}

void
codex_on_turn_completed(struct talk *t, const json_t *params)
{
	const struct codex *c = t->state;
	const json_t *turn = json_object_get(params, "turn");
	const char *status = json_text(turn, "status");
	struct error e = { 0 };

	if (status && !strcmp(status, "completed")) {
		finish(t, "stop");
	} else if (status && !strcmp(status, "failed")) {
		on_failed(t, json_object_get(turn, "error"));
	} else if (c->is_stopping) {
		fail_with(&e, ERR_CANCELLED, "cancelled");
		end_turn(t, &e);
	} else {
		fail_with(&e, talk_has_spoken(t) ? ERR_TRUNCATED : ERR_HARNESS,
			  "codex: the turn ended as \"%s\"",
			  status ? status : "");
		end_turn(t, &e);
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
codex_on_error(struct talk *t, const json_t *params)
{
	struct codex *c = t->state;
	const json_t *error = json_object_get(params, "error");
	struct error e = { 0 };

	if (!json_is_true(json_object_get(params, "willRetry")))
		return;
	c->retries++;
	if (!talk_has_spoken(t) && may_retry(c, error))
		return;
	codex_explain(error, talk_has_spoken(t), &e);
	talk_abort(t, &e);
}
