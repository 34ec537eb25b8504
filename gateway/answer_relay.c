/*
 * relay - an upstream's answer, passed on as it is
 *
 * Its status, its headers but for those that concern a connection, and every
 * byte of its body.  If it breaks off ours breaks off too: what is truncated
 * must look truncated.
 *
 * The one thing that is added is comments, to a stream of events whose sender
 * is silent, and only between two events: proxies and clients give up a
 * connection on which nothing happens, and a vendor may think for minutes.
 */
#include "gateway/chat/chat.h"
#include "gateway/exchange.h"
#include "gateway/gateway.h"
#include "gateway/reply.h"

static bool
concerns_connection(struct str name)
{
	struct str list = STR("connection keep-alive proxy-authenticate "
			      "proxy-authorization proxy-connection te trailer "
			      "transfer-encoding upgrade content-length"),
		   word;

	while (str_word(&list, &word))
		if (str_same(word, name))
			return true;
	return false;
}

/* The bridge says itself which web pages may read an answer. */
static bool
concerns_origins(struct str name)
{
	const struct str prefix = STR("Access-Control-");

	return name.len > prefix.len &&
	       str_same((struct str){ name.ptr, prefix.len }, prefix);
}

/* A proxy in front of us must not gather events, whoever has sent them. */
static bool
concerns_buffering(const struct exchange *x, const char *name)
{
	return x->is_events && !strcasecmp(name, "X-Accel-Buffering");
}

static bool
is_essential(const char *name)
{
	return !strcasecmp(name, "Content-Type") ||
	       !strcasecmp(name, "Content-Encoding");
}

static bool
is_useful(const char *name)
{
	static const char *const names[] = { "Retry-After", "retry-after-ms",
					     "x-should-retry", "X-Request-Id",
					     "Location" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!strcasecmp(name, names[i]))
			return true;
	return strcasestr(name, "ratelimit") != NULL;
}

/* Without these nobody can read the body. */
static void
pass_essential(struct exchange *x, const char *name, const char *value)
{
	struct str text = str_of(value), rest;

	if (!is_essential(name))
		return;
	if (!strcasecmp(name, "Content-Type"))
		x->is_events = str_same(str_trim(str_cut(text, ';', &rest)),
					STR("text/event-stream"));
	else if (!str_same(text, STR("identity")))
		x->is_encoded = true;
	request_add(x->request, name, text);
}

static void
pass_useful(struct exchange *x, const char *name, const char *value)
{
	if (is_useful(name))
		request_add(x->request, name, str_of(value));
}

static void
pass_other(struct exchange *x, const char *name, const char *value)
{
	if (!is_essential(name) && !is_useful(name) &&
	    !concerns_connection(str_of(name)) &&
	    !concerns_origins(str_of(name)) && !concerns_buffering(x, name))
		request_add(x->request, name, str_of(value));
}

static bool
pass_each(struct exchange *x, const json_t *all,
	  void (*pass)(struct exchange *, const char *, const char *))
{
	const char *name, *value;
	json_t *one;
	size_t i;

	json_array_foreach (all, i, one) {
		if (json_unpack(one, "[ss]", &name, &value) != 0)
			return false;
		pass(x, name, value);
	}
	return json_is_array(all);
}

/* In the order of their weight: there may not be room for all. */
static bool
pass_headers(struct exchange *x, struct str json, struct error *e)
{
	json_t *all = json_loadb(json.ptr, json.len, 0, NULL);
	bool ok = pass_each(x, all, pass_essential);

	if (ok) {
		exchange_add_headers(x, NULL);
		if (x->is_events)
			request_add(x->request, "X-Accel-Buffering", STR("no"));
		ok = pass_each(x, all, pass_useful) &&
		     pass_each(x, all, pass_other);
	}
	json_decref(all);
	return ok || fail_with(e, ERR_PROTOCOL, "no headers in HEAD");
}

static void
on_accepted(struct exchange *x)
{
}

/* Text, tools and the like come from CLIs, never from an upstream. */
static void
refuse(struct exchange *x)
{
	struct error e = { 0 };

	fail_with(&e, ERR_PROTOCOL,
		  "%s sends words of its own in a relayed answer",
		  x->worker->name);
	exchange_abort(x, &e);
}

static void
on_text(struct exchange *x, enum delta delta, struct str text)
{
	refuse(x);
}

static void
on_tool(struct exchange *x, struct str json)
{
	refuse(x);
}

/* A relayed answer ends with its last HEAD or BODY, never with FINISH. */
static void
on_finish(struct exchange *x, const struct msg_finish *m)
{
	struct error e = { 0 };

	fail_with(&e, ERR_TRUNCATED, "the upstream's answer has no end");
	x->answer->failed(x, &e);
}

/* A client that is slow to read has enough to read. */
static void
comment(struct exchange *x)
{
	if (event_boundary_is_here(&x->boundary) && !x->request->is_blocked)
		buf_put(request_begin(x->request), STR(": keepalive\n\n"));
}

static void
on_beat(struct timer *timer)
{
	struct exchange *x = container_of(timer, struct exchange, beat);
	uint64_t every = x->gateway->settings.heartbeat_ms;
	uint64_t silence = loop_now() - x->spoke;

	if (silence >= every) {
		x->spoke = loop_now();
		comment(x);
		silence = 0;
	}
	loop_set(&x->gateway->loop, timer, every - silence, on_beat);
}

static void
write_on(struct exchange *x, struct str bytes)
{
	if (!bytes.len)
		return;
	event_boundary_feed(&x->boundary, bytes);
	x->spoke = loop_now();
	buf_put(request_begin(x->request), bytes);
}

static void
on_failed(struct exchange *x, const struct error *e)
{
	struct request *r = x->request;

	if (!x->headed) {
		reply_error(r, e, NULL);
		return;
	}
	if (x->is_events && !x->is_encoded) {
		buf_put(request_begin(r), STR("\n\ndata: "));
		chat_stream_error(request_begin(r), e);
		buf_put(request_begin(r), STR("\n\n"));
	}
	request_cut(r);
}

static void
give_whole(struct exchange *x, const struct msg_head *m)
{
	struct buf body = BUF_INIT(MAX_DELTA);
	struct error e;

	if (!buf_add(&body, m->bytes, &e))
		abort(); /* larger than messages.def allows */
	request_answer(x->request, (int)m->status, &body);
	exchange_end(x);
}

void
relay_head(struct exchange *x, const struct msg_head *m)
{
	struct request *r = x->request;
	struct error e = { 0 };

	if (x->headed || m->status < 200) {
		fail_with(&e, ERR_PROTOCOL,
			  "%s sends a second HEAD, or one that is not final",
			  x->worker->name);
		exchange_abort(x, &e);
		return;
	}
	if (!pass_headers(x, m->headers, &e)) {
		exchange_abort(x, &e);
		return;
	}
	x->headed = true;
	if (m->last) {
		give_whole(x, m);
		return;
	}
	request_open(r, (int)m->status);
	write_on(x, m->bytes);
	if (x->is_events && !x->is_encoded)
		loop_set(&x->gateway->loop, &x->beat,
			 x->gateway->settings.heartbeat_ms, on_beat);
}

void
relay_body(struct exchange *x, const struct msg_body *m)
{
	if (!x->headed) {
		refuse(x);
		return;
	}
	write_on(x, m->bytes);
	if (!m->last)
		return;
	request_close(x->request);
	exchange_end(x);
}

const struct answer answer_relay = {
	.accepted = on_accepted,
	.started = on_accepted,
	.text = on_text,
	.tool = on_tool,
	.finish = on_finish,
	.failed = on_failed,
};
