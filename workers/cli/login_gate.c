#include "workers/cli/login_gate.h"

#include <stddef.h>

enum {
	EARLY_MS = 10 * 60 * 1000, /* CLIs renew it some minutes before */
	SHORTEST_MS = 60 * 1000, /* between renewals: what is written sooner is
				  * no renewal */
	GOOD_MS = 60 * 1000,
	ALONE_MS = 30 * 1000,
};

void
login_gate_init(struct login_gate *g, uint64_t lasts_ms)
{
	*g = (struct login_gate){ .lasts_ms = lasts_ms };
}

/* A renewal comes when a turn needs it, which may be long after it was due: so
 * the shortest time counts. */
void
login_gate_look(struct login_gate *g, uint64_t written_at)
{
	uint64_t before = g->written_at;

	if (written_at == before)
		return;
	g->written_at = written_at;
	if (!before || written_at < before + SHORTEST_MS)
		return;
	if (!g->lasts_ms || written_at - before < g->lasts_ms)
		g->lasts_ms = written_at - before;
	g->alone = NULL;
}

/* A clock that was set back says nothing. */
static bool
was_since(uint64_t at, uint64_t now, uint64_t ms)
{
	return at <= now && now - at < ms;
}

static bool
is_due(const struct login_gate *g, uint64_t now)
{
	uint64_t end = g->written_at + g->lasts_ms;

	return g->lasts_ms && g->written_at && now + EARLY_MS >= end &&
	       g->good_at < end && !was_since(g->good_at, now, GOOD_MS);
}

bool
login_gate_is_open(const struct login_gate *g, uint64_t now)
{
	return !g->alone || !is_due(g, now) ||
	       !was_since(g->alone_since, now, ALONE_MS);
}

void
login_gate_begin(struct login_gate *g, const void *turn, uint64_t now)
{
	if (!is_due(g, now) || g->alone)
		return;
	g->alone = turn;
	g->alone_since = now;
}

/* One that began before it was due may have the login that is about to end. */
void
login_gate_prove(struct login_gate *g, const void *turn, uint64_t now)
{
	if (g->alone == turn || now >= g->written_at + g->lasts_ms)
		g->good_at = now;
	login_gate_end(g, turn);
}

void
login_gate_end(struct login_gate *g, const void *turn)
{
	if (g->alone == turn)
		g->alone = NULL;
}
