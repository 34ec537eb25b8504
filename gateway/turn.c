#include "gateway/turn.h"

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
	return &g->turns[id % TURN_BUCKETS];
}

struct turn *
turn_find(struct gateway *g, const struct member *who, uint64_t id,
	  uint64_t seq)
{
	struct error e = { 0 };

	list_each (bucket(g, id), n) {
		struct turn *t = container_of(n, struct turn, node);

		if (t->id != id || t->worker != who)
			continue;
		loop_unset(&g->loop, &t->patience);
		if (seq == ++t->seq)
			return t;
		fail_with(&e, ERR_PROTOCOL, "event %ju of %s was lost",
			  (uintmax_t)t->seq, who->name);
		turn_abort(t, &e);
		return NULL;
	}
	return NULL;
}

void
turn_end(struct turn *t)
{
	struct gateway *g = t->gateway;

	list_remove(bucket(g, t->id), &t->node);
	g->turn_count--;
	loop_unset(&g->loop, &t->patience);
	loop_unset(&g->loop, &t->beat);
	stamp_fini(&t->stamp);
	free(t->session);
	free(t->how);
	free(t->reason);
	free(t->ignored);
	buf_fini(&t->text);
	buf_fini(&t->reasoning);
	buf_fini(&t->tools);
	free(t);
}

static void
tell_to_stop(const struct turn *t)
{
	const struct msg_cancel m = { .turn = t->id };

	outlet_send(&t->worker->orders, MSG_CANCEL, &m);
}

void
turn_failed(struct turn *t, const struct error *e)
{
	t->request->why = error_slug(e->code);
	t->answer->failed(t, e);
	turn_end(t);
}

void
turn_abort(struct turn *t, const struct error *e)
{
	tell_to_stop(t);
	turn_failed(t, e);
}

static void
on_left(struct request *r)
{
	struct turn *t = r->owner;

	tell_to_stop(t);
	turn_end(t);
}

/* Credit: what the client has taken the worker may send again. */

void
turn_pay(struct turn *t)
{
	const struct msg_credit m = { .turn = t->id, .bytes = t->unpaid };

	if (t->unpaid < WINDOW / 2)
		return;
	t->unpaid = 0;
	outlet_send(&t->worker->orders, MSG_CREDIT, &m);
}

static void
on_taken(struct request *r)
{
	if (spout_waiting(&r->spout) <= LITTLE)
		turn_pay(r->owner);
}

/* A worker that doesn't mind its window is broken. */
static bool
is_within_limits(struct turn *t)
{
	struct error e = { 0 };

	if (spout_waiting(&t->request->spout) <= MAX_UNSENT)
		return true;
	fail_with(&e, ERR_PROTOCOL, "%s sends more than it may",
		  t->worker->name);
	turn_abort(t, &e);
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
on_impatience(struct timer *timer)
{
	struct turn *t = container_of(timer, struct turn, patience);
	struct error e = { 0 };

	fail_with(&e, ERR_TIMEOUT, "%s did not take the turn in time",
		  t->worker->name);
	turn_abort(t, &e);
}

static void
submit(struct turn *t, const struct question *q)
{
	const struct msg_submit m = {
		.worker = t->worker->id,
		.turn = t->id,
		.kind = q->kind,
		.harness = str_of(q->to.prefix),
		.model = q->to.model,
		.session = q->session,
		.cwd = q->cwd,
		.streamed = q->streamed,
		.window = WINDOW,
		.body = q->body,
	};

	outlet_send(&t->worker->orders, MSG_SUBMIT, &m);
	loop_set(&t->gateway->loop, &t->patience, SUBMIT_TIME, on_impatience);
	buf_fini(&t->request->body);
}

void
turn_start(struct gateway *g, struct request *r, const struct question *q)
{
	struct turn *t = xcalloc(1, sizeof *t);

	t->gateway = g;
	t->worker = q->to.member;
	t->request = r;
	t->id = g->last_turn += 1 + (g->last_turn == UINT64_MAX);
	t->answer = q->streamed ? &answer_sse : &answer_whole;
	t->text = t->reasoning = t->tools = BUF_INIT(MAX_ANSWER);
	stamp_init(&t->stamp, t->id, q->chat->model, q->chat->include_usage);
	list_append(bucket(g, t->id), &t->node);
	g->turn_count++;
	r->owner = t;
	r->left = on_left;
	r->taken = on_taken;
	submit(t, q);
}

struct standing
turn_standing(const struct turn *t)
{
	return (struct standing){ t->session, t->how, t->reason };
}

void
turn_add_headers(struct turn *t)
{
	struct request *r = t->request;

	request_add(r, "X-Bridge-Harness", str_of(t->worker->name));
	request_add(r, "X-Session-Id", str_of(t->session));
	request_add(r, "X-Bridge-Session", str_of(t->how));
	request_add(r, "X-Bridge-Session-Reason", str_of(t->reason));
	request_add(r, "X-Bridge-Ignored", str_of(t->ignored));
}

/* Events */

/* ACCEPTED comes first, and once: all that follows builds on it. */
static bool
is_in_order(struct turn *t, bool accepted)
{
	struct error e = { 0 };

	if (t->accepted == accepted)
		return true;
	fail_with(&e, ERR_PROTOCOL,
		  accepted ? "%s speaks before it has accepted the turn"
			   : "%s begins a turn that has begun",
		  t->worker->name);
	turn_abort(t, &e);
	return false;
}

void
turn_accepted(struct turn *t, const struct msg_accepted *m)
{
	if (!is_in_order(t, false))
		return;
	set_text(&t->session, m->session);
	set_text(&t->how, m->how);
	set_text(&t->reason, m->reason);
	set_text(&t->ignored, m->ignored);
	if (m->relay)
		t->answer = &answer_relay;
	t->accepted = true;
	t->answer->accepted(t);
}

void
turn_started(struct turn *t, const struct msg_started *m)
{
	bool same = str_eq(str_of(t->session), m->session) &&
		    str_eq(str_of(t->how), m->how) &&
		    str_eq(str_of(t->reason), m->reason);

	if (!is_in_order(t, true))
		return;
	set_text(&t->session, m->session);
	set_text(&t->how, m->how);
	set_text(&t->reason, m->reason);
	if (!same)
		t->answer->started(t);
}

void
turn_text(struct turn *t, enum delta delta, struct str text)
{
	t->unpaid += text.len;
	if (is_in_order(t, true) && is_within_limits(t))
		t->answer->text(t, delta, text);
}

void
turn_tool(struct turn *t, struct str json)
{
	t->unpaid += json.len;
	if (is_in_order(t, true) && is_within_limits(t))
		t->answer->tool(t, json);
}

void
turn_head(struct turn *t, const struct msg_head *m)
{
	/* One that was accepted as a relay; any other has its own words. */
	if (t->answer != &answer_relay && !is_in_order(t, false))
		return;
	t->answer = &answer_relay;
	t->accepted = true;
	t->unpaid += m->bytes.len;
	relay_head(t, m);
}

void
turn_body(struct turn *t, const struct msg_body *m)
{
	t->unpaid += m->bytes.len;
	if (is_in_order(t, true) && is_within_limits(t))
		relay_body(t, m);
}

void
turn_finish(struct turn *t, const struct msg_finish *m)
{
	if (!is_in_order(t, true))
		return;
	t->answer->finish(t, m);
	turn_end(t);
}
