/* sse - an answer that is written piece by piece, as server-sent events */
#include "gateway/gateway.h"
#include "gateway/reply.h"
#include "gateway/exchange.h"

#include <assert.h>

/* What may be put into one event while the client is slow. */
enum { MAX_EVENT = 128 << 10 };

static struct buf *
begin_event(struct exchange *x)
{
	struct buf *b = request_begin(x->request);

	x->event = b->len;
	buf_put(b, STR("data: "));
	x->spoke = loop_now();
	x->words_end = 0;
	return b;
}

static void
end_event(struct buf *b)
{
	buf_put(b, STR("\n\n"));
}

static void
begin(struct exchange *x)
{
	struct buf *b;

	buf_put(request_begin(x->request), STR(": ok\n\n"));
	b = begin_event(x);
	chat_role(b, &x->stamp);
	end_event(b);
}

static void
on_beat(struct timer *timer)
{
	struct exchange *x = container_of(timer, struct exchange, beat);
	uint64_t every = x->gateway->settings.heartbeat_ms;
	uint64_t silence = loop_now() - x->spoke;

	if (silence >= every) {
		x->spoke = loop_now();
		x->words_end = 0;
		if (!x->request->is_blocked) /* who is slow does not wait */
			buf_put(request_begin(x->request),
				STR(": keepalive\n\n"));
		silence = 0;
	}
	loop_set(&x->gateway->loop, timer, every - silence, on_beat);
}

static void
on_accepted(struct exchange *x)
{
	struct request *r = x->request;

	begin(x);
	request_add(r, "Content-Type", STR("text/event-stream; charset=utf-8"));
	request_add(r, "Cache-Control", STR("no-cache"));
	request_add(r, "X-Accel-Buffering", STR("no"));
	exchange_add_headers(x);
	request_open(r, 200);
	loop_set(&x->gateway->loop, &x->beat, x->gateway->settings.heartbeat_ms,
		 on_beat);
}

static void
on_started(struct exchange *x)
{
	struct standing standing = exchange_standing(x);
	struct buf *b = begin_event(x);

	chat_standing(b, &x->stamp, &standing);
	end_event(b);
}

/*
 * While the client is slow, what follows is put into the last event that
 * waits for it: else many small ones would take much more room than what they
 * say, which is all that is counted.
 */
static bool
can_go_on(const struct exchange *x, enum delta delta)
{
	const struct chunk_writer *s = &x->request->writer;

	return x->request->is_blocked && s->is_open && x->words_end &&
	       x->last == delta && s->bytes.len - x->event < MAX_EVENT;
}

static void
on_text(struct exchange *x, enum delta delta, struct str text)
{
	struct buf *b;

	if (can_go_on(x, delta)) {
		b = request_begin(x->request);
		b->len = x->words_end;
	} else {
		b = begin_event(x);
		chat_begin_delta(b, &x->stamp, delta);
	}
	chat_escape(b, text);
	x->words_end = b->len;
	x->last = delta;
	chat_end_delta(b, &x->stamp);
	end_event(b);
}

static void
on_tool(struct exchange *x, struct str json)
{
	struct buf *b = begin_event(x);

	chat_tool(b, &x->stamp, json);
	end_event(b);
}

static void
end(struct exchange *x)
{
	struct request *r = x->request;

	buf_put(request_begin(r), STR("data: [DONE]\n\n"));
	request_close(r);
}

static void
on_finish(struct exchange *x, const struct msg_finish *m)
{
	struct buf *b = begin_event(x);

	chat_finish(b, &x->stamp, m->reason);
	end_event(b);
	if (x->stamp.include_usage) {
		b = begin_event(x);
		chat_usage(b, &x->stamp, m->usage);
		end_event(b);
	}
	end(x);
}

static void
on_failed(struct exchange *x, const struct error *e)
{
	struct buf *b;

	if (!x->accepted) {
		reply_error(x->request, e, NULL);
		return;
	}
	b = begin_event(x);
	chat_error(b, e, NULL);
	end_event(b);
	end(x);
}

const struct answer answer_sse = {
	.accepted = on_accepted,
	.started = on_started,
	.text = on_text,
	.tool = on_tool,
	.finish = on_finish,
	.failed = on_failed,
};
