#include "workers/acp/acp.h"

#include <stdio.h>

/*
 * In the protocol, `usage` in the prompt's answer is the sum of all turns of
 * the session.  gemini has `_meta.quota` there, for the turn.  qwen has
 * `_meta.usage` in the last update of each request.  kimi tells tokens only in
 * its records.
 */

/* In the protocol, a session's cost is told as the sum of all its turns, too.
 * What was spent before a session was opened again is only known if the agent
 * says so before the turn. */
void
acp_count_spent(struct acp *c, const json_t *update)
{
	const json_t *cost = json_object_get(update, "cost");
	const char *currency = json_text(cost, "currency");

	if (currency && !strcmp(currency, "USD"))
		c->spent = usage_read_dollars(json_object_get(cost, "amount"));
}

void
acp_begin_to_count(struct conversation *c)
{
	struct acp *own = c->own;

	own->spent_before = own->spent;
	if (!own->spent.is_known && !c->resumed && c->turns <= 1)
		own->spent_before = amount_of(0);
}

void
acp_count_cost(struct acp *c)
{
	uint64_t before = c->spent_before.count;

	if (c->spent.is_known && c->spent_before.is_known &&
	    c->spent.count >= before)
		usage_add_cost(&c->usage, amount_of(c->spent.count - before),
			       "agent");
}

static const struct usage_names of_protocol = {
	.input = "inputTokens",
	.cached = "cachedReadTokens",
	.output = "outputTokens",
	.reasoning = "thoughtTokens",
};

void
acp_count_update(struct acp *c, const json_t *update)
{
	usage_read(&c->usage,
		   json_object_get(json_object_get(update, "_meta"), "usage"),
		   &of_protocol);
}

/* A sum that has become smaller was begun anew in this turn. */
static void
count_sum(struct acp *c, const json_t *usage)
{
	struct usage now = { 0 }, turn;

	usage_read(&now, usage, &of_protocol);
	turn = usage_since(&now, &c->sum);
	usage_add(&c->usage, &turn);
	c->sum = now;
}

static void
count_quota(struct acp *c, const json_t *quota)
{
	static const struct usage_names names = {
		.input = "input_tokens",
		.output = "output_tokens",
		.is_sum = true,
	};
	const json_t *models = json_object_get(quota, "model_usage");
	const char *model = json_text(
		json_array_get(models, json_array_size(models) - 1), "model");

	if (model)
		snprintf(c->answering, sizeof c->answering, "%s", model);
	usage_read(&c->usage, json_object_get(quota, "token_count"), &names);
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
