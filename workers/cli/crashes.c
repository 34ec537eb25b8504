#include "workers/cli/crashes.h"

#include "proto/loop.h"
#include "workers/io/hash.h"

static uint64_t
key_of(const char *session)
{
	struct hash h = HASH_INIT;

	if (!session)
		return 0;
	hash_add(&h, str_of(session));
	return hash_value(&h) | 1;
}

static struct crash_count *
find(struct crashes *c, uint64_t session)
{
	for (size_t i = 0; i < MAX_CRASHING; i++)
		if (c->of[i].count && c->of[i].session == session)
			return &c->of[i];
	return NULL;
}

/* A free one, or the one that crashed longest ago. */
static struct crash_count *
take_oldest(struct crashes *c)
{
	struct crash_count *oldest = &c->of[0];

	for (size_t i = 0; i < MAX_CRASHING; i++) {
		if (!c->of[i].count)
			return &c->of[i];
		if (c->of[i].at < oldest->at)
			oldest = &c->of[i];
	}
	*oldest = (struct crash_count){ 0 };
	return oldest;
}

void
crashes_note(struct crashes *c, const char *session, uint64_t began)
{
	uint64_t key = key_of(session);
	struct crash_count *n = find(c, key);

	if (!n)
		n = take_oldest(c);
	if (!n->count || began >= n->at)
		n->count++;
	n->session = key;
	n->at = loop_now();
}

void
crashes_forget(struct crashes *c, const char *session)
{
	struct crash_count *n = find(c, key_of(session));

	if (n)
		n->count = 0;
}

uint64_t
crashes_pause(const struct crashes *c, const char *session)
{
	const struct crash_count *n =
		find((struct crashes *)c, key_of(session));
	uint64_t ms = 0, since = n ? loop_now() - n->at : 0;

	for (unsigned i = 2; n && i <= n->count && ms < LONGEST_PAUSE_MS; i++)
		ms = ms ? 2 * ms : FIRST_PAUSE_MS;
	if (ms > LONGEST_PAUSE_MS)
		ms = LONGEST_PAUSE_MS;
	return since < ms ? ms - since : 0;
}
