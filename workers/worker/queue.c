#include "workers/worker/queue.h"

#include "proto/log.h"
#include "workers/worker/ending.h"

enum {
	BEGIN_MS = 2,	 /* that turns may take to begin, one after another */
	LARGE = 1 << 20, /* bytes of a body that is read when its turn begins */
};

/* Turns of one session wait for each other, unless they are known to be about
 * different conversations. */
static bool
is_in_the_way(const struct turn *other, const struct turn *t)
{
	if (!engine.has_sessions || !t->session || !other->session ||
	    strcmp(other->session, t->session) != 0)
		return false;
	return !other->lane || !t->lane || other->lane == t->lane;
}

static bool
lane_is_free(const struct turn *t)
{
	list_each (&t->worker->running, n)
		if (is_in_the_way(container_of(n, struct turn, node), t))
			return false;
	return true;
}

static bool
has_slot(const struct worker *w)
{
	return !engine.has_slots || w->running.len < w->harness.max_running;
}

static bool
may_run(const struct turn *t)
{
	return has_slot(t->worker) && lane_is_free(t) &&
	       (!engine.may_run || engine.may_run(t));
}

/* One that came before it, and must run before it, waits as well. */
static bool
is_overtaking(const struct turn *t)
{
	list_each (&t->worker->waiting, n) {
		const struct turn *other = container_of(n, struct turn, node);

		if (other == t)
			return false;
		if (is_in_the_way(other, t))
			return true;
	}
	return false;
}

/* No other turn comes between: what it was read to mean stays true. */
static bool
runs_next(const struct turn *t)
{
	const struct worker *w = t->worker;

	return may_run(t) && !is_overtaking(t) &&
	       (!engine.has_slots ||
		w->running.len + w->waiting.len <= w->harness.max_running);
}

static bool
read_turn(struct turn *t, struct acceptance *a, struct error *e)
{
	t->is_read = true;
	return engine.accept(t, a, e);
}

/* What waits is its bytes: read, it may take a hundred times the room. */
static void
forget_what_was_read(struct turn *t)
{
	t->is_read = false;
	if (engine.forget)
		engine.forget(t);
}

static bool
same_text(const char *a, const char *b)
{
	return str_eq(str_of(a), str_of(b));
}

/* An earlier turn of its session may have changed what it inherits. */
static bool
has_told(const struct turn *t, const struct acceptance *a)
{
	const char *profile = a->profile[0] ? a->profile : NULL;

	return t->was_read && same_text(t->standing.mode, a->mode) &&
	       same_text(t->standing.profile, profile);
}

static bool
is_read_to_run(struct turn *t)
{
	struct acceptance a = { 0 };
	struct error e = { 0 };

	if (t->is_read)
		return true;
	if (!read_turn(t, &a, &e)) {
		turn_fail(t, &e);
		return false;
	}
	if (!has_told(t, &a))
		turn_tell_reading(t, &a);
	return true;
}

static void
run(struct turn *t)
{
	if (!is_read_to_run(t))
		return;
	if (!may_run(t)) { /* its lane was not known before it was read */
		forget_what_was_read(t);
		return;
	}
	loop_unset(&t->worker->loop, &t->deadline);
	turn_move(t, TURN_RUNNING);
	log_info("turn %ju: running", (uintmax_t)t->id);
	engine.start(t);
}

/*
 * In the order in which they came, except that a session whose turn is under
 * way does not keep the others waiting.
 */
static struct turn *
find_next(const struct worker *w)
{
	list_each (&w->waiting, n) {
		struct turn *t = container_of(n, struct turn, node);

		if (may_run(t) && !is_overtaking(t))
			return t;
	}
	return NULL;
}

/*
 * One turn at a time: reading a large body takes long, and others want to be
 * heard in between.  But where no body is read, turns that come together begin
 * together, so that what they send travels together.
 */
static void
on_next(struct chore *c)
{
	struct worker *w = container_of(c, struct worker, next);
	uint64_t began = loop_now();
	struct turn *t;

	while (!w->stopping && (t = find_next(w))) {
		run(t);
		if (!engine.has_slots && loop_now() - began < BEGIN_MS)
			continue;
		queue_run_waiting(w);
		break;
	}
	ending_leave_if_drained(w);
}

void
queue_run_waiting(struct worker *w)
{
	loop_put_off(&w->loop, &w->next, on_next);
}

/* Who has the places that others wait for: part of an error's text. */
static void
describe_places(const struct worker *w, struct buf *to)
{
	*to = BUF_INIT(MAX_DETAIL);
	if (engine.describe_places)
		engine.describe_places(w->self, to);
}

static void
on_queue_deadline(struct timer *timer)
{
	struct turn *t = container_of(timer, struct turn, deadline);
	struct error e = { 0 };
	struct buf places;

	describe_places(t->worker, &places);
	fail_with(&e, ERR_QUEUE_TIMEOUT,
		  "queue_timeout: %s was busy for %ju ms (%zu running, %zu "
		  "waiting" STR_FMT ")",
		  t->worker->name, (uintmax_t)t->worker->harness.queue_ms,
		  t->worker->running.len, t->worker->waiting.len,
		  STR_ARG(buf_str(&places)));
	buf_fini(&places);
	turn_fail(t, &e);
}

/* A body that has to be read takes time in proportion to its size. */
static bool
is_read_later(const struct turn *t)
{
	return engine.has_slots && t->body.len > LARGE;
}

/* How many turns more can run at once. */
static size_t
free_room(const struct worker *w)
{
	size_t room = w->harness.max_running - w->running.len, places;
	struct place_counts counts = { 0 };

	if (engine.count_places)
		engine.count_places(w->self, &counts);
	places = counts.free + counts.warm + counts.dead;
	return places + counts.busy && places < room ? places : room;
}

/* The turn is itself among the waiting, and so are those that begin next. */
static bool
has_room(const struct turn *t, struct error *e)
{
	const struct worker *w = t->worker;
	size_t room = w->harness.max_queued;
	struct buf places;

	if (!engine.has_slots)
		return true;
	if (has_slot(w))
		room += free_room(w);
	if (w->waiting.len <= room)
		return true;
	describe_places(w, &places);
	fail_with(e, ERR_QUEUE_FULL,
		  "queue_full: %s has %zu turns running and %zu waiting, which "
		  "is all it takes" STR_FMT,
		  w->name, w->running.len, w->waiting.len - 1,
		  STR_ARG(buf_str(&places)));
	buf_fini(&places);
	return false;
}

static bool
admit(struct turn *t, struct acceptance *a, struct error *e)
{
	a->session = t->session;
	if (is_read_later(t))
		return has_room(t, e);
	if (!read_turn(t, a, e))
		return false;
	t->was_read = true;
	return has_room(t, e);
}

bool
queue_admit(struct turn *t, struct error *e)
{
	struct worker *w = t->worker;
	struct acceptance a = { 0 };

	if (!admit(t, &a, e))
		return false;
	turn_accepted(t, &a);
	if (!runs_next(t))
		forget_what_was_read(t);
	loop_set(&w->loop, &t->deadline, w->harness.queue_ms,
		 on_queue_deadline);
	queue_run_waiting(w);
	return true;
}
