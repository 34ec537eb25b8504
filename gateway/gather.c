#include "gateway/gather.h"

#include "proto/log.h"

enum { GATHER_TIME = 2000 }; /* ms */

static void
gather_free(struct gather *g)
{
	for (size_t i = 0; i < MAX_CHILDREN; i++)
		ask_drop(&g->asks[i].ask);
	json_decref(g->rows);
	free(g->wanted);
	free(g);
}

static void
on_left(struct request *r)
{
	gather_free(r->owner);
}

struct gather *
gather_new(struct request *r)
{
	struct gather *g = xcalloc(1, sizeof *g);

	g->request = r;
	g->rows = json_array();
	r->owner = g;
	r->left = on_left;
	return g;
}

static void
finish(struct gather *g)
{
	g->done(g);
	gather_free(g);
}

static void
on_answered(struct ask *a, const struct msg *reply, const struct error *e)
{
	struct gather *g = container_of(a, struct gathering_ask, ask)->gather;

	if (e) {
		log_debug("left out: %s", e->text);
		g->is_partial = true;
	} else
		g->take(g, reply);
	if (--g->waiting == 0)
		finish(g);
}

void
gather_start(struct gather *g, struct fleet *f, const struct inquiry *what)
{
	for (size_t i = 0; i < f->member_count; i++) {
		struct member *m = &f->members[i];

		g->asks[i].gather = g;
		if (what->only && what->only != m)
			continue;
		if (!client_is_connected(&m->client)) {
			g->is_partial = true;
			continue;
		}
		g->waiting++;
		client_ask(&m->client, what->type, what->body, &g->asks[i].ask,
			   GATHER_TIME, on_answered);
	}
	if (g->waiting == 0)
		finish(g);
}

void
gather_rows(struct gather *g, struct str json)
{
	json_t *rows = json_loadb(json.ptr, json.len, 0, NULL);

	if (json_is_array(rows))
		json_array_extend(g->rows, rows);
	else
		log_warn("a worker's list is not a list");
	json_decref(rows);
}
