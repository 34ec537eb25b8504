#include "workers/cli/recent.h"

void
recent_fini(struct recent *r)
{
	for (size_t i = 0; i < MAX_RECENT_SESSIONS; i++)
		session_fini(&r->rows[i]);
}

static bool
is_same(const struct session *a, const struct session *b)
{
	return a->id && a->number == b->number && !strcmp(a->id, b->id);
}

/* The place of that conversation, or else a free one, or else the one that was
 * used longest ago: a free one was never used. */
static struct session *
place_for(struct recent *r, const struct session *row)
{
	struct session *oldest = &r->rows[0];

	for (size_t i = 0; i < MAX_RECENT_SESSIONS; i++) {
		if (is_same(&r->rows[i], row))
			return &r->rows[i];
		if (r->rows[i].last_used_at < oldest->last_used_at)
			oldest = &r->rows[i];
	}
	return oldest;
}

void
recent_keep(struct recent *r, const struct session *row)
{
	struct session *to = place_for(r, row);

	session_fini(to);
	session_copy(to, row);
}

void
recent_drop(struct recent *r, const char *id)
{
	for (size_t i = 0; i < MAX_RECENT_SESSIONS; i++)
		if (r->rows[i].id && !strcmp(r->rows[i].id, id))
			session_fini(&r->rows[i]);
}
