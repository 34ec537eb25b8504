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
	json_int_t n;

	if (!name)
		return (struct amount){ 0 };
	n = json_integer_value(value_at(object, name));
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

void
usage_read(struct usage *sum, const json_t *object, const struct usage_names *n)
{
	struct usage u = {
		.input = read_amount(object, n->input),
		.cached = read_amount(object, n->cached),
		.written = read_amount(object, n->written),
		.output = read_amount(object, n->output),
		.reasoning = read_amount(object, n->reasoning),
	};

	if (!json_is_object(object))
		return;
	if (n->caches_are_apart) {
		add(&u.input, u.cached);
		add(&u.input, u.written);
	}
	if (n->reasoning_is_apart)
		add(&u.output, u.reasoning);
	usage_add(sum, &u);
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

enum finish_reason
finish_reason_of(const struct finish_word *table, const char *word)
{
	for (; word && table->word; table++)
		if (!strcmp(word, table->word))
			return table->reason;
	return FINISH_NONE;
}
