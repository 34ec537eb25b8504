#include "gateway/chat/usage.h"

#include <inttypes.h>
#include <stdio.h>

#include "gateway/chat/chat.h"

/* Appends "name":{...} with those parts that are known, and nothing if none
 * is. */
static void
write_details(struct buf *b, const char *name, const char *first,
	      struct amount a, const char *second, struct amount other)
{
	if (!a.is_known && !other.is_known)
		return;
	buf_print(b, ",\"%s\":{", name);
	if (a.is_known)
		buf_print(b, "\"%s\":%" PRIu64, first, a.count);
	if (other.is_known)
		buf_print(b, "%s\"%s\":%" PRIu64, a.is_known ? "," : "", second,
			  other.count);
	buf_put(b, STR("}"));
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
	buf_put(b, STR(",\"cost_usd\":"));
	write_dollars(b, m->cost.count);
	if (m->cost_source.ptr) {
		buf_put(b, STR(",\"cost_source\":\""));
		chat_escape(b, m->cost_source);
		buf_put(b, STR("\""));
	}
}

void
usage_write(struct buf *b, const struct msg_finish *m)
{
	buf_print(b,
		  "{\"prompt_tokens\":%" PRIu64
		  ",\"completion_tokens\":%" PRIu64
		  ",\"total_tokens\":%" PRIu64,
		  m->input.count, m->output.count,
		  m->input.count + m->output.count);
	write_details(b, "prompt_tokens_details", "cached_tokens", m->cached,
		      "cache_write_tokens", m->written);
	write_details(b, "completion_tokens_details", "reasoning_tokens",
		      m->reasoning, NULL, (struct amount){ 0 });
	write_cost(b, m);
	if (!m->input.is_known || !m->output.is_known)
		buf_put(b, STR(",\"is_known\":false"));
	buf_put(b, STR("}"));
}
