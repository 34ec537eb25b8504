/*
 * relay - an upstream's answer, passed on as it is
 *
 * Its status, its headers but for those that concern a connection, and every
 * byte of its body.  If it breaks off ours breaks off too: what is truncated
 * must look truncated.
 */
#include "gateway/chat/chat.h"
#include "gateway/reply.h"
#include "gateway/exchange.h"

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

/* Which web page may read an answer is ours to say. */
static bool
concerns_origins(struct str name)
{
	const struct str prefix = STR("Access-Control-");

	return name.len > prefix.len &&
	       str_same((struct str){ name.ptr, prefix.len }, prefix);
}

static void
pass_type(struct exchange *x, const char *name, const char *value)
{
	if (strcasecmp(name, "Content-Type"))
		return;
	x->is_events = str_starts(str_of(value), STR("text/event-stream"));
	request_add(x->request, name, str_of(value));
}

static void
pass_other(struct exchange *x, const char *name, const char *value)
{
	if (strcasecmp(name, "Content-Type") &&
	    !concerns_connection(str_of(name)) &&
	    !concerns_origins(str_of(name)))
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

/* What must be there goes first: there may not be room for all. */
static bool
pass_headers(struct exchange *x, struct str json, struct error *e)
{
	json_t *all = json_loadb(json.ptr, json.len, 0, NULL);
	bool ok = pass_each(x, all, pass_type);

	if (ok) {
		exchange_add_headers(x);
		ok = pass_each(x, all, pass_other);
	}
	json_decref(all);
	return ok || fail_with(e, ERR_PROTOCOL, "no headers in HEAD");
}

static void
on_accepted(struct exchange *x)
{
}

/* What is a CLI's to say is not a relay's. */
static void
refuse(struct exchange *x)
{
	struct error e = { 0 };

	fail_with(&e, ERR_PROTOCOL, "%s mixes a relay with its own words",
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

/* Not needed: the last HEAD or BODY says that it is the last. */
static void
on_finish(struct exchange *x, const struct msg_finish *m)
{
	struct error e = { 0 };

	fail_with(&e, ERR_TRUNCATED, "the upstream's answer has no end");
	x->answer->failed(x, &e);
}

static void
on_failed(struct exchange *x, const struct error *e)
{
	struct request *r = x->request;

	if (!x->headed) {
		reply_error(r, e, NULL);
		return;
	}
	if (x->is_events) {
		buf_put(request_begin(r), STR("\n\ndata: "));
		chat_error(request_begin(r), e, NULL);
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
		fail_with(&e, ERR_PROTOCOL, "a HEAD that can't be");
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
	if (m->bytes.len)
		buf_put(request_begin(r), m->bytes);
}

void
relay_body(struct exchange *x, const struct msg_body *m)
{
	if (!x->headed) {
		refuse(x);
		return;
	}
	if (m->bytes.len)
		buf_put(request_begin(x->request), m->bytes);
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
