#include "workers/cli/spares.h"

#include "proto/log.h"
#include "workers/cli/eviction.h"

enum { SPARE_LATER_MS = 1000 /* a spare must not slow down a turn */ };

static bool
is_spare(const struct conversation *c, bool kept)
{
	return c->state == CONVERSATION_SPARE && c->kept == kept;
}

/* `place` may be NULL: anywhere. */
static struct conversation *
find_spare(struct pool *p, bool kept, const char *cwd,
	   const struct executor *place)
{
	list_each (&p->conversations, n) {
		struct conversation *c =
			container_of(n, struct conversation, node);

		if (is_spare(c, kept) && !strcmp(c->cwd, cwd) &&
		    (!place || c->executor == place))
			return c;
	}
	return NULL;
}

static size_t
count_spares(const struct pool *p, bool kept)
{
	size_t count = 0;

	list_each (&p->conversations, n)
		count += is_spare(container_of(n, struct conversation, node),
				  kept);
	return count;
}

/* One that waits where nobody has begun a conversation lately makes room. */
static void
retire_spare_elsewhere(struct pool *p, bool kept)
{
	list_each (&p->conversations, n) {
		struct conversation *c =
			container_of(n, struct conversation, node);

		if (!is_spare(c, kept) || !strcmp(c->cwd, p->spare_cwd))
			continue;
		conversation_retire(c);
		return;
	}
}

void
spares_expire(struct conversation *c)
{
	c->pool->wants_spare[c->kept] = false;
}

static void
start_spare(struct pool *p, bool kept)
{
	auto_free char *cli_id = new_uuid();
	const struct conversation_plan plan = { .cli_id = cli_id,
						.cwd = p->spare_cwd,
						.kept = kept,
						.spare = true };
	struct error e = { 0 };

	if (p->harness->shares ? !instance_ensure(p, p->spare_cwd, &e)
			       : !conversation_start(p, &plan, &e))
		log_warn("a spare CLI could not be started: %s", e.text);
}

static bool
wants_spare(struct pool *p, bool kept)
{
	const struct harness_settings *s = &p->worker->harness;
	struct error none;

	if (!p->wants_spare[kept] || !s->spares ||
	    !(p->harness->can & CAN_WARMTH) ||
	    (p->harness->shares && p->instances.len))
		return false;
	if (count_spares(p, kept) >= s->spares)
		retire_spare_elsewhere(p, kept);
	return p->program && !p->unfit.code &&
	       executor_place(p->executor, NULL, &none) &&
	       count_spares(p, kept) < s->spares &&
	       free_memory() > s->min_free_mb;
}

static void
on_spare_timer(struct timer *t)
{
	spares_start(container_of(t, struct pool, spare_timer));
}

static void
start_later(struct pool *p)
{
	loop_set(&p->worker->loop, &p->spare_timer, SPARE_LATER_MS,
		 on_spare_timer);
}

/* None of them is needed now. */
void
spares_start(struct pool *p)
{
	for (int kept = 0; kept <= 1; kept++) {
		if (!wants_spare(p, kept))
			continue;
		start_spare(p, kept);
		start_later(p);
		return;
	}
}

static void
note_need(struct pool *p, const struct conversation_plan *plan)
{
	char *cwd = copy(str_of(plan->cwd));

	free(p->spare_cwd);
	p->spare_cwd = cwd;
	p->wants_spare[plan->kept] = true;
	if (!timer_is_set(&p->spare_timer) && p->worker->harness.spares)
		start_later(p);
}

/* A spare was begun without any options. */
static bool
asks_for_more(const struct conversation_plan *plan, const struct harness *h)
{
	static const struct options none;

	return plan->options &&
	       !options_suit(&none, plan->options, h->binds, 0);
}

struct conversation *
spares_take(struct pool *p, const struct conversation_plan *plan)
{
	struct conversation *c = NULL;

	note_need(p, plan);
	if (!p->harness->shares && !asks_for_more(plan, p->harness))
		c = find_spare(p, plan->kept, plan->cwd, plan->place);
	if (c)
		conversation_adopt(c, plan);
	return c;
}
