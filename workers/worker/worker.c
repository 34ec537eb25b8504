#include "workers/worker/worker.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <sys/random.h>

#include "proto/buf.h"
#include "proto/log.h"
#include "proto/sweep.h"
#include "proto/variables.h"
#include "workers/worker/ending.h"
#include "workers/worker/identity.h"
#include "workers/worker/listener.h"
#include "workers/worker/queue.h"

#define ACTOR worker
#define ROLE WORKER
#include "proto/role.h"

enum {
	PAIRING = 8000, /* ms that both pipelines to a gateway may take */
};

/* A gateway counts its turns, so the last of them are all in the table. */
static bool
was_seen(const struct worker *w, uint64_t id)
{
	return w->seen[id % MAX_SEEN_TURNS] == id;
}

/* What the gateway asks */

static void
tell_room(struct worker *w, size_t bytes)
{
	const struct msg_room m = { .bytes = bytes };

	send_room(&w->outlet, &m);
}

static bool
may_begin(struct worker *w, const struct msg_submit *m, struct error *e)
{
	if (w->draining)
		return fail_with(e, ERR_DRAINING, "%s is being stopped",
				 w->name);
	if (loop_now() > m->until)
		return fail_with(e, ERR_UNAVAILABLE,
				 "%s was too busy to hear of the turn in time; "
				 "it was not begun",
				 w->name);
	if (was_seen(w, m->turn))
		return fail_with(e, ERR_CONFLICT, "this turn was seen before");
	if (!(engine.dialects & DIALECT_BIT(m->dialect)))
		return fail_with(e, ERR_UNSUPPORTED,
				 "%s answers no requests to /v1%s", w->name,
				 dialect_path((enum dialect)m->dialect));
	w->seen[m->turn % MAX_SEEN_TURNS] = m->turn;
	return true;
}

/* It may have results of calls of the caller's tools. */
static bool
has_results(const struct msg_submit *m)
{
	return memmem(m->body.ptr, m->body.len, "tool_call_id",
		      strlen("tool_call_id"));
}

static void
worker_on_submit(struct worker *w, const struct msg_submit *m)
{
	bool is_repeatable = engine.has_sessions &&
			     (m->session.ptr || m->key.ptr || has_results(m));
	uint64_t identity = is_repeatable ? identity_of(m) : 0;
	struct error e = { 0 };
	struct turn *t;

	if (m->worker != w->id) {
		log_warn("an order for the process before this one");
		return;
	}
	if (listener_find(w, m->turn)) {
		log_debug("order %ju: submitted twice", (uintmax_t)m->turn);
		return; /* its room is that of the first */
	}
	if (!may_begin(w, m, &e)) {
		tell_room(w, m->body.len);
		listener_refuse(w, m, &e);
		return;
	}
	if (identity && repeats_answer(w, m, identity)) {
		tell_room(w, m->body.len);
		return;
	}
	repeats_begin(w, identity);
	t = turn_new(w, m, inlet_take(&w->orders));
	t->identity = identity;
	if (!queue_admit(t, &e))
		turn_fail(t, &e);
}

static void
worker_on_cancel(struct worker *w, const struct msg_cancel *m)
{
	struct listener *l = listener_find(w, m->turn);
	struct error e = { 0 };

	fail_with(&e, ERR_CANCELLED,
		  "the client went away before the turn was over; what it did "
		  "may be half done");
	if (!l)
		return;
	if (l->turn && !listener_has_company(l)) {
		turn_cancel(l->turn, &e);
		return;
	}
	listener_leave(l, &e);
	ending_leave_if_drained(w);
}

static void
worker_on_credit(struct worker *w, const struct msg_credit *m)
{
	struct listener *l = listener_find(w, m->turn);
	struct turn *t = l ? l->turn : NULL;
	bool was_blocked = t && turn_is_blocked(t);

	if (!l)
		return;
	listener_give_credit(l, m->bytes);
	if (!t)
		ending_leave_if_drained(w);
	else
		turn_go_on(t, was_blocked);
}

/*
 * Whatever keeps one of the two pipelines from coming while the other is there:
 * only a new process has new listeners.
 */
static void
on_pairing(struct timer *timer)
{
	struct worker *w = container_of(timer, struct worker, pairing);

	if (w->orders.writer.connected == w->outlet.reader.connected)
		return;
	log_error("a pipeline to the gateway does not come: starting anew");
	loop_stop(&w->loop);
}

static void
worker_on_greet(struct worker *w, const struct msg_greet *m)
{
	const struct msg_present reply = { .worker = w->id };

	reply_present(&w->server, &reply);
	loop_set(&w->loop, &w->pairing, PAIRING, on_pairing);
}

static void
worker_on_list_sessions(struct worker *w, const struct msg_list_sessions *m)
{
	struct rows rows = ROWS_INIT;
	struct msg_sessions reply;

	if (engine.list_sessions)
		engine.list_sessions(w->self, &rows, (unsigned)m->limit);
	reply.rows = rows_end(&rows);
	reply.has_more = rows.has_more;
	reply_sessions(&w->server, &reply);
	rows_fini(&rows);
}

static void
worker_on_forget_session(struct worker *w, const struct msg_forget_session *m)
{
	auto_free char *session = copy(m->session);
	const struct msg_forgotten reply = {
		.sessions = engine.forget_session
				    ? engine.forget_session(w->self, session)
				    : 0,
	};

	reply_forgotten(&w->server, &reply);
}

static void
worker_on_list_models(struct worker *w, const struct msg_list_models *m)
{
	struct rows rows = ROWS_INIT;
	struct msg_models reply;

	engine.list_models(w->self, &rows);
	reply.rows = rows_end(&rows);
	reply.has_more = rows.has_more;
	reply_models(&w->server, &reply);
	rows_fini(&rows);
}

static struct str
text_or_none(const char *text)
{
	return str_of(text[0] ? text : NULL);
}

static void
worker_on_describe(struct worker *w, const struct msg_describe *m)
{
	auto_free char *prefix = m->harness.ptr ? copy(m->harness) : NULL;
	auto_free char *model = m->model.ptr ? copy(m->model) : NULL;
	struct buf row = BUF_INIT(MAX_LIST);
	struct error e = { 0 };

	if (engine.describe(w->self, prefix, model, &row, &e)) {
		const struct msg_description reply = {
			.name = str_of(w->name),
			.row = buf_str(&row),
		};

		reply_description(&w->server, &reply);
	} else
		server_refuse(&w->server, &e);
	buf_fini(&row);
}

/* What the supervisor asks */

static void
set_log_level(struct worker *w)
{
	enum log_level level = LOG_INFO;

	(void)log_level_read(w->settings.log_level, &level);
	log_open(w->title, level);
}

static void
reply_ok(struct worker *w)
{
	const struct msg_done done = {};

	reply_done(&w->server, &done);
}

static void
worker_on_hello(struct worker *w, const struct msg_hello *m)
{
	struct place_counts slots = { 0 };

	if (engine.count_places)
		engine.count_places(w->self, &slots);
	const struct msg_ready reply = {
		.version = msg_version(),
		.name = str_of(w->name),
		.running = w->running.len,
		.queued = w->waiting.len,
		.warm = engine.count_warm ? engine.count_warm(w->self) : 0,
		.background = engine.count_background
				      ? engine.count_background(w->self)
				      : 0,
		.parked =
			engine.count_parked ? engine.count_parked(w->self) : 0,
		.free_slots = slots.free,
		.busy_slots = slots.busy,
		.warm_slots = slots.warm,
		.dead_slots = slots.dead,
		.health = w->health,
		.probes = w->probes,
		.harness = text_or_none(w->harness_version),
		.detail = text_or_none(w->detail),
	};

	reply_ready(&w->server, &reply);
}

static void
worker_on_drain(struct worker *w, const struct msg_drain *m)
{
	reply_ok(w);
	ending_take_no_more(w);
	ending_leave_if_drained(w);
}

/* The old ones live until the engine has taken the new ones over. */
static bool
change(struct worker *w, struct settings *settings,
       struct harness_settings *harness, struct error *e)
{
	struct settings old = w->settings;
	struct harness_settings old_harness = w->harness;

	if (!settings_read(settings, e) ||
	    !harness_settings_read(harness, w->name, e))
		return false;
	w->settings = *settings;
	w->harness = *harness;
	*settings = old;
	*harness = old_harness;
	return engine.configure(w->self, e);
}

static void on_probe_timer(struct timer *);

static void
worker_on_configure(struct worker *w, const struct msg_configure *m)
{
	struct settings settings = { 0 };
	struct harness_settings harness = { 0 };
	struct error e = { 0 };

	if (variables_adopt(m->environment, &e) &&
	    change(w, &settings, &harness, &e))
		reply_ok(w);
	else
		server_refuse(&w->server, &e);
	settings_fini(&settings);
	harness_settings_fini(&harness);
	set_log_level(w);
	loop_set(&w->loop, &w->probe_timer, 0, on_probe_timer);
	queue_run_waiting(w);
}

static void
on_probe_timer(struct timer *timer)
{
	struct worker *w = container_of(timer, struct worker, probe_timer);

	loop_set(&w->loop, timer, w->settings.probe_ms, on_probe_timer);
	if (w->health != HEALTH_READY)
		worker_probe(w, false);
}

static void
worker_on_probe(struct worker *w, const struct msg_probe *m)
{
	const struct msg_probing reply = {
		.answer = w->probes + (w->is_probing ? 2 : 1),
	};

	reply_probing(&w->server, &reply);
	worker_probe(w, true);
}

/* The process */

static void
on_request(struct server *s, const struct msg *m)
{
	worker_hear(container_of(s, struct worker, server), m);
}

static void
on_order(struct inlet *i, const struct msg *m)
{
	worker_hear(container_of(i, struct worker, orders), m);
}

/* Of what can't be read as it must only its own turn is told. */
static void
on_bad_order(struct inlet *i, const struct msg *m, const struct error *e)
{
	struct worker *w = container_of(i, struct worker, orders);
	const struct msg_failed failed = {
		.turn = msg_turn(m),
		.seq = 1,
		.code = ERR_PROTOCOL,
		.why = str_of(e->text),
	};

	log_error("an order can't be read: %s", e->text);
	if (m->type != MSG_SUBMIT || m->body.submit.worker != w->id)
		return;
	tell_room(w, m->body.submit.body.len);
	if (failed.turn && !listener_find(w, failed.turn))
		send_failed(&w->outlet, &failed);
}

static void
on_broken(struct inlet *i, const struct error *e)
{
	log_error("orders can't be read, and are lost: %s", e->text);
}

/* Whoever reads our events next has asked for none of them. */
static void
on_gateway(struct inlet *i)
{
	struct worker *w = container_of(i, struct worker, orders);

	if (i->writer.connected)
		return;
	if (w->stopping)
		loop_stop(&w->loop);
	if (w->running.len || w->waiting.len)
		log_warn("the gateway went away: its turns are cancelled");
	ending_cancel_turns(w);
	outlet_renew(&w->outlet);
}

static void
on_signal(struct loop *l, int signal)
{
	if (signal == SIGTERM)
		ending_stop(container_of(l, struct worker, loop));
}

static bool
listen(struct worker *w, const char *directory, struct error *e)
{
	static const struct hearing hearing = {
		.self = WORKER,
		.peer = GATEWAY,
		.heard = on_order,
		.bad = on_bad_order,
		.broken = on_broken,
		.changed = on_gateway,
	};
	auto_free char *requests = link_url(directory, w->name, "req");
	auto_free char *orders = link_url(directory, w->name, "orders");
	auto_free char *events = link_url(directory, w->name, "events");

	return outlet_listen(&w->outlet, &w->loop, events, WORKER, NULL, e) &&
	       inlet_listen(&w->orders, &w->loop, orders, &hearing, e) &&
	       server_listen(&w->server, &w->loop, requests, WORKER,
			     SUPERVISOR | GATEWAY, on_request, e);
}

static void
choose_id(struct worker *w)
{
	while (w->id == 0)
		if (getrandom(&w->id, sizeof w->id, 0) != sizeof w->id)
			abort();
}

bool
worker_init(struct worker *w, const char *name, struct error *e)
{
	struct str mark = variable_value(OWNER_VARIABLE);
	const char *directory = variable_value("CLI_BRIDGE_RUN_DIR").ptr;

	memset(w, 0, sizeof *w);
	w->loop = LOOP_INIT;
	w->server = SERVER_INIT;
	w->outlet = OUTLET_INIT;
	w->orders = INLET_INIT;
	choose_id(w);
	w->name = name;
	snprintf(w->title, sizeof w->title, "worker.%s", name);
	w->mark = copy(mark.len ? mark : STR(""));
	list_init(&w->running);
	list_init(&w->waiting);
	list_init(&w->lingering);
	for (size_t i = 0; i < LISTENER_BUCKETS; i++)
		list_init(&w->listeners[i]);
	repeats_init(&w->repeats);
	if (!directory)
		return fail_with(e, ERR_INVALID,
				 "started by hand: use cli-bridge serve");
	if (!loop_init(&w->loop, e) ||
	    !loop_catch_signals(&w->loop, on_signal, e) ||
	    !settings_read(&w->settings, e) ||
	    !harness_settings_read(&w->harness, name, e))
		return false;
	set_log_level(w);
	if (!engine.init(w, e) || !listen(w, directory, e))
		return false;
	loop_set(&w->loop, &w->probe_timer, 0, on_probe_timer);
	return true;
}

void
worker_end(struct worker *w)
{
	struct list *const lists[] = { &w->waiting, &w->running };
	struct node *n;

	if (w->self)
		engine.fini(w->self);
	w->self = NULL;
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		while ((n = list_first(lists[i])))
			turn_free(container_of(n, struct turn, node));
	ending_free_lingering(w);
	repeats_fini(w);
	if (w->mark && w->mark[0])
		(void)sweep(w->mark);
	free(w->mark);
	w->mark = NULL;
}

void
worker_fini(struct worker *w)
{
	worker_end(w);
	server_fini(&w->server);
	inlet_fini(&w->orders);
	outlet_fini(&w->outlet);
	loop_fini(&w->loop);
	harness_settings_fini(&w->harness);
	settings_fini(&w->settings);
}
