#include "gateway/exchange.h"

#include "gateway/admission.h"
#include "gateway/chat/usage.h"
#include "gateway/gateway.h"
#include "gateway/reply.h"
#include "proto/log.h"

enum {
	WINDOW_BYTES = 256 << 10, /* that a worker may be ahead of the client */
	RESEND_MS = 3000,	  /* until SUBMIT is sent again; it doubles */
	RESENT_BYTES = 1 << 20,	  /* of a body that is sent again, at most */
	TAKE_MS = 60000,	  /* in which the worker must hear SUBMIT... */
	ANSWER_MS = 5000,	  /* ...and the gateway its answer after that */
	LITTLE_BYTES = 64 << 10,  /* unsent; fewer count as taken */
};

static struct list *
bucket(struct gateway *g, uint64_t id)
{
	return &g->exchanges[id % EXCHANGE_BUCKETS];
}

static struct exchange *
look_up(struct gateway *g, const struct worker_link *who, uint64_t id)
{
	list_each (bucket(g, id), n) {
		struct exchange *x = container_of(n, struct exchange, node);

		if (x->id == id && x->worker == who)
			return x;
	}
	return NULL;
}

struct exchange *
exchange_find(struct gateway *g, const struct worker_link *who, uint64_t id,
	      uint64_t seq)
{
	struct exchange *x = look_up(g, who, id);
	struct error e = { 0 };

	if (!x)
		return NULL;
	loop_unset(&g->loop, &x->deadline);
	if (seq == ++x->seq)
		return x;
	fail_with(&e, ERR_PROTOCOL, "event %ju of %s was lost",
		  (uintmax_t)x->seq, who->name);
	exchange_abort(x, &e);
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
	order_drop(&x->order);
	stamp_fini(&x->stamp);
	free(x->prefix);
	free(x->wanted_model);
	free(x->wanted_session);
	free(x->cwd);
	free(x->key);
	free(x->headers);
	free(x->cache);
	free(x->mode);
	free(x->profile);
	free(x->session);
	free(x->how);
	free(x->reason);
	free(x->ignored);
	buf_fini(&x->text);
	buf_fini(&x->reasoning);
	buf_fini(&x->tools);
	buf_fini(&x->calls_json);
	buf_fini(&x->meanwhile);
	free(x);
}

static void
tell_to_stop(const struct exchange *x)
{
	const struct msg_cancel m = { .turn = x->id };

	if (!x->is_sent)
		return;
	outlet_send(&x->worker->orders, MSG_CANCEL, &m);
}

void
exchange_failed(struct exchange *x, const struct error *e)
{
	x->request->why = error_slug(e->code);
	if (x->is_repeated && !x->accepted)
		exchange_add_headers(x, NULL);
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
	struct worker_link *worker = x->worker;

	tell_to_stop(x);
	exchange_end(x);
	exchange_send_orders(
		worker); /* its order may have kept others waiting */
}

/* The request goes back to admission, with its body. */
static void
readmit(struct exchange *x, const struct error *why)
{
	struct gateway *g = x->gateway;
	struct request *r = x->request;
	const struct worker_link *to = x->worker;

	exchange_end(x);
	r->owner = NULL;
	r->left = r->taken = NULL;
	admission_wait(g, r, to, why);
}

/*
 * A turn was certainly not begun if SUBMIT was not sent, or if a worker that is
 * stopping has died without an ACCEPTED for it: such a worker accepts every
 * turn that it begins before it says that it stops, and all that it said has
 * been heard by now.
 */
void
exchange_outlive(struct exchange *x, bool lost, const struct error *e)
{
	bool is_nobodys =
		!x->is_sent || (lost && x->worker->is_leaving && !x->accepted);

	if (is_nobodys && !x->gateway->draining)
		readmit(x, e);
	else if (lost)
		exchange_failed(x, e);
}

void
exchange_refused(struct exchange *x, const struct error *e)
{
	if (x->gateway->draining)
		exchange_failed(x, e);
	else
		readmit(x, e);
}

void
exchange_bad(struct worker_link *who, struct gateway *g, uint64_t id,
	     const struct error *why)
{
	struct exchange *x = look_up(g, who, id);
	struct error e = { 0 };

	fail_with(&e, ERR_PROTOCOL,
		  "the worker for %s has sent an event that is not as it must "
		  "be: %.300s",
		  who->name, why->text);
	if (x)
		exchange_abort(x, &e);
}

/* Credit: the worker may send as many bytes as the client has taken. */

void
exchange_pay(struct exchange *x)
{
	const struct msg_credit m = { .turn = x->id, .bytes = x->unpaid };

	if (x->unpaid < WINDOW_BYTES / 2)
		return;
	x->unpaid = 0;
	outlet_send(&x->worker->orders, MSG_CREDIT, &m);
}

static void
pay_if_little_waits(struct exchange *x)
{
	if (chunk_writer_waiting(&x->request->writer) <= LITTLE_BYTES)
		exchange_pay(x);
}

static void
on_taken(struct request *r)
{
	pay_if_little_waits(r->owner);
}

/* Only a worker that ignores its window can exceed this. */
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

static void on_deadline(struct timer *);

static void
send_submit(struct exchange *x)
{
	const struct msg_submit m = {
		.worker = x->worker->id,
		.turn = x->id,
		.dialect = x->dialect,
		.harness = str_of(x->prefix),
		.model = str_of(x->wanted_model),
		.session = str_of(x->wanted_session),
		.cwd = str_of(x->cwd),
		.key = str_of(x->key),
		.headers = str_of(x->headers),
		.retry = x->is_retry,
		.streamed = x->streamed,
		.window = WINDOW_BYTES,
		.until = x->until,
		.body = buf_str(&x->request->body),
	};

	outlet_send(&x->worker->orders, MSG_SUBMIT, &m);
}

/* Until the turn is taken, or the order is too old to be. */
static void
await_answer(struct exchange *x)
{
	uint64_t left = x->until + ANSWER_MS - loop_now();

	if (x->request->body.len > RESENT_BYTES || x->resend_ms > left)
		x->resend_ms = left;
	loop_set(&x->gateway->loop, &x->deadline, x->resend_ms, on_deadline);
	x->resend_ms *= 2;
}

/*
 * An order that goes to a process at the moment of its end is lost without a
 * word, also if the next process is there by then.  The worker knows an order
 * that it has had, so its turn runs at most once.
 */
static void
send_again(struct exchange *x)
{
	if (worker_link_is_up(x->worker)) {
		log_info("worker %s: an order is sent again, for nothing was "
			 "heard of it",
			 x->worker->name);
		send_submit(x);
	}
	await_answer(x);
}

/*
 * Events that the worker sent before the deadline still count.  If there are
 * none it has not begun the turn, and will not: it refuses a SUBMIT that it
 * hears after `until`.
 */
static void
on_deadline(struct timer *timer)
{
	struct exchange *x = container_of(timer, struct exchange, deadline);
	struct gateway *g = x->gateway;
	struct worker_link *worker = x->worker;
	uint64_t id = x->id;
	struct error e = { 0 };

	inlet_drain(&worker->inlet);
	x = look_up(g, worker, id);
	if (!x || x->accepted)
		return;
	if (loop_now() < x->until + ANSWER_MS) {
		send_again(x);
		return;
	}
	fail_with(&e, ERR_UNAVAILABLE,
		  "%s was too busy to take the turn in time; it was not begun",
		  worker->name);
	exchange_abort(x, &e);
}

static void
submit(struct exchange *x)
{
	x->is_sent = true;
	x->until = loop_now() + TAKE_MS;
	x->resend_ms = RESEND_MS;
	send_submit(x);
	await_answer(x);
}

void
exchange_send_orders(struct worker_link *worker)
{
	struct order *o;

	while (worker_link_is_up(worker) &&
	       (o = order_window_next(&worker->window)))
		submit(container_of(o, struct exchange, order));
}

static void
on_no_room(struct timer *timer)
{
	struct exchange *x = container_of(timer, struct exchange, deadline);
	struct worker_link *worker = x->worker;
	struct error e = { 0 };

	fail_with(
		&e, ERR_QUEUE_TIMEOUT,
		"queue_timeout: %s had no room for a request of %zu bytes for "
		"%ju ms: it holds %zu bytes of others, and %zu requests wait "
		"(BRIDGE_ORDER_WINDOW_BYTES)",
		worker->name, x->order.bytes,
		(uintmax_t)x->gateway->settings.order_wait_ms,
		order_window_held(&worker->window),
		order_window_waiting(&worker->window));
	exchange_failed(x, &e);
	exchange_send_orders(worker);
}

/* The body stays the request's until the worker has accepted the turn. */
static void
keep_question(struct exchange *x, const struct question *q)
{
	x->dialect = q->dialect;
	x->streamed = q->streamed;
	x->prefix = copy(str_of(q->to.prefix));
	x->wanted_model = copy(q->to.model);
	x->wanted_session = copy(q->session);
	x->cwd = copy(q->cwd);
	x->key = copy(q->key);
	x->headers = copy(str_of(q->headers));
	x->is_retry = q->is_retry;
	x->order.bytes = q->body.len;
	x->order.session = x->wanted_session;
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
	x->text = x->reasoning = x->tools = x->calls_json = x->meanwhile =
		BUF_INIT(MAX_ANSWER);
	stamp_init(&x->stamp, x->id, q->chat->model, q->chat->include_usage);
	list_append(bucket(g, x->id), &x->node);
	g->exchange_count++;
	r->owner = x;
	r->left = on_left;
	r->taken = on_taken;
	keep_question(x, q);
	loop_set(&g->loop, &x->deadline, g->settings.order_wait_ms, on_no_room);
	order_window_add(&x->worker->window, &x->order);
	exchange_send_orders(x->worker);
}

struct standing
exchange_standing(const struct exchange *x)
{
	return (struct standing){ x->session, x->how, x->reason, x->cache };
}

void
exchange_add_headers(struct exchange *x, const struct msg_finish *m)
{
	struct request *r = x->request;
	auto_free char *cache =
		x->cache ? usage_cache_header(x->cache, m) : NULL;

	request_add(r, "X-Bridge-Harness", str_of(x->worker->name));
	request_add(r, "X-Session-Id", str_of(x->session));
	request_add(r, "X-Bridge-Session", str_of(x->how));
	request_add(r, "X-Bridge-Session-Reason", str_of(x->reason));
	request_add(r, "X-Bridge-Cache", str_of(cache));
	request_add(r, "X-Bridge-Mode", str_of(x->mode));
	request_add(r, "X-Bridge-Ignored", str_of(x->ignored));
	if (x->is_repeated)
		request_add(r, "X-Bridge-Repeated", STR("true"));
}

/* Events */

/* ACCEPTED comes first, and once: the other events depend on it. */
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
	request_drop_body(x->request);
	set_text(&x->session, m->session);
	set_text(&x->how, m->how);
	set_text(&x->reason, m->reason);
	set_text(&x->cache, m->cache);
	set_text(&x->mode, m->mode);
	set_text(&x->profile, m->profile);
	set_text(&x->ignored, m->ignored);
	x->is_repeated = m->repeated;
	if (m->relay)
		x->answer = &answer_relay;
	x->accepted = true;
	x->answer->accepted(x);
}

/* True if the text has changed. */
static bool
renew_text(char **at, struct str s)
{
	if (str_eq(str_of(*at), s))
		return false;
	set_text(at, s);
	return true;
}

void
exchange_started(struct exchange *x, const struct msg_started *m)
{
	bool is_new = false;

	if (!is_in_order(x, true))
		return;
	if (m->mode.ptr)
		set_text(&x->mode, m->mode);
	if (m->profile.ptr && renew_text(&x->profile, m->profile) &&
	    x->answer->profile)
		x->answer->profile(x);
	if (m->ignored.ptr && renew_text(&x->ignored, m->ignored) &&
	    x->answer->ignored)
		x->answer->ignored(x);
	if (!m->how.ptr)
		return;
	set_text(&x->cache, m->cache);
	is_new |= renew_text(&x->session, m->session);
	is_new |= renew_text(&x->how, m->how);
	is_new |= renew_text(&x->reason, m->reason);
	if (is_new)
		x->answer->started(x);
}

void
exchange_text(struct exchange *x, enum delta delta, struct str text)
{
	x->unpaid += text.len + EVENT_COST;
	if (is_in_order(x, true) && is_within_limits(x))
		x->answer->text(x, delta, text);
}

void
exchange_tool(struct exchange *x, struct str json)
{
	x->unpaid += json.len + EVENT_COST;
	if (is_in_order(x, true) && is_within_limits(x))
		x->answer->tool(x, json);
}

/* What is relayed has its calls in it, and what a call is made with comes
 * behind it. */
static bool
may_call(struct exchange *x, bool has_begun)
{
	struct error e = { 0 };

	if (x->answer->call && (x->calls || !has_begun))
		return true;
	fail_with(&e, ERR_PROTOCOL, "%s tells a call where none can be",
		  x->worker->name);
	exchange_abort(x, &e);
	return false;
}

void
exchange_call(struct exchange *x, struct str json)
{
	json_t *said = json_loadb(json.ptr, json.len, 0, NULL);
	struct call call = { .index = x->calls };
	struct error e = { 0 };

	x->unpaid += json.len + EVENT_COST;
	if (json_unpack(said, "{s:s, s:s}", "id", &call.id, "name",
			&call.name) != 0) {
		fail_with(&e, ERR_PROTOCOL, "%s tells a call without a name",
			  x->worker->name);
		exchange_abort(x, &e);
	} else if (is_in_order(x, true) && is_within_limits(x) &&
		   may_call(x, false)) {
		x->calls++;
		x->answer->call(x, &call);
	}
	json_decref(said);
}

void
exchange_arguments(struct exchange *x, struct str text)
{
	x->unpaid += text.len + EVENT_COST;
	if (is_in_order(x, true) && is_within_limits(x) && may_call(x, true))
		x->answer->arguments(x, text);
}

void
exchange_meanwhile(struct exchange *x, struct str text)
{
	x->unpaid += text.len + EVENT_COST;
	if (is_in_order(x, true) && is_within_limits(x) && x->answer->meanwhile)
		x->answer->meanwhile(x, text);
}

void
exchange_note(struct exchange *x, struct str text)
{
	x->unpaid += text.len + EVENT_COST;
	if (!is_in_order(x, true))
		return;
	if (x->answer->note)
		x->answer->note(x, text);
	pay_if_little_waits(x); /* a note may be left out */
}

void
exchange_head(struct exchange *x, const struct msg_head *m)
{
	struct error e = { 0 };

	if (!is_in_order(x, true))
		return;
	if (x->answer != &answer_relay) {
		fail_with(&e, ERR_PROTOCOL,
			  "%s relays an answer that it has not accepted as one",
			  x->worker->name);
		exchange_abort(x, &e);
		return;
	}
	x->unpaid += m->bytes.len + EVENT_COST;
	relay_head(x, m);
}

void
exchange_body(struct exchange *x, const struct msg_body *m)
{
	x->unpaid += m->bytes.len + EVENT_COST;
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
