#include "workers/cli/eviction.h"

#include <stdio.h>

#include "proto/log.h"

typedef bool predicate(const struct conversation *);

/* A conversation with work in the background is not idle. */
static bool
is_idle(const struct conversation *c)
{
	return c->state == CONVERSATION_IDLE && !c->turn && !c->background;
}

/* What it does, nobody has asked for. */
static bool
works_by_itself(const struct conversation *c)
{
	return !c->turn && (c->state == CONVERSATION_ALONE ||
			    (c->state == CONVERSATION_IDLE && c->background));
}

/* It waits for results of the caller's tools. */
static bool
is_parked(const struct conversation *c)
{
	return c->state == CONVERSATION_PARKED && !c->turn;
}

static bool
does_nothing(const struct conversation *c)
{
	return is_idle(c) || c->state == CONVERSATION_SPARE;
}

/* Conversations stand in the list in the order in which they became idle. */
static struct conversation *
find_first(const struct pool *p, predicate *is)
{
	list_each (&p->conversations, n) {
		struct conversation *c =
			container_of(n, struct conversation, node);

		if (is(c))
			return c;
	}
	return NULL;
}

static void
retire_all(struct pool *p, predicate *is)
{
	struct conversation *c;

	while ((c = find_first(p, is)))
		conversation_retire(c);
}

static void
retire_surplus(struct pool *p, predicate *is, size_t most)
{
	size_t count = 0;

	list_each (&p->conversations, n)
		count += is(container_of(n, struct conversation, node));
	for (; count > most; count--)
		conversation_retire(find_first(p, is));
}

uint64_t
free_memory(void)
{
	char line[128];
	unsigned long long kb = 0;
	FILE *f = fopen("/proc/meminfo", "re");

	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "MemAvailable: %llu", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb ? kb / 1024 : UINT64_MAX;
}

/* The process that has been idle longest. */
static struct instance *
find_idle_instance(struct pool *p)
{
	struct instance *longest = NULL;

	list_each (&p->instances, n) {
		struct instance *inst = container_of(n, struct instance, node);

		if (instance_is_idle(inst) &&
		    (!longest || inst->last_use < longest->last_use))
			longest = inst;
	}
	return longest;
}

/* Ends the process or the conversation that has been idle longest.  A shared
 * process ends when its last conversation has gone. */
bool
evict_for_memory(struct pool *p)
{
	struct instance *inst = find_idle_instance(p);
	struct conversation *c = find_first(p, does_nothing);

	if (!c)
		c = find_first(p, works_by_itself);
	if (!c)
		c = find_first(p, is_parked);
	if (free_memory() >= p->worker->harness.min_free_mb || (!inst && !c))
		return false;
	log_info("memory is short: CLI %ju %s",
		 (uintmax_t)(inst ? inst->number : c->instance->number),
		 inst ? "goes" : "loses a conversation");
	if (inst)
		instance_retire(inst);
	else
		conversation_retire(c);
	return true;
}

void
evict_surplus(struct pool *p)
{
	const struct harness_settings *s = &p->worker->harness;

	retire_surplus(p, is_idle, s->max_idle);
	retire_surplus(p, works_by_itself, s->max_idle);
	retire_surplus(p, is_parked, s->max_parked);
}

void
evict_behind(struct conversation *c)
{
	struct pool *p = c->pool;

	list_remove(&p->conversations, &c->node);
	list_append(&p->conversations, &c->node);
	evict_surplus(p);
}

/* One more of them may be there as a spare. */
void
evict_surplus_instances(struct pool *p)
{
	const struct harness_settings *s = &p->worker->harness;
	size_t idle = 0;

	list_each (&p->instances, n)
		idle += instance_is_idle(
			container_of(n, struct instance, node));
	for (; idle > s->max_idle + (s->spares > 0); idle--)
		instance_retire(find_idle_instance(p));
}

void
evict_idle(struct pool *p)
{
	struct instance *inst;

	retire_all(p, does_nothing);
	while ((inst = find_idle_instance(p)))
		instance_retire(inst);
}

static bool
is_any_ending(const struct pool *p)
{
	list_each (&p->instances, n)
		if (instance_is_ending(container_of(n, struct instance, node)))
			return true;
	return false;
}

bool
evict_for_room(struct pool *p)
{
	evict_idle(p);
	if (!is_any_ending(p))
		retire_all(p, works_by_itself);
	if (!is_any_ending(p))
		retire_all(p, is_parked);
	return is_any_ending(p);
}
