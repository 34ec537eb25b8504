#include "workers/worker/turn.h"

#include <assert.h>

#include "proto/log.h"
#include "proto/utf8.h"

/* Of a body: what is smaller is copied, for other orders travel with it. */
enum { WORTH_TAKING = 64 << 10 };

/* An event that is packed, and waits for credit. */
struct outgoing {
	struct node node;
	nng_msg *raw;
	size_t cost; /* in bytes of credit; 0: none */
};

static struct list *
list_of(struct turn *t)
{
	switch (t->state) {
	case TURN_WAITING:
		return &t->worker->waiting;
	case TURN_RUNNING:
		return &t->worker->running;
	case TURN_ENDED:
		return &t->worker->ended;
	}
	abort();
}

void
turn_move(struct turn *t, int state)
{
	list_remove(list_of(t), &t->node);
	t->state = state;
	list_append(list_of(t), &t->node);
}

static void
keep_body(struct turn *t, struct str body, nng_msg *order)
{
	if (order && body.len >= WORTH_TAKING) {
		t->order = order;
		t->body = body;
		return;
	}
	t->body = (struct str){ copy(body), body.len };
	if (order)
		nng_msg_free(order);
}

struct turn *
turn_new(struct worker *w, const struct msg_submit *m, nng_msg *order)
{
	struct turn *t = xcalloc(1, sizeof *t);

	t->worker = w;
	t->id = m->turn;
	t->kind = (enum turn_kind)m->kind;
	t->streamed = m->streamed;
	t->harness = copy(m->harness);
	t->model = copy(m->model);
	t->session = copy(m->session);
	t->cwd = copy(m->cwd);
	t->owed = m->body.len;
	t->credit = (int64_t)m->window;
	t->submitted = loop_now();
	list_init(&t->outbox);
	list_append(&w->waiting, &t->node);
	keep_body(t, m->body, order); /* the last that is read of `m` */
	return t;
}

void
turn_drop_body(struct turn *t)
{
	if (t->order)
		nng_msg_free(t->order);
	else
		free((char *)t->body.ptr);
	t->order = NULL;
	t->body = (struct str){ NULL, 0 };
}

void
turn_give_room(struct turn *t)
{
	size_t bytes = t->owed;

	t->owed = 0;
	if (bytes)
		worker_tell_room(t->worker, bytes);
}

static void
clear_outbox(struct turn *t)
{
	struct node *n;

	while ((n = list_first(&t->outbox))) {
		struct outgoing *o = container_of(n, struct outgoing, node);

		list_remove(&t->outbox, n);
		nng_msg_free(o->raw);
		free(o);
	}
}

void
turn_free(struct turn *t)
{
	if (engine.forget)
		engine.forget(t);
	loop_unset(&t->worker->loop, &t->deadline);
	list_remove(list_of(t), &t->node);
	clear_outbox(t);
	free(t->harness);
	free(t->model);
	free(t->session);
	free(t->cwd);
	turn_drop_body(t);
	free(t);
}

/* Events */

static void
emit_at_cost(struct turn *t, enum msg_type type, const void *body, size_t cost)
{
	struct outgoing *o;
	nng_msg *raw = msg_pack(type, body);

	if (!list_first(&t->outbox) && (t->credit > 0 || !cost)) {
		t->credit -= (int64_t)cost;
		outlet_pass(&t->worker->outlet, raw);
		return;
	}
	o = xcalloc(1, sizeof *o);
	o->raw = raw;
	o->cost = cost;
	t->backlog += cost ? cost : EVENT_COST;
	list_append(&t->outbox, &o->node);
}

/* One that can be large, and of which there can be many. */
static void
emit(struct turn *t, enum msg_type type, const void *body, size_t bytes)
{
	emit_at_cost(t, type, body, bytes + EVENT_COST);
}

/* One of the few that a turn has once. */
static void
emit_free(struct turn *t, enum msg_type type, const void *body)
{
	emit_at_cost(t, type, body, 0);
}

void
turn_drain(struct turn *t)
{
	struct node *n;

	while ((n = list_first(&t->outbox))) {
		struct outgoing *o = container_of(n, struct outgoing, node);

		if (o->cost && t->credit <= 0)
			return;
		t->credit -= (int64_t)o->cost;
		t->backlog -= o->cost ? o->cost : EVENT_COST;
		list_remove(&t->outbox, n);
		outlet_pass(&t->worker->outlet, o->raw);
		free(o);
	}
}

/* Whether events of the turn still matter to anybody. */
static bool
is_heard(const struct turn *t)
{
	return t->state == TURN_RUNNING && !t->cancelled && !t->was_cut;
}

/* The next piece of `text` that fits into one event. */
static struct str
take_piece(struct str *text)
{
	struct str piece = *text;

	if (piece.len > MAX_DELTA)
		piece.len = utf8_whole((struct str){ piece.ptr, MAX_DELTA });
	*text = str_from(*text, piece.len);
	return piece;
}

void
turn_accepted(struct turn *t, const struct acceptance *a)
{
	const struct msg_accepted m = {
		.turn = t->id,
		.seq = ++t->seq,
		.relay = a->relay,
		.session = str_of(a->session),
		.how = str_of(a->how),
		.reason = str_of(a->reason),
		.ignored = str_of(a->ignored[0] ? a->ignored : NULL),
	};

	/* Of a relay it can wait for the HEAD: it is one wake-up less. */
	if (a->relay && !a->ignored[0])
		outlet_pass_late(&t->worker->outlet,
				 msg_pack(MSG_ACCEPTED, &m));
	else
		emit_free(t, MSG_ACCEPTED, &m);
}

void
turn_tell_ignored(struct turn *t, const char *ignored)
{
	const struct msg_started m = {
		.turn = t->id,
		.seq = t->seq + 1,
		.ignored = str_of(ignored),
	};

	if (t->was_cut || t->cancelled)
		return;
	t->seq++;
	emit_free(t, MSG_STARTED, &m);
}

void
turn_started(struct turn *t, const char *session, const char *how,
	     const char *reason)
{
	struct msg_started m = {
		.turn = t->id,
		.session = str_of(session),
		.how = str_of(how),
		.reason = str_of(reason),
	};

	if (t->was_cut)
		return;
	m.seq = ++t->seq;
	emit_free(t, MSG_STARTED, &m);
}

void
turn_text(struct turn *t, struct str s)
{
	while (is_heard(t) && s.len) {
		struct msg_text m = { .turn = t->id, .text = take_piece(&s) };

		m.seq = ++t->seq;
		emit(t, MSG_TEXT, &m, m.text.len);
	}
}

void
turn_reasoning(struct turn *t, struct str s)
{
	while (is_heard(t) && s.len) {
		struct msg_reasoning m = { .turn = t->id,
					   .text = take_piece(&s) };

		m.seq = ++t->seq;
		emit(t, MSG_REASONING, &m, m.text.len);
	}
}

void
turn_meanwhile(struct turn *t, struct str s)
{
	struct msg_meanwhile m = { .turn = t->id, .text = take_piece(&s) };

	if (!is_heard(t))
		return;
	m.seq = ++t->seq;
	emit(t, MSG_MEANWHILE, &m, m.text.len);
}

void
turn_tool(struct turn *t, struct str json)
{
	struct msg_tool m = { .turn = t->id, .json = json };

	if (!is_heard(t) || json.len > MAX_DELTA)
		return;
	m.seq = ++t->seq;
	emit(t, MSG_TOOL, &m, json.len);
}

void
turn_note(struct turn *t, struct str text)
{
	struct msg_note m = { .turn = t->id, .text = text };

	if (!is_heard(t))
		return;
	m.seq = ++t->seq;
	emit(t, MSG_NOTE, &m, text.len);
}

/*
 * The last event is out, or waits; the turn's slot and session are free, and
 * its memory but for what waits.
 */
static void
turn_end(struct turn *t)
{
	struct worker *w = t->worker;

	if (engine.forget)
		engine.forget(t);
	turn_drop_body(t);
	turn_give_room(t);
	log_info("turn %ju: ended after %ju ms", (uintmax_t)t->id,
		 (uintmax_t)(loop_now() - t->submitted));
	if (list_first(&t->outbox))
		turn_move(t, TURN_ENDED);
	else
		turn_free(t);
	worker_run_waiting(w);
}

static void
emit_body(struct turn *t, struct str bytes, bool last)
{
	struct msg_body m = { .turn = t->id };

	do {
		m.bytes = bytes;
		if (m.bytes.len > MAX_DELTA)
			m.bytes.len = MAX_DELTA;
		bytes = str_from(bytes, m.bytes.len);
		m.last = last && !bytes.len;
		m.seq = ++t->seq;
		emit(t, MSG_BODY, &m, m.bytes.len);
	} while (bytes.len);
}

void
turn_head(struct turn *t, int status, struct str headers_json, struct str bytes,
	  bool last)
{
	struct msg_head m = {
		.turn = t->id,
		.status = (uint64_t)status,
		.headers = headers_json,
		.bytes = bytes,
	};
	struct str rest;

	assert(t->state == TURN_RUNNING);
	if (m.bytes.len > MAX_DELTA)
		m.bytes.len = MAX_DELTA;
	rest = str_from(bytes, m.bytes.len);
	m.last = last && !rest.len;
	if (is_heard(t)) {
		m.seq = ++t->seq;
		emit(t, MSG_HEAD, &m, m.bytes.len);
		if (rest.len)
			emit_body(t, rest, last);
	}
	if (last)
		turn_end(t);
}

void
turn_body(struct turn *t, struct str bytes, bool last)
{
	assert(t->state == TURN_RUNNING);
	if (is_heard(t) && (bytes.len || last))
		emit_body(t, bytes, last);
	if (last)
		turn_end(t);
}

void
turn_finish(struct turn *t, const char *reason, const char *usage,
	    const char *model)
{
	struct msg_finish m = {
		.turn = t->id,
		.reason = str_of(reason),
		.usage = str_of(usage),
		.model = str_of(model),
	};

	assert(t->state == TURN_RUNNING);
	if (!t->was_cut) {
		m.seq = ++t->seq;
		emit_free(t, MSG_FINISH, &m);
	}
	turn_end(t);
}

static void
tell_failed(struct turn *t, const struct error *e)
{
	const struct msg_failed m = {
		.turn = t->id,
		.seq = ++t->seq,
		.code = e->code,
		.why = str_of(e->text),
		.retry_ms = e->retry_ms,
		.field_len = e->field_len,
	};

	emit_free(t, MSG_FAILED, &m);
}

/* What was not sent never was: events are counted, and none may be missing. */
void
turn_cut(struct turn *t, const struct error *e)
{
	if (t->was_cut || t->cancelled)
		return;
	t->seq -= t->outbox.len;
	clear_outbox(t);
	tell_failed(t, e);
	t->was_cut = true;
}

/* Nobody waits for the text of a turn that was cancelled. */
void
turn_fail(struct turn *t, const struct error *e)
{
	assert(t->state != TURN_ENDED);
	log_info("turn %ju: %s: %s", (uintmax_t)t->id, error_name(e->code),
		 log_quote(str_of(e->text)));
	if (t->cancelled)
		clear_outbox(t);
	if (!t->was_cut)
		tell_failed(t, e);
	turn_end(t);
}

size_t
turn_backlog(const struct turn *t)
{
	return t->cancelled ? 0 : t->backlog;
}

bool
turn_is_blocked(const struct turn *t)
{
	return !t->cancelled && !t->was_cut && list_first(&t->outbox) != NULL;
}
