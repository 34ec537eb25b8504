#include "gateway/fan_out.h"

#include "proto/log.h"

enum { FAN_OUT_MS = 2000 };

static void
fan_out_free(struct fan_out *g)
{
	for (size_t i = 0; i < MAX_CHILDREN; i++)
		ask_drop(&g->asks[i].ask);
	json_decref(g->rows);
	json_decref(g->backends);
	free(g->wanted);
	free(g);
}

static void
on_left(struct request *r)
{
	fan_out_free(r->owner);
}

struct fan_out *
fan_out_new(struct request *r)
{
	struct fan_out *g = xcalloc(1, sizeof *g);

	g->request = r;
	g->rows = json_array();
	r->owner = g;
	r->left = on_left;
	return g;
}

static void
finish(struct fan_out *g)
{
	g->done(g);
	fan_out_free(g);
}

static void
on_answered(struct ask *a, const struct msg *reply, const struct error *e)
{
	struct fan_out *g = container_of(a, struct fan_out_ask, ask)->fan_out;

	if (e) {
		log_debug("left out: %s", e->text);
		g->is_partial = true;
		g->why = *e;
	} else
		g->take(g, reply);
	if (--g->waiting == 0)
		finish(g);
}

void
fan_out_start(struct fan_out *g, struct workers *f, const struct inquiry *what)
{
	for (size_t i = 0; i < MAX_CHILDREN; i++) {
		struct worker_link *m = workers_at(f, i);

		g->asks[i].fan_out = g;
		if (!m || !m->is_dialled || (what->only && what->only != m))
			continue;
		if (!client_is_connected(&m->client)) {
			g->is_partial = true;
			continue;
		}
		g->waiting++;
		client_ask(&m->client, what->type, what->body, &g->asks[i].ask,
			   FAN_OUT_MS, on_answered);
	}
	if (g->waiting == 0)
		finish(g);
}

void
fan_out_rows(struct fan_out *g, struct str json)
{
	json_t *rows = json_loadb(json.ptr, json.len, 0, NULL);

	if (json_is_array(rows))
		json_array_extend(g->rows, rows);
	else
		log_warn("a worker's list is not a list");
	json_decref(rows);
}
