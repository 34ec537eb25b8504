#include "workers/cli/usage.h"

#include <string.h>

#include "proto/buf.h"

/* The value at a name that is several keys with dots between them. */
static const json_t *
value_at(const json_t *object, const char *name)
{
	struct str rest = str_of(name);

	while (object && rest.ptr) {
		auto_free char *key = copy(str_cut(rest, '.', &rest));

		object = json_object_get(object, key);
	}
	return object;
}

static struct amount
read_amount(const json_t *object, const char *name)
{
	const json_t *value = name ? value_at(object, name) : NULL;
	json_int_t n = json_integer_value(value);

	if (!json_is_integer(value))
		return (struct amount){ 0 };
	if (n < 0)
		n = 0;
	return amount_of((uint64_t)n < MAX_TOKENS ? (uint64_t)n : MAX_TOKENS);
}

static void
add(struct amount *sum, struct amount more)
{
	sum->is_known |= more.is_known;
	sum->count += more.count;
	if (sum->count > MAX_TOKENS)
		sum->count = MAX_TOKENS;
}

static struct usage
usage_in(const json_t *object, const struct usage_names *n)
{
	struct usage u = {
		.input = read_amount(object, n->input),
		.cached = read_amount(object, n->cached),
		.written = read_amount(object, n->written),
		.output = read_amount(object, n->output),
		.reasoning = read_amount(object, n->reasoning),
	};

	if (n->caches_are_apart && u.input.is_known) {
		add(&u.input, u.cached);
		add(&u.input, u.written);
	}
	if (n->reasoning_is_apart && u.output.is_known)
		add(&u.output, u.reasoning);
	return u;
}

static void
note_prompt(struct usage *sum, const struct usage *request)
{
	if (!request->input.is_known)
		return;
	sum->last = (struct prompt_tokens){
		.all = request->input,
		.cached = request->cached,
	};
	if (!sum->first.all.is_known)
		sum->first = sum->last;
}

void
usage_read(struct usage *sum, const json_t *object, const struct usage_names *n)
{
	struct usage u = usage_in(object, n);

	usage_add(sum, &u);
	if (!n->is_sum)
		note_prompt(sum, &u);
}

void
usage_read_prompt(struct usage *sum, const json_t *object,
		  const struct usage_names *n)
{
	struct usage u = usage_in(object, n);

	note_prompt(sum, &u);
}

void
usage_add(struct usage *sum, const struct usage *more)
{
	add(&sum->input, more->input);
	add(&sum->cached, more->cached);
	add(&sum->written, more->written);
	add(&sum->output, more->output);
	add(&sum->reasoning, more->reasoning);
}

static struct amount
sum_of(struct amount a, struct amount b)
{
	if (!a.is_known || !b.is_known)
		return (struct amount){ 0 };
	add(&a, b);
	return a;
}

struct usage
usage_of_both(const struct usage *a, const struct usage *b)
{
	struct usage u = {
		.input = sum_of(a->input, b->input),
		.cached = sum_of(a->cached, b->cached),
		.written = sum_of(a->written, b->written),
		.output = sum_of(a->output, b->output),
		.reasoning = sum_of(a->reasoning, b->reasoning),
		.cost_source = b->cost_source,
		.first = a->first,
		.last = b->last,
	};

	if (a->cost.is_known && b->cost.is_known &&
	    a->cost.count + b->cost.count <= MAX_COST_NANODOLLARS)
		u.cost = amount_of(a->cost.count + b->cost.count);
	return u;
}

static struct amount
since(struct amount now, struct amount before)
{
	if (now.count >= before.count)
		now.count -= before.count;
	return now;
}

struct usage
usage_since(const struct usage *now, const struct usage *before)
{
	return (struct usage){
		.input = since(now->input, before->input),
		.cached = since(now->cached, before->cached),
		.written = since(now->written, before->written),
		.output = since(now->output, before->output),
		.reasoning = since(now->reasoning, before->reasoning),
	};
}

static void
forget_zero(struct amount *a)
{
	if (!a->count)
		*a = (struct amount){ 0 };
}

static void
forget_tokens(struct usage *u)
{
	*u = (struct usage){ .cost = u->cost, .cost_source = u->cost_source };
}

void
usage_settle(struct usage *u, unsigned facts)
{
	if ((facts & TURN_SPOKE) && u->output.is_known && !u->output.count)
		forget_tokens(u); /* no words are for nothing */
	if (!u->input.count) {	  /* no model is asked without a prompt */
		forget_zero(&u->input);
		forget_zero(&u->cached);
		forget_zero(&u->written);
		forget_zero(&u->output);
		forget_zero(&u->reasoning);
	}
	forget_zero(&u->cost);
	if (!u->cost.is_known)
		u->cost_source = NULL;
	if (!u->first.all.is_known && !(facts & TURN_USED_TOOLS))
		u->first = u->last =
			(struct prompt_tokens){ u->input, u->cached };
	if (!u->first.all.count)
		u->first = (struct prompt_tokens){ 0 };
	if (!u->last.all.count)
		u->last = (struct prompt_tokens){ 0 };
}

void
usage_add_cost(struct usage *u, struct amount cost, const char *source)
{
	if (!cost.is_known)
		return;
	u->cost.is_known = true;
	u->cost.count += cost.count;
	if (u->cost.count > MAX_COST_NANODOLLARS)
		u->cost.count = MAX_COST_NANODOLLARS;
	u->cost_source = source;
}

struct amount
usage_dollars(double dollars)
{
	double nano = dollars * 1e9;

	if (!(nano >= 0)) /* which is false for what is no number, too */
		return (struct amount){ 0 };
	if (nano >= (double)MAX_COST_NANODOLLARS)
		return amount_of(MAX_COST_NANODOLLARS);
	return amount_of((uint64_t)(nano + 0.5));
}

struct amount
usage_read_dollars(const json_t *value)
{
	return usage_dollars(json_is_number(value) ? json_number_value(value)
						   : -1);
}

enum finish_reason
finish_reason_of(const struct finish_word *table, const char *word)
{
	for (; word && table->word; table++)
		if (!strcmp(word, table->word))
			return table->reason;
	return FINISH_NONE;
}
