/* health - GET /health, as the supervisor knows the processes; and GET / */
#include "gateway/gateway.h"
#include "gateway/judge.h"
#include "gateway/reply.h"

enum { STATUS_MS = 5000 }; /* for all rows together */

struct checkup {
	struct gateway *gateway;
	struct request *request;
	struct ask ask;
	uint64_t deadline; /* loop_now() */
	uint64_t index;
	json_t *backends;
	size_t workers, ready;
};

static void ask_next(struct checkup *);

static void
checkup_free(struct checkup *c)
{
	ask_drop(&c->ask);
	json_decref(c->backends);
	free(c);
}

static void
on_left(struct request *r)
{
	checkup_free(r->owner);
}

static json_t *
text_or_null(struct str s)
{
	return s.ptr ? json_stringn(s.ptr, s.len) : json_null();
}

/* A worker that the gateway has not reached yet is not ready for its clients.
 */
static enum health
health_for_us(struct checkup *c, const struct msg_child *m)
{
	const struct worker_link *us =
		workers_link(&c->gateway->workers, m->name);

	if (m->health == HEALTH_READY && (!us || !worker_link_is_up(us)))
		return HEALTH_UNKNOWN;
	return (enum health)m->health;
}

static json_t *
backend(const struct msg_child *m, enum health health)
{
	struct str detail = m->detail.ptr ? m->detail : m->last_exit;

	return json_pack("{s:o,s:s,s:o,s:I,s:o,s:o,s:I,s:I,s:I,s:I}", "name",
			 text_or_null(m->name), "state", health_name(health),
			 "process", text_or_null(m->state), "pid",
			 (json_int_t)m->pid, "detail", text_or_null(detail),
			 "version", text_or_null(m->harness), "running",
			 (json_int_t)m->running, "queued",
			 (json_int_t)m->queued, "warm", (json_int_t)m->warm,
			 "background", (json_int_t)m->background);
}

static void
take_row(struct checkup *c, const struct msg_child *m)
{
	enum health health = health_for_us(c, m);

	if (!m->role)
		return;
	c->workers++;
	if (health == HEALTH_READY && str_is(m->state, "RUNNING"))
		c->ready++;
	json_array_append_new(c->backends, backend(m, health));
}

static void
give(struct checkup *c)
{
	uint64_t uptime = loop_now() - c->gateway->began;
	const char *status = "degraded";

	if (!c->ready)
		status = "down";
	else if (c->ready == c->workers)
		status = "ok";
	if (!judge_may_see(c->request)) {
		reply_json(c->request, c->ready ? 200 : 503,
			   json_pack("{s:s}", "status", status));
		return;
	}
	reply_json(c->request, c->ready ? 200 : 503,
		   json_pack("{s:s,s:s,s:I,s:O}", "status", status, "version",
			     VERSION, "uptime_ms", (json_int_t)uptime,
			     "backends", c->backends));
}

static void
on_row(struct ask *a, const struct msg *reply, const struct error *e)
{
	struct checkup *c = container_of(a, struct checkup, ask);
	struct error silent = { 0 };

	if (!e && reply->type == MSG_CHILD && c->index < MAX_CHILDREN) {
		take_row(c, &reply->body.child);
		ask_next(c);
		return;
	}
	if (!e || e->code == ERR_NOT_FOUND) {
		give(c);
	} else {
		fail_with(&silent, ERR_UNAVAILABLE,
			  "the supervisor does not answer: %.200s", e->text);
		reply_error(c->request, &silent, NULL);
	}
	checkup_free(c);
}

static void
ask_next(struct checkup *c)
{
	const struct msg_status m = { .index = c->index++ };
	uint64_t now = loop_now();

	client_ask(&c->gateway->supervisor, MSG_STATUS, &m, &c->ask,
		   now < c->deadline ? c->deadline - now : 0, on_row);
}

void
handle_health(struct gateway *g, struct request *r)
{
	struct checkup *c = xcalloc(1, sizeof *c);

	c->gateway = g;
	c->request = r;
	c->backends = json_array();
	c->deadline = loop_now() + STATUS_MS;
	r->owner = c;
	r->left = on_left;
	ask_next(c);
}

void
handle_root(struct gateway *g, struct request *r)
{
	json_t *endpoints = json_array(), *backends = json_array();
	const char *endpoint;

	for (size_t i = 0; (endpoint = routes_list(i)); i++)
		json_array_append_new(endpoints, json_string(endpoint));
	for (size_t i = 0; i < MAX_CHILDREN; i++) {
		const struct worker_link *m = workers_at(&g->workers, i);

		if (m)
			json_array_append_new(backends, json_string(m->name));
	}
	reply_json(r, 200,
		   json_pack("{s:s,s:s,s:o,s:o}", "name", "cli-bridge",
			     "version", VERSION, "endpoints", endpoints,
			     "backends", backends));
}
