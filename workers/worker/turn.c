#include "workers/worker/turn.h"

#include <assert.h>
#include <stdint.h>

#include "proto/log.h"
#include "workers/worker/listener.h"
#include "workers/worker/queue.h"
#include "workers/worker/repeats.h"

/* Of a body: what is smaller is copied, for other orders travel with it. */
enum { WORTH_TAKING = 64 << 10 };

static struct list *
list_of(struct turn *t)
{
	switch (t->state) {
	case TURN_WAITING:
		return &t->worker->waiting;
	case TURN_RUNNING:
		return &t->worker->running;
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
	t->dialect = (enum dialect)m->dialect;
	t->streamed = m->streamed;
	t->harness = copy(m->harness);
	t->model = copy(m->model);
	t->session = copy(m->session);
	t->cwd = copy(m->cwd);
	t->key = copy(m->key);
	t->headers = copy(m->headers);
	t->owed = m->body.len;
	t->submitted = loop_now();
	t->story = STORY_INIT;
	list_init(&t->listeners);
	list_append(&w->waiting, &t->node);
	(void)listener_new(w, t, m);
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
	const struct msg_room m = { .bytes = t->owed };

	t->owed = 0;
	if (m.bytes)
		outlet_send(&t->worker->outlet, MSG_ROOM, &m);
}

static void
end_listeners(struct turn *t)
{
	list_each (&t->listeners, n)
		listener_end(container_of(n, struct listener, of_turn));
}

void
standing_fini(struct standing *s)
{
	free(s->session);
	free(s->how);
	free(s->reason);
	free(s->cache);
	free(s->mode);
	free(s->profile);
	free(s->ignored);
	*s = (struct standing){ 0 };
}

void
turn_free(struct turn *t)
{
	if (engine.forget)
		engine.forget(t);
	loop_unset(&t->worker->loop, &t->deadline);
	list_remove(list_of(t), &t->node);
	end_listeners(t);
	story_fini(&t->story);
	standing_fini(&t->standing);
	free(t->harness);
	free(t->model);
	free(t->session);
	free(t->cwd);
	free(t->key);
	free(t->headers);
	turn_drop_body(t);
	free(t);
}

/* Events */

/* One that can be large, and of which there can be many. */
static void
emit(struct turn *t, enum msg_type type, void *body, size_t bytes)
{
	list_each (&t->listeners, n)
		listener_tell(container_of(n, struct listener, of_turn), type,
			      body, bytes);
}

/* One of the few that a turn has once. */
static void
emit_free(struct turn *t, enum msg_type type, void *body)
{
	list_each (&t->listeners, n)
		listener_tell_free(container_of(n, struct listener, of_turn),
				   type, body);
}

/* Whether events of the turn still matter to anybody. */
static bool
is_heard(const struct turn *t)
{
	return t->state == TURN_RUNNING && !t->cancelled && !t->was_cut;
}

static void
keep(char **at, const char *text)
{
	free(*at);
	*at = copy(str_of(text));
}

static struct msg_accepted
acceptance_of(const struct turn *t)
{
	return (struct msg_accepted){
		.session = str_of(t->standing.session),
		.how = str_of(t->standing.how),
		.reason = str_of(t->standing.reason),
		.mode = str_of(t->standing.mode),
		.profile = str_of(t->standing.profile),
		.cache = str_of(t->standing.cache),
		.ignored = str_of(t->standing.ignored),
	};
}

void
turn_accepted(struct turn *t, const struct acceptance *a)
{
	struct listener *l = container_of(list_first(&t->listeners),
					  struct listener, of_turn);
	struct msg_accepted m;

	keep(&t->standing.session, a->session);
	keep(&t->standing.how, a->how);
	keep(&t->standing.reason, a->reason);
	keep(&t->standing.cache, a->cache);
	keep(&t->standing.mode, a->mode);
	keep(&t->standing.profile, a->profile[0] ? a->profile : NULL);
	keep(&t->standing.ignored, a->ignored[0] ? a->ignored : NULL);
	m = acceptance_of(t);
	m.relay = a->relay;
	/* Of a relay it can wait for the HEAD: it is one wake-up less. */
	if (a->relay && !a->ignored[0])
		listener_tell_late(l, MSG_ACCEPTED, &m);
	else
		listener_tell_free(l, MSG_ACCEPTED, &m);
}

void
turn_go_on(struct turn *t, bool was_blocked)
{
	if (was_blocked && !turn_is_blocked(t) && t->state == TURN_RUNNING)
		engine.unblock(t);
}

void
turn_join(struct turn *t, const struct msg_submit *order)
{
	bool was_blocked = turn_is_blocked(t);
	struct listener *l = listener_new(t->worker, t, order);
	struct msg_accepted m = acceptance_of(t);

	log_info("turn %ju: answers order %ju as well, which asks for the same",
		 (uintmax_t)t->id, (uintmax_t)l->id);
	m.repeated = 1;
	listener_tell_free(l, MSG_ACCEPTED, &m);
	story_tell(&t->story, l);
	turn_go_on(t, was_blocked);
}

void
turn_tell_reading(struct turn *t, const struct acceptance *a)
{
	struct msg_started m = { .ignored = str_of(a->ignored),
				 .mode = str_of(a->mode),
				 .profile = str_of(a->profile) };

	if (t->was_cut || t->cancelled ||
	    (!m.ignored.len && !m.mode.len && !m.profile.len))
		return;
	if (!m.ignored.len)
		m.ignored = (struct str){ 0 };
	if (!m.profile.len)
		m.profile = (struct str){ 0 };
	keep(&t->standing.profile, m.profile.ptr);
	keep(&t->standing.ignored, m.ignored.ptr);
	keep(&t->standing.mode, a->mode);
	emit_free(t, MSG_STARTED, &m);
}

void
turn_started(struct turn *t, const struct acceptance *a)
{
	struct msg_started m = {
		.session = str_of(a->session),
		.how = str_of(a->how),
		.reason = str_of(a->reason),
		.cache = str_of(a->cache),
	};

	if (t->was_cut)
		return;
	emit_free(t, MSG_STARTED, &m);
	keep(&t->standing.session, a->session);
	keep(&t->standing.how, a->how);
	keep(&t->standing.reason, a->reason);
	keep(&t->standing.cache, a->cache);
}

static void
say(struct turn *t, enum msg_type type, struct str text)
{
	t->has_spoken |= type != MSG_MEANWHILE;
	if (!is_heard(t))
		return;
	if (t->identity)
		story_add(&t->story, type, text);
	list_each (&t->listeners, n)
		listener_tell_words(container_of(n, struct listener, of_turn),
				    type, text);
}

void
turn_text(struct turn *t, struct str s)
{
	say(t, MSG_TEXT, s);
}

void
turn_holds(struct turn *t)
{
	t->has_spoken = true;
}

void
turn_reasoning(struct turn *t, struct str s)
{
	say(t, MSG_REASONING, s);
}

void
turn_meanwhile(struct turn *t, struct str s)
{
	say(t, MSG_MEANWHILE, s);
}

void
turn_tool(struct turn *t, struct str json)
{
	t->has_used_tools = t->has_spoken = true;
	if (json.len <= MAX_DELTA)
		say(t, MSG_TOOL, json);
}

void
turn_call(struct turn *t, struct str json, struct str arguments)
{
	say(t, MSG_CALL, json);
	say(t, MSG_ARGUMENTS, arguments);
}

void
turn_note(struct turn *t, struct str text)
{
	struct msg_note m = { .text = text };

	if (is_heard(t))
		emit(t, MSG_NOTE, &m, text.len);
}

/* The last event is out, or waits: the turn's slot, its session and its memory
 * are free. */
static void
turn_end(struct turn *t)
{
	struct worker *w = t->worker;

	turn_give_room(t);
	log_info("turn %ju: ended after %ju ms", (uintmax_t)t->id,
		 (uintmax_t)(loop_now() - t->submitted));
	turn_free(t);
	queue_run_waiting(w);
}

static void
emit_body(struct turn *t, struct str bytes, bool last)
{
	struct msg_body m = { 0 };

	do {
		m.bytes = bytes;
		if (m.bytes.len > MAX_DELTA)
			m.bytes.len = MAX_DELTA;
		bytes = str_from(bytes, m.bytes.len);
		m.last = last && !bytes.len;
		emit(t, MSG_BODY, &m, m.bytes.len);
	} while (bytes.len);
}

void
turn_head(struct turn *t, int status, struct str headers_json, struct str bytes,
	  bool last)
{
	struct msg_head m = {
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
turn_finish(struct turn *t, enum finish_reason reason,
	    const struct usage *usage, const char *model)
{
	static const struct usage not_known = { 0 };
	const struct usage *u = usage ? usage : &not_known;
	struct msg_finish m = {
		.reason = reason,
		.input = u->input,
		.cached = u->cached,
		.written = u->written,
		.output = u->output,
		.reasoning = u->reasoning,
		.cost = u->cost,
		.cost_source = str_of(u->cost_source),
		.expected = u->cache.expected,
		.again = u->cache.cached,
		.fresh = u->cache.fresh,
		.rebilled = u->cache.rebilled,
		.model = str_of(model),
	};

	assert(t->state == TURN_RUNNING && reason != FINISH_NONE);
	emit_free(t, MSG_FINISH, &m);
	if (is_heard(t))
		repeats_keep_answer(t, &m);
	turn_end(t);
}

void
turn_cut(struct turn *t, const struct error *e)
{
	if (t->was_cut || t->cancelled)
		return;
	list_each (&t->listeners, n)
		listener_cut(container_of(n, struct listener, of_turn), e);
	t->was_cut = true;
}

/*
 * A client must not be invited to send a request again whose CLI may have acted
 * already: it would act twice.  A CLI that has told nothing of the turn and
 * says itself why it failed has not acted.
 */
static struct error
failure_of(const struct turn *t, const struct error *e)
{
	struct error failure = *e;

	if (t->has_spoken &&
	    (error_retry(e->code) == RETRY_LATER || e->code == ERR_HARNESS)) {
		failure.code = ERR_TRUNCATED;
		failure.retry_ms = 0;
	}
	return failure;
}

void
turn_fail(struct turn *t, const struct error *why)
{
	const struct error failure = failure_of(t, why), *e = &failure;

	log_info("turn %ju: %s: %s", (uintmax_t)t->id, error_name(e->code),
		 log_quote(str_of(e->text)));
	list_each (&t->listeners, n)
		listener_tell_failed(container_of(n, struct listener, of_turn),
				     e, false);
	if (is_heard(t))
		repeats_keep_failure(t, e);
	turn_end(t);
}

void
turn_cancel(struct turn *t, const struct error *why)
{
	struct error e = { 0 };

	if (t->cancelled)
		return;
	repeats_keep_failure(t, why);
	t->cancelled = true;
	list_each (&t->listeners, n)
		listener_drop_outbox(container_of(n, struct listener, of_turn));
	if (t->state == TURN_RUNNING) {
		engine.cancel(t);
		return;
	}
	fail_with(&e, ERR_CANCELLED, "cancelled");
	turn_fail(t, &e);
}

/* Of the fastest client.  Those that were cut hear no more. */
size_t
turn_backlog(const struct turn *t)
{
	size_t least = SIZE_MAX;

	list_each (&t->listeners, n) {
		const struct listener *l =
			container_of(n, struct listener, of_turn);

		if (!l->was_cut && l->backlog < least)
			least = l->backlog;
	}
	return t->cancelled || least == SIZE_MAX ? 0 : least;
}

bool
turn_is_blocked(const struct turn *t)
{
	bool is_any_blocked = false;

	if (t->cancelled || t->was_cut)
		return false;
	list_each (&t->listeners, n) {
		const struct listener *l =
			container_of(n, struct listener, of_turn);

		if (!l->was_cut && !listener_is_blocked(l))
			return false;
		is_any_blocked |= !l->was_cut;
	}
	return is_any_blocked;
}
