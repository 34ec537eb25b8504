/* capabilities - GET /capabilities: what each harness can take, and how.  The
 * workers describe themselves: one may have an older CLI, or a sandbox. */
#include "gateway/checkup.h"
#include "gateway/fan_out.h"
#include "gateway/gateway.h"
#include "gateway/reply.h"
#include "proto/utf8.h"
#include "workers/description.h"

/* All names that lead to the worker, of which each can begin a model's id. */
static json_t *
prefixes_of(const struct workers *w, const struct worker_link *link)
{
	json_t *names = json_array();

	for (size_t i = 0; i < w->prefix_count; i++)
		if (w->prefixes[i].link == link)
			json_array_append_new(names,
					      json_string(w->prefixes[i].name));
	return names;
}

static struct workers *
workers_of(const struct fan_out *g)
{
	return &container_of(g->request->http, struct gateway, http)->workers;
}

/* The one that has `key`, of objects; NULL: none. */
static json_t *
find_row(const json_t *rows, const char *key, const char *value)
{
	json_t *row;
	size_t i;

	json_array_foreach (rows, i, row)
		if (!strcmp(json_string_value(json_object_get(row, key)),
			    value))
			return row;
	return NULL;
}

static void
take_description(struct fan_out *g, const struct msg *m)
{
	const struct msg_description *d = &m->body.description;
	json_t *row;

	if (m->type != MSG_DESCRIPTION)
		return;
	row = json_loadb(d->row.ptr, d->row.len, 0, NULL);
	json_object_set_new(row, "harness", reply_text(d->name));
	json_array_append_new(g->rows, row);
}

/* Of a worker that does not run, because its CLI is not installed for instance:
 * what the list says. */
static json_t *
describe_by_list(const char *name)
{
	struct ability a = { 0 };

	if (!ability_listed(&a, name) && !ability_listed(&a, OWN_AGENT))
		return json_object();
	return description_of(&a);
}

static json_t *
row_of(const struct fan_out *g, const struct worker_link *m)
{
	static const char *const kept[] = { "state", "version", "detail" };
	const json_t *backend = find_row(g->backends, "name", m->name);
	json_t *told = find_row(g->rows, "harness", m->name);
	json_t *row = json_pack("{s:s, s:o}", "harness", m->name, "prefixes",
				prefixes_of(workers_of(g), m));

	told = told ? json_incref(told) : describe_by_list(m->name);
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
		json_object_set(row, kept[i],
				json_object_get(backend, kept[i]));
	json_object_update(row, told);
	json_decref(told);
	return row;
}

static void
give_all(struct fan_out *g)
{
	struct workers *w = workers_of(g);
	json_t *rows = json_array();

	for (size_t i = 0; i < MAX_CHILDREN; i++)
		if (workers_at(w, i))
			json_array_append_new(rows,
					      row_of(g, workers_at(w, i)));
	reply_json(g->request, 200,
		   json_pack("{s:s, s:o, s:b}", "object", "list", "data", rows,
			     "has_more", 0));
}

/* As it would in a request.  That a worker does not answer is told as its
 * state.
 */
static bool
is_refused(const struct error *why)
{
	return why->code == ERR_NO_MODEL || why->code == ERR_INVALID ||
	       why->code == ERR_NOT_SET_UP;
}

static void
give_one(struct fan_out *g)
{
	struct destination to = { 0 };
	struct error e = { 0 };
	json_t *row;

	if (is_refused(&g->why)) {
		reply_error(g->request, &g->why, "model");
		return;
	}
	if (!workers_find(workers_of(g), str_of(g->wanted), &to, &e)) {
		reply_error(g->request, &e, "model");
		return;
	}
	row = row_of(g, to.link);
	json_object_set_new(row, "object", json_string("capabilities"));
	json_object_set_new(row, "model", json_string(g->wanted));
	reply_json(g->request, 200, row);
}

/* As in a request, but that it cannot be left out. */
static bool
find_model(struct gateway *g, struct str model, struct destination *to,
	   struct error *e)
{
	if (!model.len || !utf8_valid(model))
		return fail_with(e, ERR_INVALID,
				 "model: must be the id of a model");
	return workers_find(&g->workers, model, to, e);
}

static void
ask_workers(struct checkup *c)
{
	const char *model = request_argument(c->request, "model");
	struct workers *w = &c->gateway->workers;
	struct msg_describe m = { 0 };
	struct inquiry what = { MSG_DESCRIBE, &m, NULL };
	struct destination to = { 0 };
	struct error e = { 0 };
	struct fan_out *fan_out = fan_out_new(c->request);

	fan_out->backends = json_incref(c->backends);
	fan_out->take = take_description;
	fan_out->done = give_all;
	if (model) {
		fan_out->wanted = copy(str_of(model));
		fan_out->done = give_one;
	}
	if (model && workers_find(w, str_of(model), &to, &e)) {
		m.harness = str_of(to.prefix);
		m.model = to.model;
		what.only = to.link;
	}
	fan_out_start(fan_out, w, &what);
}

void
handle_show_capabilities(struct gateway *g, struct request *r)
{
	const char *model = request_argument(r, "model");
	struct destination to = { 0 };
	struct error e = { 0 };

	if (!model || find_model(g, str_of(model), &to, &e))
		checkup_start(g, r, ask_workers);
	else
		reply_error(r, &e, "model");
}
