/* lists - GET /models, GET /sessions and DELETE /sessions: what workers have */
#include <stdlib.h>

#include "gateway/gateway.h"
#include "gateway/fan_out.h"
#include "gateway/reply.h"
#include "gateway/terms.h"

enum { DEFAULT_LIMIT = 50, MAX_LIMIT = 500 };

static json_t *
as_list(json_t *rows, bool has_more)
{
	return json_pack("{s:s,s:O,s:b}", "object", "list", "data", rows,
			 "has_more", has_more);
}

/* Models */

static void
set_default(json_t *row, const char *name, json_t *value)
{
	if (json_object_get(row, name))
		json_decref(value);
	else
		json_object_set_new(row, name, value);
}

/* Fields that clients need, where a worker has not said them. */
static void
complete_model(json_t *row)
{
	set_default(row, "object", json_string("model"));
	set_default(row, "created", json_integer(0)); /* not known */
	set_default(row, "owned_by", json_string("cli-bridge"));
}

static void
take_models(struct fan_out *g, const struct msg *m)
{
	if (m->type != MSG_MODELS)
		return;
	fan_out_rows(g, m->body.models.rows);
	g->has_more |= m->body.models.has_more;
}

static void
give_models(struct fan_out *g)
{
	json_t *row;
	size_t i;

	json_array_foreach (g->rows, i, row)
		complete_model(row);
	reply_json(g->request, 200, as_list(g->rows, g->has_more));
}

/* A harness's name alone is a model, too: the CLI's default. */
static bool
give_default(struct fan_out *g)
{
	struct gateway *gateway =
		container_of(g->request->http, struct gateway, http);
	struct destination to;
	struct error e;

	if (!workers_find(&gateway->workers, str_of(g->wanted), &to, &e) ||
	    !workers_has_default(&gateway->workers, &to))
		return false;
	reply_json(g->request, 200,
		   json_pack("{s:s,s:s,s:i,s:s}", "id", g->wanted, "object",
			     "model", "created", 0, "owned_by", to.link->name));
	return true;
}

static void
give_model(struct fan_out *g)
{
	struct error e = { 0 };
	json_t *row;
	const char *id;
	size_t i;

	json_array_foreach (g->rows, i, row) {
		id = json_string_value(json_object_get(row, "id"));
		if (!id || strcmp(id, g->wanted))
			continue;
		complete_model(row);
		reply_json(g->request, 200, json_incref(row));
		return;
	}
	if (give_default(g))
		return;
	fail_with(&e, ERR_NO_MODEL, "no worker lists the model %.300s",
		  g->wanted);
	reply_error(g->request, &e, "model");
}

static void
ask_models(struct gateway *g, struct fan_out *fan_out)
{
	const struct msg_list_models m = {};
	const struct inquiry what = { MSG_LIST_MODELS, &m, NULL };

	fan_out->take = take_models;
	fan_out_start(fan_out, &g->workers, &what);
}

void
handle_list_models(struct gateway *g, struct request *r)
{
	struct fan_out *fan_out = fan_out_new(r);

	fan_out->done = give_models;
	ask_models(g, fan_out);
}

void
handle_show_model(struct gateway *g, struct request *r)
{
	struct error e = { 0 };
	struct fan_out *fan_out;
	struct str id;
	char *tail auto_free = NULL;

	if (!route_tail(r->route, str_of(r->path), &tail, &e)) {
		reply_error(r, &e, NULL);
		return;
	}
	id = str_of(tail);
	if (str_starts(id, STR("bridge/")))
		id = str_from(id, strlen("bridge/"));
	fan_out = fan_out_new(r);
	fan_out->wanted = copy(id);
	fan_out->done = give_model;
	ask_models(g, fan_out);
}

/* Sessions */

static void
take_sessions(struct fan_out *g, const struct msg *m)
{
	if (m->type != MSG_SESSIONS)
		return;
	fan_out_rows(g, m->body.sessions.rows);
	g->has_more |= m->body.sessions.has_more;
}

static json_int_t
last_used(const json_t *row)
{
	return json_integer_value(json_object_get(row, "last_used_at"));
}

static int
newest_first(const void *a, const void *b)
{
	json_int_t x = last_used(*(json_t *const *)a);
	json_int_t y = last_used(*(json_t *const *)b);

	return (x < y) - (x > y);
}

static void
give_sessions(struct fan_out *g)
{
	size_t n = json_array_size(g->rows), i;
	json_t **sorted auto_free = xcalloc(n + 1, sizeof *sorted), *row;
	json_t *rows = json_array();

	json_array_foreach (g->rows, i, row)
		sorted[i] = row;
	qsort(sorted, n, sizeof *sorted, newest_first);
	for (i = 0; i < n && i < g->limit; i++)
		json_array_append(rows, sorted[i]);
	reply_json(g->request, 200, as_list(rows, g->has_more || i < n));
	json_decref(rows);
}

static size_t
read_limit(const struct request *r)
{
	const char *text = request_argument(r, "limit");
	long limit = text ? strtol(text, NULL, 10) : DEFAULT_LIMIT;

	if (limit <= 0)
		return DEFAULT_LIMIT;
	return limit < MAX_LIMIT ? (size_t)limit : MAX_LIMIT;
}

void
handle_list_sessions(struct gateway *g, struct request *r)
{
	struct fan_out *fan_out = fan_out_new(r);
	const struct msg_list_sessions m = { .limit = read_limit(r) };
	const struct inquiry what = { MSG_LIST_SESSIONS, &m, NULL };

	fan_out->limit = m.limit;
	fan_out->take = take_sessions;
	fan_out->done = give_sessions;
	fan_out_start(fan_out, &g->workers, &what);
}

static void
take_forgotten(struct fan_out *g, const struct msg *m)
{
	if (m->type == MSG_FORGOTTEN)
		g->count += m->body.forgotten.sessions;
}

static void
give_forgotten(struct fan_out *g)
{
	struct error e = { 0 };

	if (g->is_partial && g->count == 0) {
		fail_with(&e, ERR_UNAVAILABLE,
			  "not every worker has answered, and the others have "
			  "no such session");
		reply_error(g->request, &e, NULL);
		return;
	}
	reply_json(g->request, 200,
		   json_pack("{s:I}", "deleted", (json_int_t)g->count));
}

/* A backend may be named by its worker or by any prefix that leads to it. */
static bool
find_backend(struct gateway *g, const struct request *r,
	     const struct worker_link **only, struct error *e)
{
	const char *name = request_argument(r, "backend");
	struct destination to;

	if (!name)
		return true;
	*only = workers_link(&g->workers, str_of(name));
	if (*only)
		return true;
	if (!workers_find(&g->workers, str_of(name), &to, e))
		return false;
	*only = to.link;
	return true;
}

void
handle_forget_session(struct gateway *g, struct request *r)
{
	struct msg_forget_session m = { 0 };
	struct inquiry what = { MSG_FORGET_SESSION, &m, NULL };
	struct error e = { 0 };
	struct fan_out *fan_out;
	char *id auto_free = NULL;

	if (!route_tail(r->route, str_of(r->path), &id, &e) ||
	    !terms_check_session(str_of(id), &e)) {
		reply_error(r, &e, NULL);
		return;
	}
	if (!find_backend(g, r, &what.only, &e)) {
		reply_error(r, &e, "backend");
		return;
	}
	m.session = str_of(id);
	fan_out = fan_out_new(r);
	fan_out->take = take_forgotten;
	fan_out->done = give_forgotten;
	fan_out_start(fan_out, &g->workers, &what);
}
