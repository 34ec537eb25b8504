#include "workers/codex/codex.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/wait.h>

#include "workers/cli/transcript.h"
#include "workers/io/json_line.h"

/*
 * `codex exec --json`, for a version of Codex without an app-server.  Each turn
 * has a process, and the answer comes in whole messages.  The history and the
 * system prompt go before the first message as text.  A "$name" of the caller's
 * loads the skill of that name, which cannot be prevented here.  Images would
 * have to be files, and are refused.
 *
 * A position of ours is "hash input cached output reasoning": the hash of the
 * system prompt, and the tokens of the thread so far, which is all that Codex
 * tells of them.
 */

struct execution {
	struct buf text; /* that waits to be said */
	uint64_t system;
	struct usage before; /* of the thread, before the turn */
	bool has_said;	     /* something to it */
	bool has_text, has_reasoning, is_over;
	unsigned retries;
};

static bool
read_position(struct conversation *c)
{
	struct execution *x = c->own;
	unsigned long long n[4] = { 0 }, told = 0;

	if (!c->resumed || !c->position ||
	    sscanf(c->position, "%llx %llu %llu %llu %llu", &told, &n[0], &n[1],
		   &n[2], &n[3]) != 5)
		return false;
	x->before = (struct usage){
		.input = amount_of(n[0]),
		.cached = amount_of(n[1]),
		.output = amount_of(n[2]),
		.reasoning = amount_of(n[3]),
	};
	return told == x->system;
}

/* What stands before a slash in a model counts as the provider: there is no
 * list of providers here. */
static bool
add_model(const struct conversation *c, struct words *argv, struct error *e)
{
	struct str model, provider = str_cut(str_of(c->model), '/', &model);

	if (!c->model)
		return true;
	if (!is_plain_model(c->model))
		return fail_with(e, ERR_NO_MODEL, "codex: no such model: %s",
				 c->model);
	if (!model.ptr) {
		words_print(argv, "--model=%s", c->model);
		return true;
	}
	words_print(argv, "--config=model_provider=\"" STR_FMT "\"",
		    STR_ARG(provider));
	if (!str_is(model, "default"))
		words_print(argv, "--model=" STR_FMT, STR_ARG(model));
	return true;
}

static bool
command(struct conversation *c, struct words *argv, struct words *env,
	struct error *e)
{
	static const char *const always[] = {
		"--json",
		"--skip-git-repo-check",
		"--config=approval_policy=\"never\"",
		"--config=check_for_update_on_startup=false",
		"--config=analytics.enabled=false",
		"--config=features.unbounded_connection_retries=false",
	};

	words_add(argv, "exec");
	if (c->resumed)
		words_add(argv, "resume");
	for (size_t i = 0; i < sizeof always / sizeof *always; i++)
		words_add(argv, always[i]);
	words_print(argv, "--config=sandbox_mode=\"%s\"", c->permission_mode);
	if (!c->kept)
		words_add(argv, "--ephemeral");
	if (!add_model(c, argv, e))
		return false;
	if (c->resumed)
		words_add(argv, c->cli_id);
	words_add(argv, "-");
	return true;
}

/* The preface is made now, because the history is gone later; say() adds the
 * messages. */
static void
handshake(struct conversation *c)
{
	struct execution *x = c->own;
	json_t *parts = json_array(), *text;

	x->system = codex_hash(CODEX_NOTHING, codex_system(c));
	if (!read_position(c)) {
		json_decref(parts);
		parts = transcript_preface(c);
	}
	text = transcript_text(parts);
	json_decref(parts);
	assert(text); /* images are refused before */
	x->text = BUF_INIT(MAX_JSON_LINE);
	buf_put(&x->text, (struct str){ json_string_value(text),
					json_string_length(text) });
	json_decref(text);
	conversation_ready(c);
}

static bool
say_text(void *to, const json_t *part, struct error *e)
{
	struct conversation *c = to;
	struct execution *x = c->own;

	if (x->has_said)
		conversation_write(c, STR("\n\n"));
	x->has_said = true;
	conversation_write(c, json_str(part, "text"));
	return true;
}

/* Codex begins at the end of its input; on failure it does not see that. */
static void
say(struct conversation *c)
{
	static const struct part_handlers handlers = { .text = say_text };
	struct execution *x = c->own;
	struct error e = { 0 };
	json_t *question = transcript_question(c);

	if (x->text.len) {
		conversation_write(c, buf_str(&x->text));
		x->has_said = true;
	}
	if (parts_say(question, &handlers, c, &e))
		conversation_end_input(c);
	else
		conversation_abort(c, &e);
	json_decref(question);
}

static void
on_thread_started(struct conversation *c, const json_t *event)
{
	const char *id = json_text(event, "thread_id");

	if (id)
		conversation_name_it(c, id);
}

static void
on_text(struct conversation *c, const json_t *item)
{
	struct execution *x = c->own;
	struct str text = json_str(item, "text");

	if (!text.len)
		return;
	if (x->has_text)
		conversation_text(c, STR("\n\n"));
	x->has_text = true;
	conversation_text(c, text);
}

static void
on_reasoning(struct conversation *c, const json_t *item)
{
	struct execution *x = c->own;
	struct str text = json_str(item, "text");

	if (!text.len)
		return;
	if (x->has_reasoning)
		conversation_reasoning(c, STR("\n\n"));
	x->has_reasoning = true;
	conversation_reasoning(c, text);
}

/* Every other item is the use of a tool, except the to-do list. */
static bool
is_tool(const char *type)
{
	static const char *const others[] = { "agent_message", "reasoning",
					      "error", "todo_list" };

	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (!strcmp(type, others[i]))
			return false;
	return true;
}

static void
on_item_started(struct conversation *c, const json_t *event)
{
	json_t *item = json_object_get(event, "item"), *arguments;
	const char *type = json_text(item, "type");

	if (!type || !is_tool(type))
		return;
	arguments = json_copy(item);
	json_object_del(arguments, "id");
	json_object_del(arguments, "type");
	json_object_del(arguments, "status");
	json_object_del(arguments, "aggregated_output");
	json_object_del(arguments, "exit_code");
	conversation_tool(c, json_pack("{s:s?, s:s, s:o}", "id",
				       json_text(item, "id"), "name", type,
				       "arguments", arguments));
}

static void
on_tool_completed(struct conversation *c, const json_t *item)
{
	json_t *result = json_object_get(item, "aggregated_output");
	const char *status = json_text(item, "status");

	if (!result)
		result = json_object_get(item, "result");
	if (!result)
		result = json_object_get(item, "status");
	conversation_tool(
		c, json_pack("{s:s?, s:O?, s:O*, s:b}", "id",
			     json_text(item, "id"), "result", result,
			     "exit_code", json_object_get(item, "exit_code"),
			     "is_error", status && !strcmp(status, "failed")));
}

/* An item of the type "error" is only a warning. */
static void
on_item_completed(struct conversation *c, const json_t *event)
{
	const json_t *item = json_object_get(event, "item");
	const char *type = json_text(item, "type");

	if (!type)
		instance_unknown(c->instance, "item", "without a type");
	else if (!strcmp(type, "agent_message"))
		on_text(c, item);
	else if (!strcmp(type, "reasoning"))
		on_reasoning(c, item);
	else if (is_tool(type))
		on_tool_completed(c, item);
}

/* `all`: the tokens of the thread, with those of the turn. */
static void
mark(struct conversation *c, const struct usage *all)
{
	const struct execution *x = c->own;
	auto_free char *position = copy_format(
		"%" PRIx64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64,
		x->system, all->input.count, all->cached.count,
		all->output.count, all->reasoning.count);

	conversation_mark(c, position);
}

static void
fail(struct conversation *c, const json_t *error)
{
	struct execution *x = c->own;
	struct error e = { 0 };

	x->is_over = true;
	codex_explain(error, &e);
	conversation_fail(c, &e);
}

static void
on_turn_completed(struct conversation *c, const json_t *event)
{
	static const struct usage_names names = {
		.input = "input_tokens",
		.cached = "cached_input_tokens",
		.output = "output_tokens",
		.reasoning = "reasoning_output_tokens",
	};
	struct execution *x = c->own;
	struct usage all = { 0 }, turn;
	struct error e = { 0 };

	x->is_over = true;
	if (!x->has_text) {
		fail_with(&e, ERR_HARNESS,
			  "codex: the answer is empty (no stream output)");
		conversation_fail(c, &e);
		return;
	}
	usage_read(&all, json_object_get(event, "usage"), &names);
	turn = usage_since(&all, &x->before);
	mark(c, &all);
	conversation_finish(c, FINISH_STOP, &turn, NULL);
}

static void
on_turn_failed(struct conversation *c, const json_t *event)
{
	fail(c, json_object_get(event, "error"));
}

/*
 * Codex is about to ask the vendor again.  Messages come whole, so nothing is
 * said twice.  But if the vendor has refused the request, asking again soon is
 * of no use.
 */
static void
on_error(struct conversation *c, const json_t *event)
{
	struct execution *x = c->own;
	const char *words = json_text(event, "message");
	enum error_code code = codex_code_of_words(words);

	x->retries++;
	if (words && strstr(words, "url: ws") && x->retries < 6)
		return;
	if (code != ERR_NONE && code != ERR_HARNESS &&
	    (code != ERR_UPSTREAM || x->retries > 2))
		fail(c, event);
}

static const struct {
	const char *type;
	void (*hear)(struct conversation *, const json_t *);
} events[] = {
	{ "thread.started", on_thread_started },
	{ "turn.started", NULL },
	{ "item.started", on_item_started },
	{ "item.updated", NULL },
	{ "item.completed", on_item_completed },
	{ "error", on_error },
	{ "turn.completed", on_turn_completed },
	{ "turn.failed", on_turn_failed },
};

static void
hear(struct conversation *c, const json_t *event)
{
	const struct execution *x = c->own;
	const char *type = json_text(event, "type");

	for (size_t i = 0; type && i < sizeof events / sizeof *events; i++) {
		if (strcmp(type, events[i].type) != 0)
			continue;
		if (events[i].hear && !x->is_over)
			events[i].hear(c, event);
		return;
	}
	instance_unknown(c->instance, "event", type ? type : "without a type");
}

static bool
line(struct conversation *c, struct str said, struct error *e)
{
	json_t *event = json_loadb(said.ptr, said.len, JSON_ALLOW_NUL, NULL);

	if (json_is_object(event))
		hear(c, event);
	else if (str_trim(said).len)
		instance_unknown(c->instance, "line", "that is no JSON object");
	json_decref(event);
	return true;
}

/* If Codex does not know the thread, its last words name it. */
static void
ended(struct conversation *c, int status, struct str last_words,
      struct error *e)
{
	if (WIFEXITED(status) && last_words.len)
		fail_with(e, ERR_HARNESS, "codex: " STR_FMT,
			  STR_ARG(last_words));
}

static void
clear(struct conversation *c)
{
	struct execution *x = c->own;

	buf_fini(&x->text);
	memset(x, 0, sizeof *x);
}

static const char *const may_see[] = { "CODEX_HOME", "CODEX_SQLITE_HOME",
				       "CODEX_CA_CERTIFICATE", NULL };
static const char *const permission_modes[] = { "danger-full-access",
						"workspace-write", "read-only",
						NULL };
static const char *const version[] = { "--version", NULL };
static const char *const models[] = { "default", NULL };

/* The settings may name another provider or another place for the login, so a
 * file of settings counts as a sign of a login. */
static const char *const credentials[] = { "$CODEX_HOME/auth.json",
					   "~/.codex/auth.json",
					   "$CODEX_HOME/config.toml",
					   "~/.codex/config.toml", NULL };

const struct harness codex_exec = {
	.tested = "0.169.0",
	.can = CODEX_EXEC_CAN,
	.own = sizeof(struct execution),
	.may_see = may_see,
	.permission_modes = permission_modes,
	.loads = LOADS_EVERYTHING,
	.version = version,
	.credentials = credentials,
	.log_in = "run codex login",
	.command = command,
	.handshake = handshake,
	.say = say,
	.line = line,
	.ended = ended,
	.clear = clear,
	.models = models,
};
