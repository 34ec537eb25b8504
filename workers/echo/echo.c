/*
 * echo - a harness that needs no login: it repeats what it is told
 *
 * Its CLI is a small program of ours (program.c) behind the same engine as the
 * real ones.  With it a new machine can try the bridge, a client can be tested,
 * and the bridge can be measured.  The model says what it does beside
 * repeating: "echo/chunks:100,delay:20".
 */
#include "workers/cli/harness.h"

#include "proto/utf8.h"

static bool
command(struct conversation *c, struct words *argv, struct words *env,
	struct error *e)
{
	words_add(argv, c->cli_id);
	words_add(argv, c->kept ? c->scratch : "");
	words_add(argv, c->resumed ? "resume" : "new");
	return true;
}

static void
handshake(struct conversation *c)
{
	if (c->history)
		conversation_write_json(c, json_pack("{s:s, s:O}", "type",
						     "history", "messages",
						     c->history));
}

static void
say(struct conversation *c)
{
	json_t *messages = json_array();

	for (size_t i = c->from; i < json_array_size(c->messages); i++)
		json_array_append(messages, json_array_get(c->messages, i));
	conversation_write_json(c, json_pack("{s:s, s:s?, s:o}", "type", "turn",
					     "model", c->model, "messages",
					     messages));
}

static void
interrupt(struct conversation *c)
{
	conversation_write_json(c, json_pack("{s:s}", "type", "interrupt"));
}

static void
on_ready(struct conversation *c, const json_t *event)
{
	conversation_ready(c);
}

static void
on_lost(struct conversation *c, const json_t *event)
{
	conversation_lost(c);
}

static void
on_text(struct conversation *c, const json_t *event)
{
	conversation_text(c, json_str(event, "text"));
}

static void
on_reasoning(struct conversation *c, const json_t *event)
{
	conversation_reasoning(c, json_str(event, "text"));
}

static void
on_tool(struct conversation *c, const json_t *event)
{
	conversation_tool(c, json_incref(json_object_get(event, "tool")));
}

static void
on_done(struct conversation *c, const json_t *event)
{
	static const struct usage_names names = { .input = "input",
						  .output = "output" };
	struct usage usage = { 0 };

	usage_read(&usage, json_object_get(event, "usage"), &names);
	conversation_finish(c, FINISH_STOP, &usage, "echo");
}

static enum error_code
code_of(json_int_t status)
{
	static const struct {
		json_int_t status;
		enum error_code code;
	} codes[] = {
		{ 400, ERR_INVALID },	{ 401, ERR_LOGIN },
		{ 404, ERR_NO_MODEL },	{ 429, ERR_RATE_LIMIT },
		{ 499, ERR_CANCELLED }, { 503, ERR_OVERLOADED },
	};

	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		if (codes[i].status == status)
			return codes[i].code;
	return ERR_HARNESS;
}

static void
on_error(struct conversation *c, const json_t *event)
{
	const json_t *status = json_object_get(event, "status");
	const json_t *retry = json_object_get(event, "retry_ms");
	struct error e = { 0 };

	fail_with(&e, code_of(json_integer_value(status)), STR_FMT,
		  STR_ARG(json_str(event, "text")));
	e.retry_ms = (uint32_t)json_integer_value(retry);
	conversation_fail(c, &e);
}

static const struct {
	const char *type;
	void (*hear)(struct conversation *, const json_t *);
} events[] = {
	{ "ready", on_ready },	       { "lost", on_lost }, { "text", on_text },
	{ "reasoning", on_reasoning }, { "tool", on_tool }, { "done", on_done },
	{ "error", on_error },
};

static bool
line(struct conversation *c, struct str said, struct error *e)
{
	json_error_t why;
	json_t *event = json_loadb(said.ptr, said.len, JSON_ALLOW_NUL, &why);
	const char *type = json_string_value(json_object_get(event, "type"));

	if (!type)
		fail_with(e, ERR_HARNESS, "echo: not an event: %s",
			  event ? "no type" : why.text);
	for (size_t i = 0; type && i < sizeof events / sizeof *events; i++)
		if (!strcmp(events[i].type, type))
			events[i].hear(c, event);
	json_decref(event);
	return type != NULL;
}

static void
ended(struct conversation *c, int status, struct str last_words,
      struct error *e)
{
	if (status == 0)
		fail_with(e, ERR_TRUNCATED, "echo ended before the answer did");
}

static const char *const permission_modes[] = { "all", NULL };
static const char *const models[] = { "echo", NULL };

static const struct harness echo = {
	.can = ECHO_CAN,
	.permission_modes = permission_modes,
	.loads = LOADS_NOTHING | LOADS_PROJECT | LOADS_EVERYTHING,
	.command = command,
	.handshake = handshake,
	.say = say,
	.interrupt = interrupt,
	.line = line,
	.ended = ended,
	.models = models,
};

const struct harness *
harness_of(const char *name, struct error *e)
{
	return &echo;
}
