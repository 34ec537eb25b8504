#include "workers/worker/repeats.h"

#include <stdio.h>

#include "proto/log.h"
#include "proto/utf8.h"
#include "workers/worker/listener.h"
#include "workers/worker/turn.h"

enum {
	KEEP_MS = 600000, /* that is known of an ended turn */
	MAX_QUOTED = 250, /* bytes of a failure's text when it is repeated */
};

/* How a turn has ended. */
struct past {
	struct node node;
	uint64_t identity;
	char *key;	      /* NULL: none */
	bool runs_once;	      /* as the turn has it */
	uint64_t ended_at;    /* loop_now() */
	struct error failure; /* code 0: it has finished */

	/* Of one that has finished. */
	struct standing standing;
	struct msg_finish finish;  /* as it was told... */
	char *model, *cost_source; /* ...and the strings in it */
	struct story story;
};

static void
past_free(struct worker *w, struct past *p)
{
	list_remove(&w->repeats.pasts, &p->node);
	w->repeats.bytes -= p->story.pieces.size;
	story_fini(&p->story);
	standing_fini(&p->standing);
	free(p->key);
	free(p->model);
	free(p->cost_source);
	free(p);
}

void
repeats_init(struct repeats *r)
{
	list_init(&r->pasts);
}

static struct past *
oldest(const struct worker *w)
{
	struct node *n = list_first(&w->repeats.pasts);

	return n ? container_of(n, struct past, node) : NULL;
}

void
repeats_fini(struct worker *w)
{
	struct past *p;

	loop_unset(&w->loop, &w->repeats.expiry);
	while ((p = oldest(w)))
		past_free(w, p);
}

static void
on_expiry(struct timer *timer)
{
	struct worker *w = container_of(timer, struct worker, repeats.expiry);
	struct past *p;

	while ((p = oldest(w)) && loop_now() - p->ended_at >= KEEP_MS)
		past_free(w, p);
	if (p)
		loop_set(&w->loop, timer, p->ended_at + KEEP_MS - loop_now(),
			 on_expiry);
}

/* Where there is no room for all answers, the oldest are forgotten, but not
 * that their turns have run. */
static void
limit_answers(struct worker *w)
{
	list_each (&w->repeats.pasts, n) {
		struct past *p = container_of(n, struct past, node);

		if (w->repeats.bytes <= MAX_STORIES)
			return;
		w->repeats.bytes -= p->story.pieces.size;
		story_give_up(&p->story);
	}
}

static struct past *
past_new(const struct turn *t)
{
	struct worker *w = t->worker;
	struct past *p = xcalloc(1, sizeof *p);

	if (w->repeats.pasts.len == MAX_PASTS)
		past_free(w, oldest(w));
	p->identity = t->identity;
	p->key = copy(str_of(t->key));
	p->runs_once = t->runs_once;
	p->ended_at = loop_now();
	p->story = STORY_INIT;
	list_append(&w->repeats.pasts, &p->node);
	if (!timer_is_set(&w->repeats.expiry))
		loop_set(&w->loop, &w->repeats.expiry, KEEP_MS, on_expiry);
	return p;
}

void
repeats_keep_failure(struct turn *t, const struct error *e)
{
	if (t->identity && t->has_used_tools)
		past_new(t)->failure = *e;
}

void
repeats_keep_answer(struct turn *t, const struct msg_finish *m)
{
	struct past *p;

	if (!t->identity || (!t->key && !t->runs_once))
		return;
	p = past_new(t);
	p->model = copy(m->model);
	p->cost_source = copy(m->cost_source);
	p->finish = *m;
	p->finish.model = str_of(p->model);
	p->finish.cost_source = str_of(p->cost_source);
	p->standing = t->standing;
	t->standing = (struct standing){ 0 };
	p->story = t->story;
	t->story = STORY_INIT;
	t->worker->repeats.bytes += p->story.pieces.size;
	limit_answers(t->worker);
}

void
repeats_begin(struct worker *w, uint64_t identity)
{
	list_each (&w->repeats.pasts, n) {
		struct past *p = container_of(n, struct past, node);

		if (p->identity == identity && !p->key)
			past_free(w, p);
	}
}

/* Looking */

static bool
has_key(const char *key, const struct msg_submit *m)
{
	return key && m->key.ptr && str_is(m->key, key);
}

/* Two keys say that two orders are not the same, whatever they ask for. */
static bool
has_other_key(const char *key, const struct msg_submit *m)
{
	return key && m->key.ptr && !str_is(m->key, key);
}

/* By the key, or, if there is none, by what it asks for. */
static struct turn *
find_turn(const struct list *turns, const struct msg_submit *m,
	  uint64_t identity)
{
	struct turn *same = NULL;

	list_each (turns, n) {
		struct turn *t = container_of(n, struct turn, node);

		if (t->cancelled || t->was_cut || !t->identity)
			continue;
		if (has_key(t->key, m))
			return t;
		if ((m->session.ptr || t->runs_once) &&
		    t->identity == identity && !has_other_key(t->key, m))
			same = t;
	}
	return same;
}

/* Until when the failure is given again, loop_now(). */
static uint64_t
end_of(const struct worker *w, const struct past *p)
{
	uint64_t ms = w->settings.repeat_ms;

	if (p->failure.retry_ms && p->failure.retry_ms < ms)
		ms = p->failure.retry_ms;
	return p->ended_at + ms;
}

static bool
is_failing_still(const struct worker *w, const struct past *p,
		 const struct msg_submit *m)
{
	return p->failure.code && m->session.ptr && w->settings.repeat_ms &&
	       (m->retry || loop_now() < end_of(w, p));
}

static bool
has_run_once(const struct past *p)
{
	return p->runs_once && !p->failure.code;
}

/* The newest. */
static struct past *
find_past(const struct worker *w, const struct msg_submit *m, uint64_t identity)
{
	struct past *same = NULL;

	list_each (&w->repeats.pasts, n) {
		struct past *p = container_of(n, struct past, node);

		if (loop_now() - p->ended_at >= KEEP_MS)
			continue;
		if (has_key(p->key, m))
			return p;
		if (p->identity == identity && !has_other_key(p->key, m) &&
		    (is_failing_still(w, p, m) || has_run_once(p)))
			same = p;
	}
	return same;
}

/* Answering */

/* Each client that reads slowly has its own copy of what is told again.  All
 * copies together have a limit; the answer is kept, and told to who asks later.
 */
static bool
has_room_for(const struct worker *w, const struct story *s, struct error *e)
{
	if (w->unsent + s->pieces.len <= MAX_OUTBOXES)
		return true;
	return fail_with(
		e, ERR_UNAVAILABLE,
		"this answer is there already, but %zu MiB of other "
		"answers wait for clients that read slowly: ask for it "
		"again later",
		w->unsent >> 20);
}

static void
join(struct turn *t, const struct msg_submit *m)
{
	struct error e = { 0 };

	if (t->story.is_too_long)
		fail_with(&e, ERR_ALREADY_RUN,
			  "the same request runs already, and has said more "
			  "than the %u bytes that can be told again: wait for "
			  "its answer",
			  MAX_STORY);
	else if (t->listeners.len >= MAX_LISTENERS)
		fail_with(&e, ERR_ALREADY_RUN,
			  "the same request runs already, and %zu clients wait "
			  "for its answer",
			  t->listeners.len);
	else
		(void)has_room_for(t->worker, &t->story, &e);
	if (e.code) {
		listener_refuse(t->worker, m, &e);
		return;
	}
	log_info("order %ju: turn %ju, which asks for the same, answers it",
		 (uintmax_t)m->turn, (uintmax_t)t->id);
	turn_join(t, m);
}

/* What is told of the failure of an earlier order, and when it will be run. */
static struct error
failure_again(const struct worker *w, const struct past *p,
	      const struct msg_submit *m)
{
	struct str text = str_of(p->failure.text);
	uint64_t now = loop_now(), end = end_of(w, p);
	struct error e = { 0 };
	char when[128];

	if (text.len > MAX_QUOTED)
		text.len = utf8_whole((struct str){ text.ptr, MAX_QUOTED });
	if (has_key(p->key, m))
		snprintf(when, sizeof when,
			 "send it with another Idempotency-Key to have it run "
			 "again");
	else if (now < end)
		snprintf(when, sizeof when,
			 "it will be run if it comes in %ju ms or later",
			 (uintmax_t)(end - now));
	else
		snprintf(when, sizeof when,
			 "it will be run if it is sent anew and not as an "
			 "SDK's retry");
	fail_with(&e, p->failure.code,
		  STR_FMT
		  " (This request failed so %ju ms ago, after the agent "
		  "had used tools, and was not run again: %s.)",
		  STR_ARG(text), (uintmax_t)(now - p->ended_at), when);
	if (p->failure.field_len <= text.len)
		e.field_len = p->failure.field_len;
	if (p->failure.retry_ms && now < end && !has_key(p->key, m))
		e.retry_ms = (uint32_t)(end - now);
	return e;
}

static void
tell_answer_again(const struct past *p, struct listener *l)
{
	struct msg_accepted accepted = {
		.session = str_of(p->standing.session),
		.how = str_of(p->standing.how),
		.reason = str_of(p->standing.reason),
		.mode = str_of(p->standing.mode),
		.profile = str_of(p->standing.profile),
		.cache = str_of(p->standing.cache),
		.ignored = str_of(p->standing.ignored),
		.repeated = 1,
	};
	struct msg_finish finish = p->finish;

	listener_tell_free(l, MSG_ACCEPTED, &accepted);
	story_tell(&p->story, l);
	listener_tell_free(l, MSG_FINISH, &finish);
}

static void
repeat(struct worker *w, const struct past *p, const struct msg_submit *m)
{
	struct listener *l = listener_new(w, NULL, m);
	struct error e = { 0 };

	log_info("order %ju: gets what an earlier one got, which asked for the "
		 "same",
		 (uintmax_t)l->id);
	if (p->failure.code)
		e = failure_again(w, p, m);
	else if (p->story.is_too_long)
		fail_with(&e, ERR_ALREADY_RUN,
			  "this request was run, and its answer is kept no "
			  "longer: %s to have it run again",
			  p->key ? "send another Idempotency-Key"
				 : "change it");
	else
		(void)has_room_for(w, &p->story, &e);
	if (e.code)
		listener_tell_failed(l, &e, true);
	else
		tell_answer_again(p, l);
	listener_end(l);
}

static bool
is_same(struct worker *w, const struct msg_submit *m, uint64_t identity,
	uint64_t other)
{
	struct error e = { 0 };

	if (identity == other)
		return true;
	fail_with(&e, ERR_KEY_REUSED,
		  "Idempotency-Key: another request was sent with this key; a "
		  "key is for one request, and for its repetitions");
	listener_refuse(w, m, &e);
	return false;
}

bool
repeats_answer(struct worker *w, const struct msg_submit *m, uint64_t identity)
{
	struct turn *t = find_turn(&w->running, m, identity);
	struct past *p;

	if (!t)
		t = find_turn(&w->waiting, m, identity);
	if (t) {
		if (is_same(w, m, identity, t->identity))
			join(t, m);
		return true;
	}
	p = find_past(w, m, identity);
	if (p && is_same(w, m, identity, p->identity))
		repeat(w, p, m);
	return p != NULL;
}
