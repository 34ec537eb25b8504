#include "gateway/gateway.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "gateway/admission.h"
#include "gateway/judge.h"
#include "gateway/reply.h"
#include "gateway/chat/fields.h"
#include "gateway/exchange.h"
#include "proto/log.h"
#include "proto/variables.h"

#define ACTOR gateway
#define ROLE GATEWAY
#include "proto/role.h"

enum {
	LISTENING_FD = 3,
	FAREWELL_MS = 400, /* for the last answers to go out */
	REPLY_MS = 20,	   /* for the reply to DRAIN to go out */
};

/* Requests */

static struct gateway *
gateway_of(const struct request *r)
{
	return container_of(r->http, struct gateway, http);
}

/* The fields of a body are found while it arrives. */
static bool
on_piece(struct request *r, struct str piece, struct error *e)
{
	return fields_read(r->reading, buf_str(&r->body), e);
}

static void
on_request(struct request *r)
{
	struct buf nothing = BUF_INIT(0);

	if (judge_is_preflight(r))
		request_answer(r, 204, &nothing);
	else
		r->route->handler(gateway_of(r), r);
}

/* Events of turns */

static void
gateway_on_accepted(struct gateway *g, const struct msg_accepted *m)
{
	struct exchange *x = exchange_find(g, g->sender, m->turn, m->seq);

	if (x)
		exchange_accepted(x, m);
}

static void
gateway_on_started(struct gateway *g, const struct msg_started *m)
{
	struct exchange *x = exchange_find(g, g->sender, m->turn, m->seq);

	if (x)
		exchange_started(x, m);
}

static void
gateway_on_meanwhile(struct gateway *g, const struct msg_meanwhile *m)
{
	struct exchange *x = exchange_find(g, g->sender, m->turn, m->seq);

	if (x)
		exchange_meanwhile(x, m->text);
}

static void
gateway_on_text(struct gateway *g, const struct msg_text *m)
{
	struct exchange *x = exchange_find(g, g->sender, m->turn, m->seq);

	if (x)
		exchange_text(x, DELTA_TEXT, m->text);
}

static void
gateway_on_reasoning(struct gateway *g, const struct msg_reasoning *m)
{
	struct exchange *x = exchange_find(g, g->sender, m->turn, m->seq);

	if (x)
		exchange_text(x, DELTA_REASONING, m->text);
}

static void
gateway_on_tool(struct gateway *g, const struct msg_tool *m)
{
	struct exchange *x = exchange_find(g, g->sender, m->turn, m->seq);

	if (x)
		exchange_tool(x, m->json);
}

static void
gateway_on_call(struct gateway *g, const struct msg_call *m)
{
	struct exchange *x = exchange_find(g, g->sender, m->turn, m->seq);

	if (x)
		exchange_call(x, m->json);
}

static void
gateway_on_arguments(struct gateway *g, const struct msg_arguments *m)
{
	struct exchange *x = exchange_find(g, g->sender, m->turn, m->seq);

	if (x)
		exchange_arguments(x, m->text);
}

static void
gateway_on_note(struct gateway *g, const struct msg_note *m)
{
	struct exchange *x = exchange_find(g, g->sender, m->turn, m->seq);

	if (x)
		exchange_note(x, m->text);
}

static void
gateway_on_head(struct gateway *g, const struct msg_head *m)
{
	struct exchange *x = exchange_find(g, g->sender, m->turn, m->seq);

	if (x)
		exchange_head(x, m);
}

static void
gateway_on_body(struct gateway *g, const struct msg_body *m)
{
	struct exchange *x = exchange_find(g, g->sender, m->turn, m->seq);

	if (x)
		exchange_body(x, m);
}

static void
gateway_on_finish(struct gateway *g, const struct msg_finish *m)
{
	struct exchange *x = exchange_find(g, g->sender, m->turn, m->seq);

	if (x)
		exchange_finish(x, m);
}

static void
gateway_on_failed(struct gateway *g, const struct msg_failed *m)
{
	struct exchange *x = exchange_find(g, g->sender, m->turn, m->seq);
	struct error e = { 0 };

	if (!x)
		return;
	fail_with(&e, (enum error_code)m->code, STR_FMT, STR_ARG(m->why));
	e.retry_ms = (uint32_t)m->retry_ms;
	x->is_repeated |= m->repeated;
	if (m->field_len <= strlen(e.text))
		e.field_len = (uint16_t)m->field_len;
	if (m->code == ERR_DRAINING && !x->accepted)
		exchange_refused(x, &e);
	else
		exchange_failed(x, &e);
}

static void
gateway_on_room(struct gateway *g, const struct msg_room *m)
{
	order_window_room(&g->sender->window, m->bytes);
	exchange_send_orders(g->sender);
}

static void
on_heard(struct worker_link *who, const struct msg *m)
{
	struct gateway *g = container_of(who->workers, struct gateway, workers);

	g->sender = who;
	gateway_hear(g, m);
}

/* Every turn, or every turn of one worker. */
static void
end_exchanges(struct gateway *g, const struct worker_link *of,
	      const struct error *e,
	      void (*end)(struct exchange *, const struct error *))
{
	for (size_t i = 0; i < EXCHANGE_BUCKETS; i++)
		list_each (&g->exchanges[i], n) {
			struct exchange *x =
				container_of(n, struct exchange, node);

			if (!of || x->worker == of)
				end(x, e);
		}
}

static void
outlive_leaving(struct exchange *x, const struct error *e)
{
	exchange_outlive(x, false, e);
}

static void
outlive_lost(struct exchange *x, const struct error *e)
{
	exchange_outlive(x, true, e);
}

static void
gateway_on_leaving(struct gateway *g, const struct msg_leaving *m)
{
	struct worker_link *who = g->sender;
	struct error e = { 0 };

	if (m->worker != who->id)
		return;
	log_debug("worker %s: takes no more turns", who->name);
	who->is_leaving = true;
	fail_with(&e, ERR_DRAINING, "%s is being stopped", who->name);
	end_exchanges(g, who, &e, outlive_leaving);
}

static void
on_lost(struct worker_link *who)
{
	struct gateway *g = container_of(who->workers, struct gateway, workers);
	struct error e = { 0 };

	if (who->is_leaving)
		fail_with(&e, ERR_CANCELLED,
			  "the worker for %s was stopped; what the turn did "
			  "may be half done",
			  who->name);
	else
		fail_with(&e, ERR_WORKER_LOST,
			  "the worker for %s has died; what it did may be half "
			  "done",
			  who->name);
	end_exchanges(g, who, &e, outlive_lost);
}

static void
on_bad(struct worker_link *who, uint64_t turn, const struct error *e)
{
	exchange_bad(who, container_of(who->workers, struct gateway, workers),
		     turn, e);
}

static void
on_came(struct worker_link *who)
{
	struct gateway *g = container_of(who->workers, struct gateway, workers);

	admission_admit(g, who);
}

/* An event was dropped that may have been the last one of any of its turns. */
static void
on_broken(struct worker_link *who, const struct error *why)
{
	struct gateway *g = container_of(who->workers, struct gateway, workers);
	struct error e = { 0 };

	fail_with(&e, ERR_PROTOCOL,
		  "the worker for %s has said what nobody understands: %.300s",
		  who->name, why->text);
	end_exchanges(g, who, &e, exchange_abort);
}

/* Life */

static void
stop_if_idle(struct gateway *g)
{
	if (g->draining && !list_first(&g->http.requests))
		loop_stop(&g->loop);
}

static void
on_request_ended(struct http *h)
{
	stop_if_idle(container_of(h, struct gateway, http));
}

static void
on_end(struct timer *t)
{
	loop_stop(&container_of(t, struct gateway, end)->loop);
}

/* The reply to DRAIN goes out first. */
static void
on_look(struct timer *t)
{
	stop_if_idle(container_of(t, struct gateway, end));
}

static void
drain(struct gateway *g)
{
	struct error e = { 0 };

	g->draining = true;
	http_close(&g->http);
	fail_with(&e, ERR_DRAINING, "this process is about to be replaced");
	admission_close(g, &e);
	if (!g->stopping)
		loop_set(&g->loop, &g->end, REPLY_MS, on_look);
}

static void
stop(struct gateway *g)
{
	struct error e = { 0 };

	if (g->stopping)
		return;
	g->stopping = true;
	drain(g);
	fail_with(&e, ERR_CANCELLED, "the bridge is being stopped");
	end_exchanges(g, NULL, &e,
		      exchange_failed); /* the workers cancel the turns when the
					   connection ends */
	loop_set(&g->loop, &g->end, FAREWELL_MS, on_end);
	stop_if_idle(g);
}

static void
on_signal(struct loop *l, int signal)
{
	if (signal == SIGTERM)
		stop(container_of(l, struct gateway, loop));
}

static void
gateway_on_hello(struct gateway *g, const struct msg_hello *m)
{
	const struct msg_ready ready = {
		.version = msg_version(),
		.name = STR("gateway"),
		.running = g->exchange_count,
		.warm = workers_present(&g->workers),
		.health = HEALTH_READY,
		.probes = 1,
	};

	reply_ready(&g->server, &ready);
}

static void
gateway_on_drain(struct gateway *g, const struct msg_drain *m)
{
	const struct msg_done done = {};

	reply_done(&g->server, &done);
	if (g->exchange_count)
		log_info("draining, %zu turns are under way",
			 g->exchange_count);
	drain(g);
}

/* Settings */

static bool
variable(const char *name, const char **value, struct error *e)
{
	struct str v = variable_value(name);

	if (!v.len)
		return fail_with(e, ERR_INVALID,
				 "%s is not set: this program is started by "
				 "cli-bridge",
				 name);
	*value = v.ptr;
	return true;
}

static void
set_log_level(const struct gateway *g)
{
	enum log_level level = LOG_INFO;

	(void)log_level_read(g->settings.log_level, &level);
	log_open("gateway", level);
}

/* The workers come last: a failure before that has changed nothing. */
static bool
change(struct gateway *g, struct settings *fresh, struct error *e)
{
	const char *workers = NULL, *routes = NULL;

	if (!settings_read(fresh, e) || !guard_allows(&g->guard, fresh, e) ||
	    !variable("CLI_BRIDGE_WORKERS", &workers, e) ||
	    !variable("CLI_BRIDGE_ROUTES", &routes, e))
		return false;
	g->workers.order_window = fresh->order_window;
	return workers_change(&g->workers, workers, routes, e);
}

static void
gateway_on_configure(struct gateway *g, const struct msg_configure *m)
{
	struct settings fresh = { 0 }, old = g->settings;
	const struct msg_done done = {};
	struct error e = { 0 };

	if (!variables_adopt(m->environment, &e) || !change(g, &fresh, &e)) {
		settings_fini(&fresh);
		server_refuse(&g->server, &e);
		return;
	}
	g->settings = fresh;
	settings_fini(&old);
	set_log_level(g);
	http_configure(&g->http, &g->settings);
	admission_look_again(g);
	reply_done(&g->server, &done);
}

static void
on_asked(struct server *s, const struct msg *m)
{
	gateway_hear(container_of(s, struct gateway, server), m);
}

static void
prepare(struct gateway *g)
{
	g->began = loop_now();
	for (size_t i = 0; i < EXCHANGE_BUCKETS; i++)
		list_init(&g->exchanges[i]);
	list_init(&g->admission);
	g->workers.heard = on_heard;
	g->workers.came = on_came;
	g->workers.lost = on_lost;
	g->workers.bad = on_bad;
	g->workers.broken = on_broken;
	g->http.judge = judge;
	g->http.heard = on_piece;
	g->http.ready = on_request;
	g->http.explain = judge_explain;
	g->http.ended = on_request_ended;
}

static bool
dial(struct gateway *g, const char *name, const char *directory,
     struct error *e)
{
	char *own auto_free = link_url(directory, name, "req");
	char *supervisor auto_free = link_url(directory, "supervisor", "req");

	return server_listen(&g->server, &g->loop, own, GATEWAY, SUPERVISOR,
			     on_asked, e) &&
	       client_dial(&g->supervisor, &g->loop, supervisor, GATEWAY,
			   SUPERVISOR, NULL, e) &&
	       workers_dial(&g->workers, &g->loop, directory, e);
}

bool
gateway_init(struct gateway *g, const char *name, struct error *e)
{
	const char *directory = NULL, *workers = NULL, *routes = NULL;

	prepare(g);
	if (!loop_init(&g->loop, e) ||
	    !loop_catch_signals(&g->loop, on_signal, e) ||
	    !settings_read(&g->settings, e))
		return false;
	g->workers.order_window = g->settings.order_window;
	set_log_level(g);
	if (getrandom(&g->last_turn, sizeof g->last_turn, 0) < 0)
		return fail_errno(e, "getrandom");
	return guard_init(&g->guard, &g->settings, LISTENING_FD, e) &&
	       variable("CLI_BRIDGE_RUN_DIR", &directory, e) &&
	       variable("CLI_BRIDGE_WORKERS", &workers, e) &&
	       variable("CLI_BRIDGE_ROUTES", &routes, e) &&
	       workers_init(&g->workers, workers, routes, e) &&
	       dial(g, name, directory, e) &&
	       http_init(&g->http, &g->loop, LISTENING_FD, &g->settings, e);
}

void
gateway_fini(struct gateway *g)
{
	http_fini(&g->http);
	workers_fini(&g->workers);
	client_fini(&g->supervisor);
	server_fini(&g->server);
	settings_fini(&g->settings);
	loop_fini(&g->loop);
}
