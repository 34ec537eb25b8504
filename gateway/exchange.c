#include "gateway/exchange.h"

#include "gateway/gateway.h"
#include "gateway/reply.h"
#include "proto/log.h"

enum {
	WINDOW = 256 << 10,  /* bytes a worker may be ahead of the client */
	SUBMIT_TIME = 10000, /* ms */
	LITTLE = 64 << 10,   /* bytes unsent, that are as good as sent */
};

static struct list *
bucket(struct gateway *g, uint64_t id)
{
	return &g->exchanges[id % EXCHANGE_BUCKETS];
}

struct exchange *
exchange_find(struct gateway *g, const struct worker_link *who, uint64_t id,
	      uint64_t seq)
{
	struct error e = { 0 };

	list_each (bucket(g, id), n) {
		struct exchange *x = container_of(n, struct exchange, node);

		if (x->id != id || x->worker != who)
			continue;
		loop_unset(&g->loop, &x->deadline);
		if (seq == ++x->seq)
			return x;
		fail_with(&e, ERR_PROTOCOL, "event %ju of %s was lost",
			  (uintmax_t)x->seq, who->name);
		exchange_abort(x, &e);
		return NULL;
	}
	return NULL;
}

void
exchange_end(struct exchange *x)
{
	struct gateway *g = x->gateway;

	list_remove(bucket(g, x->id), &x->node);
	g->exchange_count--;
	loop_unset(&g->loop, &x->deadline);
	loop_unset(&g->loop, &x->beat);
	stamp_fini(&x->stamp);
	free(x->session);
	free(x->how);
	free(x->reason);
	free(x->ignored);
	buf_fini(&x->text);
	buf_fini(&x->reasoning);
	buf_fini(&x->tools);
	free(x);
}

static void
tell_to_stop(const struct exchange *x)
{
	const struct msg_cancel m = { .turn = x->id };

	outlet_send(&x->worker->orders, MSG_CANCEL, &m);
}

void
exchange_failed(struct exchange *x, const struct error *e)
{
	x->request->why = error_slug(e->code);
	x->answer->failed(x, e);
	exchange_end(x);
}

void
exchange_abort(struct exchange *x, const struct error *e)
{
	tell_to_stop(x);
	exchange_failed(x, e);
}

static void
on_left(struct request *r)
{
	struct exchange *x = r->owner;

	tell_to_stop(x);
	exchange_end(x);
}

/* Credit: what the client has taken the worker may send again. */

void
exchange_pay(struct exchange *x)
{
	const struct msg_credit m = { .turn = x->id, .bytes = x->unpaid };

	if (x->unpaid < WINDOW / 2)
		return;
	x->unpaid = 0;
	outlet_send(&x->worker->orders, MSG_CREDIT, &m);
}

static void
on_taken(struct request *r)
{
	if (chunk_writer_waiting(&r->writer) <= LITTLE)
		exchange_pay(r->owner);
}

/* A worker that doesn't mind its window is broken. */
static bool
is_within_limits(struct exchange *x)
{
	struct error e = { 0 };

	if (chunk_writer_waiting(&x->request->writer) <= MAX_UNSENT)
		return true;
	fail_with(&e, ERR_PROTOCOL, "%s sends more than it may",
		  x->worker->name);
	exchange_abort(x, &e);
	return false;
}

/* Start */

static void
set_text(char **at, struct str s)
{
	free(*at);
	*at = copy(s);
}

static void
on_deadline(struct timer *timer)
{
	struct exchange *x = container_of(timer, struct exchange, deadline);
	struct error e = { 0 };

	fail_with(&e, ERR_TIMEOUT, "%s did not take the turn in time",
		  x->worker->name);
	exchange_abort(x, &e);
}

static void
submit(struct exchange *x, const struct question *q)
{
	const struct msg_submit m = {
		.worker = x->worker->id,
		.turn = x->id,
		.kind = q->kind,
		.harness = str_of(q->to.prefix),
		.model = q->to.model,
		.session = q->session,
		.cwd = q->cwd,
		.streamed = q->streamed,
		.window = WINDOW,
		.body = q->body,
	};

	outlet_send(&x->worker->orders, MSG_SUBMIT, &m);
	loop_set(&x->gateway->loop, &x->deadline, SUBMIT_TIME, on_deadline);
	request_drop_body(x->request);
}

void
exchange_start(struct gateway *g, struct request *r, const struct question *q)
{
	struct exchange *x = xcalloc(1, sizeof *x);

	x->gateway = g;
	x->worker = q->to.link;
	x->request = r;
	x->id = g->last_turn += 1 + (g->last_turn == UINT64_MAX);
	x->answer = q->streamed ? &answer_sse : &answer_whole;
	x->text = x->reasoning = x->tools = BUF_INIT(MAX_ANSWER);
	stamp_init(&x->stamp, x->id, q->chat->model, q->chat->include_usage);
	list_append(bucket(g, x->id), &x->node);
	g->exchange_count++;
	r->owner = x;
	r->left = on_left;
	r->taken = on_taken;
	submit(x, q);
}

struct standing
exchange_standing(const struct exchange *x)
{
	return (struct standing){ x->session, x->how, x->reason };
}

void
exchange_add_headers(struct exchange *x)
{
	struct request *r = x->request;

	request_add(r, "X-Bridge-Harness", str_of(x->worker->name));
	request_add(r, "X-Session-Id", str_of(x->session));
	request_add(r, "X-Bridge-Session", str_of(x->how));
	request_add(r, "X-Bridge-Session-Reason", str_of(x->reason));
	request_add(r, "X-Bridge-Ignored", str_of(x->ignored));
}

/* Events */

/* ACCEPTED comes first, and once: all that follows builds on it. */
static bool
is_in_order(struct exchange *x, bool accepted)
{
	struct error e = { 0 };

	if (x->accepted == accepted)
		return true;
	fail_with(&e, ERR_PROTOCOL,
		  accepted ? "%s speaks before it has accepted the turn"
			   : "%s begins a turn that has begun",
		  x->worker->name);
	exchange_abort(x, &e);
	return false;
}

void
exchange_accepted(struct exchange *x, const struct msg_accepted *m)
{
	if (!is_in_order(x, false))
		return;
	set_text(&x->session, m->session);
	set_text(&x->how, m->how);
	set_text(&x->reason, m->reason);
	set_text(&x->ignored, m->ignored);
	if (m->relay)
		x->answer = &answer_relay;
	x->accepted = true;
	x->answer->accepted(x);
}

void
exchange_started(struct exchange *x, const struct msg_started *m)
{
	bool same = str_eq(str_of(x->session), m->session) &&
		    str_eq(str_of(x->how), m->how) &&
		    str_eq(str_of(x->reason), m->reason);

	if (!is_in_order(x, true))
		return;
	set_text(&x->session, m->session);
	set_text(&x->how, m->how);
	set_text(&x->reason, m->reason);
	if (!same)
		x->answer->started(x);
}

void
exchange_text(struct exchange *x, enum delta delta, struct str text)
{
	x->unpaid += text.len;
	if (is_in_order(x, true) && is_within_limits(x))
		x->answer->text(x, delta, text);
}

void
exchange_tool(struct exchange *x, struct str json)
{
	x->unpaid += json.len;
	if (is_in_order(x, true) && is_within_limits(x))
		x->answer->tool(x, json);
}

void
exchange_note(struct exchange *x, struct str text)
{
	if (is_in_order(x, true) && x->answer->note)
		x->answer->note(x, text);
}

void
exchange_head(struct exchange *x, const struct msg_head *m)
{
	/* One that was accepted as a relay; any other has its own words. */
	if (x->answer != &answer_relay && !is_in_order(x, false))
		return;
	x->answer = &answer_relay;
	x->accepted = true;
	x->unpaid += m->bytes.len;
	relay_head(x, m);
}

void
exchange_body(struct exchange *x, const struct msg_body *m)
{
	x->unpaid += m->bytes.len;
	if (is_in_order(x, true) && is_within_limits(x))
		relay_body(x, m);
}

void
exchange_finish(struct exchange *x, const struct msg_finish *m)
{
	if (!is_in_order(x, true))
		return;
	x->answer->finish(x, m);
	exchange_end(x);
}
