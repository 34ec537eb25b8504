/* Which session has which slot, and who waits for one. */
#include <stdio.h>

#include "workers/executor/docker/control.h"
#include "workers/executor/docker/pool.h"
#include "workers/executor/docker/run.h"

enum { MAX_DESCRIBED = 4 /* slots in an error's text */ };

static struct slot *
known_slot(const struct docker *d, const char *session)
{
	int n = session ? affinity_find(&d->affinity, session) : -1;

	return n < 0 ? NULL : &d->slots[n];
}

/* Its records are where its session can find them only there. */
static bool
must_stay(const struct docker *d, const struct slot *s)
{
	return s && (d->terms.settings.is_per_slot ||
		     !slot_in_trouble(s)->trouble.code);
}

/* Better one where no turn is under way, then one with few sessions. */
static bool
is_better(const struct slot *a, const struct slot *b)
{
	if (!b || slot_is_free(a, NULL) != slot_is_free(b, NULL))
		return !b || slot_is_free(a, NULL);
	return a->sessions < b->sessions;
}

static struct slot *
best_slot(const struct docker *d)
{
	struct slot *best = NULL;

	for (size_t i = 0; i < d->count; i++)
		if (slot_is_up(&d->slots[i]) && is_better(&d->slots[i], best))
			best = &d->slots[i];
	return best;
}

static bool
is_empty(const struct slot *s)
{
	return slot_is_free(s, NULL);
}

static bool
is_any(const struct docker *d, bool (*is)(const struct slot *))
{
	for (size_t i = 0; i < d->count; i++)
		if (is(&d->slots[i]))
			return true;
	return false;
}

static bool
can_begin_in(const struct slot *s, const char *session)
{
	return slot_is_up(s) ? slot_is_free(s, session) : !slot_is_coming(s);
}

bool
docker_place_is_free(struct executor *place, const char *session)
{
	return can_begin_in(slot_of_place(place), session);
}

static bool
is_free(struct executor *x, const char *session)
{
	const struct docker *d = docker_of(x);
	const struct slot *s = known_slot(d, session);

	if (must_stay(d, s))
		return can_begin_in(s, session);
	return is_any(d, is_empty) ||
	       (!is_any(d, slot_is_up) && !is_any(d, slot_is_coming));
}

static bool
fail_place(const struct docker *d, const struct slot *s, struct error *e)
{
	enum error_code code;

	s = slot_in_trouble(s ? s : &d->slots[0]);
	code = s->trouble.code == ERR_NOT_SET_UP ? ERR_NOT_SET_UP
						 : ERR_UNAVAILABLE;
	if (s->trouble.code && s->is_pools_trouble)
		return fail_with(e, code, "%s", s->trouble.text);
	if (s->trouble.code)
		return fail_with(e, code, "slot %u of %s: %s", s->number,
				 d->terms.name, s->trouble.text);
	return fail_with(e, ERR_UNAVAILABLE,
			 "the containers of %s are being started: try again",
			 d->terms.name);
}

static struct executor *
place(struct executor *x, const char *session, struct error *e)
{
	const struct docker *d = docker_of(x);
	struct slot *s = known_slot(d, session);

	if ((!s || !slot_is_up(s)) && !must_stay(d, s))
		s = best_slot(d);
	if (s && slot_is_up(s))
		return &s->executor;
	fail_place(d, s, e);
	return NULL;
}

static void
keep_session(struct docker *d, struct slot *s, const char *session)
{
	struct slot *before = known_slot(d, session);
	int lost;

	if (before == s)
		return;
	if (before)
		before->sessions--;
	s->sessions++;
	lost = affinity_set(&d->affinity, session, s->number);
	if (lost >= 0)
		d->slots[lost].sessions--;
}

static void
hold(struct executor *x, const char *session)
{
	struct slot *s = slot_of_place(x);

	if (!s->turns++)
		s->held_at = loop_now();
	free(s->holder);
	s->holder = copy(str_of(session));
	control_watch(s);
	if (session)
		keep_session(docker_of(s->terms->whole), s, session);
}

static void
release(struct executor *x, bool was_stopped)
{
	struct slot *s = slot_of_place(x);

	s->turns--;
	if (was_stopped)
		control_prove(s);
	s->terms->changed(s->terms);
}

static void
count(const struct executor *x, struct place_counts *to)
{
	const struct docker *d = docker_of(x);

	*to = (struct place_counts){ 0 };
	for (size_t i = 0; i < d->count; i++) {
		const struct slot *s = &d->slots[i];

		if (!slot_is_up(s))
			to->dead++;
		else if (s->turns)
			to->busy++;
		else if (s->runs.len)
			to->warm++;
		else
			to->free++;
	}
}

static void
describe(const struct executor *x, struct buf *to)
{
	const struct docker *d = docker_of(x);
	unsigned n = 0;

	for (size_t i = 0; i < d->count; i++) {
		const struct slot *s = &d->slots[i];
		uint64_t seconds = (loop_now() - s->held_at) / 1000;

		if (!s->turns || n++ >= MAX_DESCRIBED)
			continue;
		buf_print(to, "; slot %u: %s%.40s for %ju s", s->number,
			  s->holder ? "session " : "a turn without session",
			  s->holder ? s->holder : "", (uintmax_t)seconds);
	}
	if (n > MAX_DESCRIBED)
		buf_print(to, "; and %u more", n - MAX_DESCRIBED);
}

static unsigned
number(const struct executor *x)
{
	return slot_of_place(x)->number;
}

const struct executor docker_places = {
	.place = place,
	.is_free = is_free,
	.hold = hold,
	.release = release,
	.count = count,
	.describe = describe,
	.number = number,
};
