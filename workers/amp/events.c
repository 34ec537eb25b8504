#include "workers/amp/amp.h"

#include <stdio.h>

/*
 * Each line is a JSON object with a "type": `system` at the beginning,
 * `assistant` for each whole answer of the model, `user` for what was said to
 * it and for results of tools, and one `result` at the end.
 */

/* Blocks of a message's content */

static void
on_text(struct conversation *c, const json_t *block)
{
	struct amp *a = c->own;

	paragraphs_say(&a->paragraphs, c, json_str(block, "text"));
}

static void
on_thinking(struct conversation *c, const json_t *block)
{
	conversation_reasoning(c, json_str(block, "thinking"));
}

static void
on_tool_use(struct conversation *c, const json_t *block)
{
	struct amp *a = c->own;

	block_tool_use(&a->paragraphs, c, block);
}

struct block {
	const char *type;
	void (*hear)(struct conversation *, const json_t *);
};

static const struct block of_assistant[] = {
	{ "text", on_text },
	{ "thinking", on_thinking },
	{ "redacted_thinking", NULL },
	{ "tool_use", on_tool_use },
	{ NULL, NULL },
};

/* The text in these lines is what the user said. */
static const struct block of_user[] = {
	{ "text", NULL },
	{ "tool_result", block_tool_result },
	{ NULL, NULL },
};

static void
hear_block(struct conversation *c, const json_t *block,
	   const struct block *known)
{
	const char *type = json_text(block, "type");

	for (; type && known->type; known++)
		if (!strcmp(type, known->type)) {
			if (known->hear)
				known->hear(c, block);
			return;
		}
	instance_unknown(c->instance, "block", type ? type : "without a type");
}

/* Lines of sub-agents are not a part of the answer. */
static void
hear_blocks(struct conversation *c, const json_t *line,
	    const struct block *known)
{
	const json_t *message = json_object_get(line, "message"), *block;
	size_t i;

	if (json_text(line, "parent_tool_use_id"))
		return;
	json_array_foreach (json_object_get(message, "content"), i, block)
		hear_block(c, block, known);
}

/* Lines */

static void
on_system(struct conversation *c, const json_t *line)
{
	const char *id = json_text(line, "session_id");
	struct amp *a = c->own;

	a->has_begun = true;
	if (id && *id && strcmp(id, c->cli_id))
		conversation_name_it(c, id);
}

/* The tokens of sub-agents count as well, but their prompts are others. */
static void
count(struct amp *a, const json_t *usage, bool is_of_agent)
{
	const struct usage_names names = {
		.input = "input_tokens",
		.cached = "cache_read_input_tokens",
		.written = "cache_creation_input_tokens",
		.output = "output_tokens",
		.caches_are_apart = true,
		.is_sum = is_of_agent,
	};

	usage_read(&a->usage, usage, &names);
}

static void
on_assistant(struct conversation *c, const json_t *line)
{
	struct amp *a = c->own;
	const json_t *message = json_object_get(line, "message");
	const char *model = json_text(message, "model");
	const char *reason = json_text(message, "stop_reason");

	a->is_cut = reason && !strcmp(reason, "max_tokens");
	if (model && !json_text(line, "parent_tool_use_id"))
		snprintf(a->model, sizeof a->model, "%s", model);
	count(a, json_object_get(message, "usage"),
	      json_text(line, "parent_tool_use_id") != NULL);
	hear_blocks(c, line, of_assistant);
}

static void
on_user(struct conversation *c, const json_t *line)
{
	hear_blocks(c, line, of_user);
}

/* The result repeats the answer, which may not have been heard before. */
static bool
has_answer(struct conversation *c, const json_t *line)
{
	struct amp *a = c->own;

	if (!a->paragraphs.has_text)
		paragraphs_say(&a->paragraphs, c, json_str(line, "result"));
	return a->paragraphs.has_text;
}

static void
on_result(struct conversation *c, const json_t *line)
{
	const struct amp *a = c->own;
	struct str words = json_str(line, "error");
	struct error why = { 0 };

	if (!words.len)
		words = json_str(line, "result");
	if (!json_is_false(json_object_get(line, "is_error"))) {
		amp_explain(words.len ? words : STR("no reason given"), &why);
		conversation_fail(c, &why);
	} else if (has_answer(c, line)) {
		conversation_finish(c, a->is_cut ? FINISH_LENGTH : FINISH_STOP,
				    &a->usage, a->model[0] ? a->model : NULL);
	} else {
		fail_with(&why, ERR_HARNESS,
			  "amp: the answer is empty (no stream output)");
		conversation_fail(c, &why);
	}
}

static const struct {
	const char *type;
	void (*hear)(struct conversation *, const json_t *);
} events[] = {
	{ "system", on_system },
	{ "assistant", on_assistant },
	{ "user", on_user },
	{ "result", on_result },
};

static void
hear(struct conversation *c, const json_t *line)
{
	const char *type = json_text(line, "type");

	for (size_t i = 0; type && i < sizeof events / sizeof *events; i++)
		if (!strcmp(type, events[i].type)) {
			events[i].hear(c, line);
			return;
		}
	instance_unknown(c->instance, "event", type ? type : "without a type");
}

/* A line that looks like an event but is no valid JSON: its text is missing
 * from the answer. */
static bool
is_damaged(struct str line)
{
	return line.len > 1 && line.ptr[0] == '{' &&
	       line.ptr[line.len - 1] == '}';
}

/*
 * Without a login amp does not end.  It prints where to log in, and waits.
 */
static bool
wants_login(struct str line)
{
	return str_starts(line, STR("No API key found")) ||
	       memmem(line.ptr, line.len, "/auth/cli-login?", 16);
}

bool
amp_line(struct conversation *c, struct str said, struct error *e)
{
	json_t *line = json_loadb(said.ptr, said.len, JSON_ALLOW_NUL, NULL);

	if (line) {
		hear(c, line);
		json_decref(line);
		return true;
	}
	if (is_damaged(said))
		return fail_with(e, ERR_HARNESS,
				 "amp: it wrote a line that is not valid JSON");
	if (said.len && wants_login(said))
		return fail_with(e, ERR_LOGIN,
				 "amp: not logged in (set AMP_ENV_AMP_API_KEY, "
				 "or run amp login)");
	return true;
}
