#include "gateway/chat/usage.h"

#include <inttypes.h>
#include <stdio.h>

#include "gateway/chat/chat.h"

/* Begins a member of the object that was begun. */
static void
add_name(struct buf *b, const char *name)
{
	buf_print(b, "%s\"%s\":", b->ptr[b->len - 1] == '{' ? "" : ",", name);
}

static void
add_amount(struct buf *b, const char *name, struct amount a)
{
	if (!a.is_known)
		return;
	add_name(b, name);
	buf_print(b, "%" PRIu64, a.count);
}

/* Nanodollars as a decimal fraction of dollars: "0.0004", "12.0". */
static void
write_dollars(struct buf *b, uint64_t nanodollars)
{
	char digits[32];
	size_t len = (size_t)snprintf(
		digits, sizeof digits, "%" PRIu64 ".%09" PRIu64,
		nanodollars / 1000000000, nanodollars % 1000000000);

	while (digits[len - 1] == '0' && digits[len - 2] != '.')
		len--;
	buf_put(b, (struct str){ digits, len });
}

static void
write_cost(struct buf *b, const struct msg_finish *m)
{
	if (!m->cost.is_known)
		return;
	add_name(b, "cost_usd");
	write_dollars(b, m->cost.count);
	if (m->cost_source.ptr) {
		add_name(b, "cost_source");
		buf_put(b, STR("\""));
		chat_escape(b, m->cost_source);
		buf_put(b, STR("\""));
	}
}

bool
usage_is_whole(const struct msg_finish *m)
{
	return m->input.is_known && m->output.is_known;
}

static void
write_known(struct buf *b, const struct msg_finish *m)
{
	buf_put(b, STR("{"));
	add_amount(b, "prompt_tokens", m->input);
	add_amount(b, "completion_tokens", m->output);
	if (usage_is_whole(m))
		add_amount(b, "total_tokens",
			   amount_of(m->input.count + m->output.count));
	if (m->cached.is_known || m->written.is_known) {
		add_name(b, "prompt_tokens_details");
		buf_put(b, STR("{"));
		add_amount(b, "cached_tokens", m->cached);
		add_amount(b, "cache_write_tokens", m->written);
		buf_put(b, STR("}"));
	}
	if (m->reasoning.is_known) {
		add_name(b, "completion_tokens_details");
		buf_put(b, STR("{"));
		add_amount(b, "reasoning_tokens", m->reasoning);
		buf_put(b, STR("}"));
	}
	write_cost(b, m);
	buf_put(b, STR("}"));
}

void
usage_write(struct buf *b, const struct msg_finish *m)
{
	if (usage_is_whole(m))
		write_known(b, m);
	else
		buf_put(b, STR("null"));
}

static bool
is_nothing_known(const struct msg_finish *m)
{
	return !m->input.is_known && !m->output.is_known &&
	       !m->cached.is_known && !m->written.is_known &&
	       !m->reasoning.is_known && !m->cost.is_known;
}

void
usage_write_bridge(struct buf *b, const struct msg_finish *m, const char *cache)
{
	if (!usage_is_whole(m) && !is_nothing_known(m)) {
		add_name(b, "usage");
		write_known(b, m);
	}
	if (!cache)
		return;
	add_name(b, "cache");
	buf_put(b, STR("{\"how\":\""));
	chat_escape(b, str_of(cache));
	buf_put(b, STR("\""));
	add_amount(b, "expected", m->expected);
	add_amount(b, "cached", m->again);
	add_amount(b, "fresh", m->fresh);
	if (m->rebilled.is_known) {
		add_name(b, "rebilled");
		buf_put(b, m->rebilled.count ? STR("true") : STR("false"));
	}
	buf_put(b, STR("}"));
}

void
usage_write_extension(struct buf *b, const struct msg_finish *m,
		      const char *cache)
{
	size_t before = b->len, empty;

	add_name(b, "bridge");
	buf_put(b, STR("{"));
	empty = b->len;
	usage_write_bridge(b, m, cache);
	if (b->len == empty)
		b->len = before;
	else
		buf_put(b, STR("}"));
}

char *
usage_cache_header(const char *cache, const struct msg_finish *m)
{
	if (!m || !m->rebilled.is_known)
		return copy(str_of(cache));
	return copy_format("%s; expected=%" PRIu64 "; cached=%" PRIu64
			   "; fresh=%" PRIu64 "; rebilled=%s",
			   cache, m->expected.count, m->again.count,
			   m->fresh.count,
			   m->rebilled.count ? "true" : "false");
}
