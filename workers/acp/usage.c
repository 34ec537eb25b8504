#include "workers/acp/acp.h"

#include <stdio.h>

/*
 * In the protocol, `usage` in the prompt's answer is the sum of all turns of
 * the session.  gemini has `_meta.quota` there, for the turn.  qwen has
 * `_meta.usage` in the last update of each request.  kimi tells tokens only in
 * its records.
 */

static json_int_t
number(const json_t *object, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(object, key));

	return n > 0 ? n : 0;
}

static struct acp_usage
read_usage(const json_t *usage)
{
	return (struct acp_usage){
		.input = number(usage, "inputTokens"),
		.output = number(usage, "outputTokens"),
		.cached = number(usage, "cachedReadTokens"),
		.reasoning = number(usage, "thoughtTokens"),
	};
}

void
acp_add_usage(struct acp *c, const struct acp_usage *u)
{
	c->has_usage = true;
	c->usage.input += u->input;
	c->usage.output += u->output;
	c->usage.cached += u->cached;
	c->usage.reasoning += u->reasoning;
}

void
acp_count_update(struct acp *c, const json_t *update)
{
	const json_t *usage =
		json_object_get(json_object_get(update, "_meta"), "usage");
	struct acp_usage u = read_usage(usage);

	if (json_is_object(usage))
		acp_add_usage(c, &u);
}

/* If the sum has become smaller, the agent has begun to count anew in this
 * turn. */
static json_int_t
since(json_int_t now, json_int_t before)
{
	return now < before ? now : now - before;
}

static void
count_sum(struct acp *c, const json_t *usage)
{
	const struct acp_usage now = read_usage(usage), was = c->sum;
	const struct acp_usage u = {
		.input = since(now.input, was.input),
		.output = since(now.output, was.output),
		.cached = since(now.cached, was.cached),
		.reasoning = since(now.reasoning, was.reasoning),
	};

	c->sum = now;
	acp_add_usage(c, &u);
}

static void
count_quota(struct acp *c, const json_t *quota)
{
	const json_t *tokens = json_object_get(quota, "token_count");
	const json_t *models = json_object_get(quota, "model_usage");
	const struct acp_usage u = {
		.input = number(tokens, "input_tokens"),
		.output = number(tokens, "output_tokens"),
	};
	const char *model = json_text(
		json_array_get(models, json_array_size(models) - 1), "model");

	if (model)
		snprintf(c->answering, sizeof c->answering, "%s", model);
	acp_add_usage(c, &u);
}

void
acp_count_answer(struct acp *c, const json_t *result)
{
	const json_t *usage = json_object_get(result, "usage");
	const json_t *quota =
		json_object_get(json_object_get(result, "_meta"), "quota");

	if (json_is_object(usage))
		count_sum(c, usage);
	else if (json_is_object(quota))
		count_quota(c, quota);
}

json_t *
acp_usage(const struct acp *c)
{
	const struct acp_usage *u = &c->usage;

	if (!c->has_usage)
		return NULL;
	return json_pack("{s:I, s:I, s:I, s:{s:I}, s:{s:I}}", "prompt_tokens",
			 u->input, "completion_tokens", u->output,
			 "total_tokens", u->input + u->output,
			 "prompt_tokens_details", "cached_tokens", u->cached,
			 "completion_tokens_details", "reasoning_tokens",
			 u->reasoning);
}
