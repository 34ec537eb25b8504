#include "workers/worker/listener.h"

#include "proto/log.h"
#include "proto/utf8.h"
#include "workers/worker/turn.h"

#define EVENTS_BEGIN_ALIKE(name)                                           \
	static_assert(offsetof(struct msg_##name, turn) ==                 \
				      offsetof(struct event_head, turn) && \
			      offsetof(struct msg_##name, seq) ==          \
				      offsetof(struct event_head, seq),    \
		      #name " begins with an event_head")

EVENTS_BEGIN_ALIKE(accepted);
EVENTS_BEGIN_ALIKE(started);
EVENTS_BEGIN_ALIKE(text);
EVENTS_BEGIN_ALIKE(reasoning);
EVENTS_BEGIN_ALIKE(tool);
EVENTS_BEGIN_ALIKE(call);
EVENTS_BEGIN_ALIKE(arguments);
EVENTS_BEGIN_ALIKE(note);
EVENTS_BEGIN_ALIKE(meanwhile);
EVENTS_BEGIN_ALIKE(head);
EVENTS_BEGIN_ALIKE(body);
EVENTS_BEGIN_ALIKE(finish);
EVENTS_BEGIN_ALIKE(failed);

/* Those that are words have nothing else. */
struct words {
	struct event_head head;
	struct str text;
};

#define ARE_WORDS(name, field)                                        \
	static_assert(offsetof(struct msg_##name, field) ==           \
				      offsetof(struct words, text) && \
			      sizeof(struct msg_##name) ==            \
				      sizeof(struct words),           \
		      #name " has the words only")

ARE_WORDS(text, text);
ARE_WORDS(reasoning, text);
ARE_WORDS(meanwhile, text);
ARE_WORDS(tool, json);
ARE_WORDS(call, json);
ARE_WORDS(arguments, text);

/* An event that is packed, and waits for credit. */
struct outgoing {
	struct node node;
	nng_msg *raw;
	size_t cost; /* in bytes of credit; 0: none */
};

static struct list *
bucket(const struct worker *w, uint64_t id)
{
	return (struct list *)&w->listeners[id % LISTENER_BUCKETS];
}

struct listener *
listener_find(const struct worker *w, uint64_t id)
{
	list_each (bucket(w, id), n) {
		struct listener *l = container_of(n, struct listener, of_id);

		if (l->id == id)
			return l;
	}
	return NULL;
}

struct listener *
listener_new(struct worker *w, struct turn *t, const struct msg_submit *m)
{
	struct listener *l = xcalloc(1, sizeof *l);

	l->worker = w;
	l->turn = t;
	l->id = m->turn;
	l->credit = (int64_t)m->window;
	list_init(&l->outbox);
	list_append(bucket(w, l->id), &l->of_id);
	list_append(t ? &t->listeners : &w->lingering, &l->of_turn);
	return l;
}

/* What waits for its client has grown or shrunk. */
static void
count_backlog(struct listener *l, size_t added, size_t gone)
{
	l->backlog += added - gone;
	l->worker->unsent += added - gone;
}

static size_t
weight_of(const struct outgoing *o)
{
	return o->cost ? o->cost : EVENT_COST;
}

void
listener_drop_outbox(struct listener *l)
{
	struct node *n;

	/* What was not sent never was: events are counted, and none may be
	 * missing. */
	l->seq -= l->outbox.len;
	while ((n = list_first(&l->outbox))) {
		struct outgoing *o = container_of(n, struct outgoing, node);

		list_remove(&l->outbox, n);
		nng_msg_free(o->raw);
		free(o);
	}
	count_backlog(l, 0, l->backlog);
}

void
listener_free(struct listener *l)
{
	listener_drop_outbox(l);
	list_remove(bucket(l->worker, l->id), &l->of_id);
	list_remove(l->turn ? &l->turn->listeners : &l->worker->lingering,
		    &l->of_turn);
	free(l);
}

static nng_msg *
pack_next(struct listener *l, enum msg_type type, void *body)
{
	*(struct event_head *)body = (struct event_head){ l->id, ++l->seq };
	return msg_pack(type, body);
}

static void
tell_at_cost(struct listener *l, enum msg_type type, void *body, size_t cost)
{
	struct outgoing *o;
	nng_msg *raw;

	if (l->was_cut)
		return;
	raw = pack_next(l, type, body);
	if (!list_first(&l->outbox) && (l->credit > 0 || !cost)) {
		l->credit -= (int64_t)cost;
		outlet_pass(&l->worker->outlet, raw);
		return;
	}
	o = xcalloc(1, sizeof *o);
	o->raw = raw;
	o->cost = cost;
	count_backlog(l, weight_of(o), 0);
	list_append(&l->outbox, &o->node);
}

/*
 * The only listener of a turn is no slower than the others: the turn waits for
 * it (turn_is_blocked), or is ended by its engine (turn_backlog).  Where the
 * slow clients of all turns together have too much waiting, one that is given
 * the same as a faster one may be as far behind as any other client only.
 */
static void
cut_if_far_behind(struct listener *l)
{
	size_t most =
		l->worker->unsent > MAX_OUTBOXES ? MAX_WINDOW : MAX_BACKLOG;
	struct error e = { 0 };

	if (l->backlog <= most || !l->turn ||
	    l->backlog - turn_backlog(l->turn) <= most)
		return;
	fail_with(&e, ERR_TRUNCATED,
		  "this client reads so much more slowly than another one that "
		  "is given the same answer that %zu bytes of it wait",
		  l->backlog);
	listener_cut(l, &e);
}

void
listener_tell(struct listener *l, enum msg_type type, void *body, size_t bytes)
{
	tell_at_cost(l, type, body, bytes + EVENT_COST);
	cut_if_far_behind(l);
}

void
listener_tell_free(struct listener *l, enum msg_type type, void *body)
{
	tell_at_cost(l, type, body, 0);
}

void
listener_tell_late(struct listener *l, enum msg_type type, void *body)
{
	outlet_pass_late(&l->worker->outlet, pack_next(l, type, body));
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
listener_tell_words(struct listener *l, enum msg_type type, struct str said)
{
	bool is_whole = story_is_whole(type);
	struct words m;

	while (said.len) {
		m.text = is_whole ? said : take_piece(&said);
		listener_tell(l, type, &m, m.text.len);
		if (is_whole)
			return;
	}
}

void
listener_tell_failed(struct listener *l, const struct error *e, bool repeated)
{
	struct msg_failed m = {
		.code = e->code,
		.why = str_of(e->text),
		.retry_ms = e->retry_ms,
		.field_len = e->field_len,
		.repeated = repeated,
	};

	listener_tell_free(l, MSG_FAILED, &m);
}

void
listener_cut(struct listener *l, const struct error *e)
{
	if (l->was_cut)
		return;
	listener_drop_outbox(l);
	listener_tell_failed(l, e, false);
	l->was_cut = true;
}

void
listener_end(struct listener *l)
{
	if (!list_first(&l->outbox)) {
		listener_free(l);
		return;
	}
	if (!l->turn)
		return;
	list_remove(&l->turn->listeners, &l->of_turn);
	l->turn = NULL;
	list_append(&l->worker->lingering, &l->of_turn);
}

bool
listener_has_company(const struct listener *l)
{
	list_each (&l->turn->listeners, n) {
		const struct listener *other =
			container_of(n, struct listener, of_turn);

		if (other != l && !other->was_cut)
			return true;
	}
	return false;
}

void
listener_leave(struct listener *l, const struct error *e)
{
	struct turn *t = l->turn;
	bool was_blocked = t && turn_is_blocked(t);

	listener_cut(l, e);
	listener_free(l);
	/* It may have been the fastest, but it was not the last. */
	assert(!t || t->listeners.len);
	if (t)
		turn_go_on(t, was_blocked);
}

void
listener_refuse(struct worker *w, const struct msg_submit *m,
		const struct error *e)
{
	struct listener *l = listener_new(w, NULL, m);

	log_info("order %ju: %s: %s", (uintmax_t)m->turn, error_name(e->code),
		 log_quote(str_of(e->text)));
	listener_tell_failed(l, e, false);
	listener_end(l);
}

static void
drain(struct listener *l)
{
	struct node *n;

	while ((n = list_first(&l->outbox))) {
		struct outgoing *o = container_of(n, struct outgoing, node);

		if (o->cost && l->credit <= 0)
			return;
		l->credit -= (int64_t)o->cost;
		count_backlog(l, 0, weight_of(o));
		list_remove(&l->outbox, n);
		outlet_pass(&l->worker->outlet, o->raw);
		free(o);
	}
}

void
listener_give_credit(struct listener *l, size_t bytes)
{
	l->credit += (int64_t)bytes;
	drain(l);
	if (!l->turn)
		listener_end(l);
}
