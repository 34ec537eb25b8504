/* sse - an answer that is written piece by piece, as server-sent events */
#include "gateway/gateway.h"
#include "gateway/reply.h"
#include "gateway/turn.h"

#include <assert.h>

/* What may be put into one event while the client is slow. */
enum { MAX_EVENT = 128 << 10 };

static void
add(struct buf *b, struct str s)
{
	struct error e;
	bool fits = buf_add(b, s, &e);

	assert(fits);
}

static struct buf *
begin_event(struct turn *t)
{
	struct buf *b = request_begin(t->request);

	t->event = b->len;
	add(b, STR("data: "));
	t->spoke = loop_now();
	t->words_end = 0;
	return b;
}

static void
end_event(struct buf *b)
{
	add(b, STR("\n\n"));
}

static void
begin(struct turn *t)
{
	struct buf *b;

	add(request_begin(t->request), STR(": ok\n\n"));
	b = begin_event(t);
	chat_role(b, &t->stamp);
	end_event(b);
}

static void
on_beat(struct timer *timer)
{
	struct turn *t = container_of(timer, struct turn, beat);
	uint64_t every = t->gateway->settings.heartbeat_ms;
	uint64_t silence = loop_now() - t->spoke;

	if (silence >= every) {
		t->spoke = loop_now();
		t->words_end = 0;
		if (!t->request->is_blocked) /* who is slow does not wait */
			add(request_begin(t->request), STR(": keepalive\n\n"));
		silence = 0;
	}
	loop_set(&t->gateway->loop, timer, every - silence, on_beat);
}

static void
on_accepted(struct turn *t)
{
	struct request *r = t->request;

	begin(t);
	request_add(r, "Content-Type", STR("text/event-stream; charset=utf-8"));
	request_add(r, "Cache-Control", STR("no-cache"));
	request_add(r, "X-Accel-Buffering", STR("no"));
	turn_add_headers(t);
	request_open(r, 200);
	loop_set(&t->gateway->loop, &t->beat, t->gateway->settings.heartbeat_ms,
		 on_beat);
}

static void
on_started(struct turn *t)
{
	struct standing standing = turn_standing(t);
	struct buf *b = begin_event(t);

	chat_standing(b, &t->stamp, &standing);
	end_event(b);
}

/*
 * While the client is slow, what follows is put into the last event that
 * waits for it: else many small ones would take much more room than what they
 * say, which is all that is counted.
 */
static bool
can_go_on(const struct turn *t, enum delta delta)
{
	const struct spout *s = &t->request->spout;

	return t->request->is_blocked && s->is_open && t->words_end &&
	       t->last == delta && s->bytes.len - t->event < MAX_EVENT;
}

static void
on_text(struct turn *t, enum delta delta, struct str text)
{
	struct buf *b;

	if (can_go_on(t, delta)) {
		b = request_begin(t->request);
		b->len = t->words_end;
	} else {
		b = begin_event(t);
		chat_begin_delta(b, &t->stamp, delta);
	}
	chat_escape(b, text);
	t->words_end = b->len;
	t->last = delta;
	chat_end_delta(b, &t->stamp);
	end_event(b);
}

static void
on_tool(struct turn *t, struct str json)
{
	struct buf *b = begin_event(t);

	chat_tool(b, &t->stamp, json);
	end_event(b);
}

static void
end(struct turn *t)
{
	struct request *r = t->request;

	add(request_begin(r), STR("data: [DONE]\n\n"));
	request_close(r);
}

static void
on_finish(struct turn *t, const struct msg_finish *m)
{
	struct buf *b = begin_event(t);

	chat_finish(b, &t->stamp, m->reason);
	end_event(b);
	if (t->stamp.include_usage) {
		b = begin_event(t);
		chat_usage(b, &t->stamp, m->usage);
		end_event(b);
	}
	end(t);
}

static void
on_failed(struct turn *t, const struct error *e)
{
	struct buf *b;

	if (!t->accepted) {
		reply_error(t->request, e, NULL);
		return;
	}
	b = begin_event(t);
	chat_error(b, e, NULL);
	end_event(b);
	end(t);
}

const struct answer answer_sse = {
	.accepted = on_accepted,
	.started = on_started,
	.text = on_text,
	.tool = on_tool,
	.finish = on_finish,
	.failed = on_failed,
};
