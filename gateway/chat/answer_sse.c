/*
 * answer_sse - an answer that is written piece by piece, as server-sent events
 *
 * Its head is held back until there is a first word, or for BRIDGE_HEAD_MS: a
 * failure in that time is a real status, with its headers, which clients know
 * how to treat.  After that an error is an event, before [DONE].
 */
#include "gateway/exchange.h"
#include "gateway/gateway.h"
#include "gateway/reply.h"

enum {
	MERGED_BYTES = 16 << 10,     /* that wait before events are merged */
	MAX_EVENT_BYTES = 128 << 10, /* of one that was merged */
};

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
comment(struct exchange *x, struct str text)
{
	x->spoke = loop_now();
	x->words_end = 0;
	buf_put(request_begin(x->request), text);
}

/* Who is slow has something to read still, and does not wait. */
static void
on_beat(struct timer *timer)
{
	struct exchange *x = container_of(timer, struct exchange, beat);
	uint64_t every = x->gateway->settings.heartbeat_ms;
	uint64_t silence = loop_now() - x->spoke;

	if (silence >= every) {
		if (x->request->is_blocked)
			x->spoke = loop_now();
		else
			comment(x, STR(": keepalive\n\n"));
		silence = 0;
	}
	loop_set(&x->gateway->loop, timer, every - silence, on_beat);
}

/* Its machine answers to what is written, if the client is gone. */
static void
on_doubted(struct request *r)
{
	comment(r->owner, STR(": are you there?\n\n"));
}

static void
tell_profile(struct exchange *x)
{
	struct buf *b = begin_event(x);

	chat_profile(b, &x->stamp, str_of(x->profile));
	end_event(b);
}

static void
open_stream(struct exchange *x)
{
	struct request *r = x->request;
	struct buf *b;

	x->headed = true;
	request_add(r, "Content-Type", STR("text/event-stream; charset=utf-8"));
	request_add(r, "Cache-Control", STR("no-cache"));
	request_add(r, "X-Accel-Buffering", STR("no"));
	exchange_add_headers(x, NULL);
	request_open(r, 200);
	r->doubted = on_doubted;
	buf_put(request_begin(r), STR(": ok\n\n"));
	b = begin_event(x);
	chat_role(b, &x->stamp);
	end_event(b);
	if (x->profile)
		tell_profile(x);
	loop_set(&x->gateway->loop, &x->beat, x->gateway->settings.heartbeat_ms,
		 on_beat);
}

static void
open_if_held(struct exchange *x)
{
	if (!x->headed)
		open_stream(x);
}

static void
on_head_due(struct timer *timer)
{
	open_if_held(container_of(timer, struct exchange, beat));
}

static void
on_accepted(struct exchange *x)
{
	uint64_t hold = x->gateway->settings.head_ms;

	if (hold == 0)
		open_stream(x);
	else
		loop_set(&x->gateway->loop, &x->beat, hold, on_head_due);
}

/* While the head is held back its headers will tell. */
static void
on_started(struct exchange *x)
{
	struct standing standing = exchange_standing(x);
	struct buf *b;

	if (!x->headed)
		return;
	b = begin_event(x);
	chat_standing(b, &x->stamp, &standing);
	end_event(b);
}

/* Likewise: a large request is read when its turn begins, and then the head may
 * be out. */
static void
on_profile(struct exchange *x)
{
	if (x->headed)
		tell_profile(x);
}

static void
on_ignored(struct exchange *x)
{
	struct buf *b;

	if (!x->headed)
		return;
	b = begin_event(x);
	chat_ignored(b, &x->stamp, str_of(x->ignored));
	end_event(b);
}

/*
 * While much waits to be sent, what follows is put into the last event: many
 * small events would take much more room than what they say.
 */
static bool
can_go_on(const struct exchange *x, enum delta delta)
{
	const struct request *r = x->request;

	return request_is_unsent(r) && x->words_end && x->last == delta &&
	       chunk_writer_waiting(&r->writer) > MERGED_BYTES &&
	       r->writer.bytes.len - x->event < MAX_EVENT_BYTES;
}

static void
on_text(struct exchange *x, enum delta delta, struct str text)
{
	struct buf *b;

	open_if_held(x);
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
	struct buf *b;

	open_if_held(x);
	b = begin_event(x);
	chat_tool(b, &x->stamp, json);
	end_event(b);
}

static void
on_call(struct exchange *x, const struct call *call)
{
	struct buf *b;

	open_if_held(x);
	b = begin_event(x);
	chat_call(b, &x->stamp, call);
	end_event(b);
}

static void
on_arguments(struct exchange *x, struct str text)
{
	struct buf *b = begin_event(x);

	chat_arguments(b, &x->stamp, x->calls - 1, text);
	end_event(b);
}

static void
on_meanwhile(struct exchange *x, struct str text)
{
	struct buf *b;

	open_if_held(x);
	b = begin_event(x);
	chat_meanwhile(b, &x->stamp, text);
	end_event(b);
}

/* A comment, which no client takes for a part of the answer.  It is not what
 * opens a stream, and who is slow has something to read still. */
static void
on_note(struct exchange *x, struct str text)
{
	auto_free char *line = NULL;

	if (!x->headed || x->request->is_blocked)
		return;
	line = copy_format(": " STR_FMT "\n\n", STR_ARG(text));
	comment(x, str_of(line));
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
	struct buf *b;

	open_if_held(x);
	b = begin_event(x);
	chat_finish(b, &x->stamp, m, x->cache);
	end_event(b);
	if (x->stamp.include_usage) {
		b = begin_event(x);
		chat_usage(b, &x->stamp, m);
		end_event(b);
	}
	end(x);
}

static void
on_failed(struct exchange *x, const struct error *e)
{
	struct buf *b;

	if (!x->headed) {
		if (x->accepted)
			exchange_add_headers(x, NULL);
		reply_error(x->request, e, NULL);
		return;
	}
	b = begin_event(x);
	chat_stream_error(b, e);
	end_event(b);
	end(x);
}

const struct answer answer_sse = {
	.accepted = on_accepted,
	.started = on_started,
	.ignored = on_ignored,
	.profile = on_profile,
	.text = on_text,
	.tool = on_tool,
	.call = on_call,
	.arguments = on_arguments,
	.meanwhile = on_meanwhile,
	.note = on_note,
	.finish = on_finish,
	.failed = on_failed,
};
