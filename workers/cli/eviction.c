#include "workers/cli/eviction.h"

#include <stdio.h>

#include "proto/log.h"

/* A conversation with work in the background is not idle. */
static bool
is_idle(const struct conversation *c)
{
	return c->state == CONVERSATION_IDLE && !c->turn && !c->background;
}

/* When memory is short, spares go too, and what works in the background. */
static struct conversation *
longest_idle(struct pool *p, bool is_urgent)
{
	list_each (&p->conversations, n) {
		struct conversation *c =
			container_of(n, struct conversation, node);

		if (is_idle(c) ||
		    (is_urgent &&
		     (c->state == CONVERSATION_SPARE ||
		      (c->state == CONVERSATION_IDLE && !c->turn))))
			return c;
	}
	return NULL;
}

static size_t
count_idle(const struct pool *p)
{
	size_t idle = 0;

	list_each (&p->conversations, n)
		idle += is_idle(container_of(n, struct conversation, node));
	return idle;
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
	struct conversation *c = longest_idle(p, true);

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
	while (count_idle(p) > p->worker->harness.max_idle)
		conversation_retire(longest_idle(p, false));
}

/* Idle conversations stand in the list in the order in which they became
 * idle. */
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
	struct conversation *c;
	struct instance *inst;

	while ((c = longest_idle(p, true)))
		conversation_retire(c);
	while ((inst = find_idle_instance(p)))
		instance_retire(inst);
}

bool
evict_for_room(struct pool *p)
{
	evict_idle(p);
	list_each (&p->instances, n)
		if (instance_is_ending(container_of(n, struct instance, node)))
			return true;
	return false;
}
