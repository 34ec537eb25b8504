/* health - GET /health, as the supervisor knows the processes; and GET / */
#include "gateway/checkup.h"
#include "gateway/gateway.h"
#include "gateway/judge.h"
#include "gateway/reply.h"

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

void
handle_health(struct gateway *g, struct request *r)
{
	checkup_start(g, r, give);
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
