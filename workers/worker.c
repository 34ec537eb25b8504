#include "workers/worker.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <sys/random.h>

#include "proto/buf.h"
#include "proto/log.h"
#include "proto/sweep.h"
#include "proto/utf8.h"
#include "proto/variables.h"
#include "workers/turn.h"

#define ACTOR worker
#define ROLE WORKER
#include "proto/role.h"

enum {
	FAREWELL_MS = 300, /* for the last events to travel, once a worker is
			      drained */
	PAIRING = 8000,	   /* ms that both pipelines to a gateway may take */
};

static bool
was_seen(const struct worker *w, uint64_t id)
{
	for (size_t i = 0; i < MAX_SEEN_TURNS; i++)
		if (w->seen[i] == id)
			return true;
	return false;
}

static void
on_farewell_over(struct timer *timer)
{
	loop_stop(&container_of(timer, struct worker, farewell)->loop);
}

static void
leave_if_drained(struct worker *w)
{
	if (w->draining && !w->running.len && !w->waiting.len && !w->ended.len)
		loop_set(&w->loop, &w->farewell, FAREWELL_MS, on_farewell_over);
}

/* Which turn is next */

static bool
session_is_busy(const struct worker *w, const char *session)
{
	list_each (&w->running, n) {
		const struct turn *t = container_of(n, struct turn, node);

		if (engine.has_sessions && session && t->session &&
		    !strcmp(t->session, session))
			return true;
	}
	return false;
}

static bool
has_slot(const struct worker *w)
{
	return !engine.has_slots || w->running.len < w->harness.max_running;
}

static bool
may_run(const struct turn *t)
{
	return has_slot(t->worker) && !session_is_busy(t->worker, t->session);
}

static void
run(struct turn *t)
{
	loop_unset(&t->worker->loop, &t->deadline);
	turn_move(t, TURN_RUNNING);
	log_info("turn %ju: running", (uintmax_t)t->id);
	engine.start(t);
}

/*
 * In the order in which they came, except that a session whose turn is under
 * way does not keep the others waiting.  A turn that ends while it is being
 * started changes the list, so look from the front again.
 */
void
worker_run_waiting(struct worker *w)
{
	struct turn *next;

	do {
		next = NULL;
		list_each (&w->waiting, n) {
			struct turn *t = container_of(n, struct turn, node);

			if (!next && may_run(t))
				next = t;
		}
		if (next)
			run(next);
	} while (next);
	leave_if_drained(w);
}

static void
on_queue_deadline(struct timer *timer)
{
	struct turn *t = container_of(timer, struct turn, deadline);
	struct error e = { 0 };

	fail_with(&e, ERR_QUEUE_TIMEOUT,
		  "queue_timeout: %s was busy for %ju ms (%zu running, %zu "
		  "waiting)",
		  t->worker->name, (uintmax_t)t->worker->harness.queue_ms,
		  t->worker->running.len, t->worker->waiting.len);
	turn_fail(t, &e);
}

/* What the gateway asks */

static struct turn *
find_in(const struct list *l, uint64_t id)
{
	list_each (l, n) {
		struct turn *t = container_of(n, struct turn, node);

		if (t->id == id)
			return t;
	}
	return NULL;
}

static struct turn *
find_turn(struct worker *w, uint64_t id)
{
	struct turn *t = find_in(&w->running, id);

	if (!t)
		t = find_in(&w->waiting, id);
	return t ? t : find_in(&w->ended, id);
}

static bool
admit(struct turn *t, struct acceptance *a, struct error *e)
{
	const struct worker *w = t->worker;

	if (!engine.accept(t, a, e))
		return false;
	if (may_run(t) || w->waiting.len <= w->harness.max_queued)
		return true; /* it is itself among the waiting */
	fail_with(e, ERR_QUEUE_FULL,
		  "queue_full: %s has %zu turns running and %ju waiting, "
		  "which is all it takes",
		  w->name, w->running.len, (uintmax_t)w->harness.max_queued);
	return false;
}

/* Its own HEAD tells of an upstream's answer, unless there is more to say. */
static void
accept_turn(struct turn *t, const struct acceptance *a)
{
	struct worker *w = t->worker;

	if (!a->relay || a->ignored[0])
		turn_accepted(t, a);
	if (may_run(t))
		run(t);
	else
		loop_set(&w->loop, &t->deadline, w->harness.queue_ms,
			 on_queue_deadline);
}

static bool
is_new(struct worker *w, uint64_t turn, struct error *e)
{
	if (w->draining)
		return fail_with(e, ERR_DRAINING, "%s is being stopped",
				 w->name);
	if (was_seen(w, turn))
		return fail_with(e, ERR_CONFLICT, "this turn was seen before");
	w->seen[w->seen_count++ % MAX_SEEN_TURNS] = turn;
	return true;
}

static void
worker_on_submit(struct worker *w, const struct msg_submit *m)
{
	struct acceptance a = { 0 };
	struct error e = { 0 };
	struct turn *t;

	if (m->worker != w->id) {
		log_warn("an order for the process before this one");
		return;
	}
	if (find_turn(w, m->turn)) {
		log_warn("turn %ju: submitted twice", (uintmax_t)m->turn);
		return;
	}
	t = turn_new(w, m);
	if (is_new(w, m->turn, &e) && admit(t, &a, &e))
		accept_turn(t, &a);
	else
		turn_fail(t, &e);
}

static void
cancel(struct turn *t)
{
	struct error e = { 0 };

	if (t->cancelled)
		return;
	t->cancelled = true;
	if (t->state == TURN_RUNNING) {
		engine.cancel(t);
		return;
	}
	if (t->state == TURN_ENDED) {
		turn_free(t);
		return;
	}
	fail_with(&e, ERR_CANCELLED, "cancelled");
	turn_fail(t, &e);
}

static void
worker_on_cancel(struct worker *w, const struct msg_cancel *m)
{
	struct turn *t = find_turn(w, m->turn);

	if (t)
		cancel(t);
}

static void
worker_on_credit(struct worker *w, const struct msg_credit *m)
{
	struct turn *t = find_turn(w, m->turn);
	bool was_blocked;

	if (!t)
		return;
	was_blocked = turn_is_blocked(t);
	t->credit += (int64_t)m->bytes;
	turn_drain(t);
	if (list_first(&t->outbox))
		return;
	if (t->state == TURN_ENDED) {
		turn_free(t);
		leave_if_drained(w);
	} else if (was_blocked && t->state == TURN_RUNNING) {
		engine.unblock(t);
	}
}

/*
 * A listener of NNG's may have gone deaf (see proto/socket.c): then one of the
 * two pipelines never comes, and only a new process has new listeners.
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
	struct buf rows = BUF_INIT(MAX_LIST);
	struct msg_sessions reply;

	if (engine.list_sessions)
		engine.list_sessions(&rows, (unsigned)m->limit);
	else
		buf_print(&rows, "[]");
	reply.rows = buf_str(&rows);
	reply_sessions(&w->server, &reply);
	buf_fini(&rows);
}

static void
worker_on_forget_session(struct worker *w, const struct msg_forget_session *m)
{
	auto_free char *session = copy(m->session);
	const struct msg_forgotten reply = {
		.sessions = engine.forget_session
				    ? engine.forget_session(session)
				    : 0,
	};

	reply_forgotten(&w->server, &reply);
}

static void
worker_on_list_models(struct worker *w, const struct msg_list_models *m)
{
	struct buf rows = BUF_INIT(MAX_LIST);
	struct msg_models reply;

	engine.list_models(&rows);
	reply.rows = buf_str(&rows);
	reply_models(&w->server, &reply);
	buf_fini(&rows);
}

/* What the supervisor asks */

static void
reply_ok(struct worker *w)
{
	const struct msg_done done = {};

	reply_done(&w->server, &done);
}

static struct str
text_or_none(const char *text)
{
	return str_of(text[0] ? text : NULL);
}

static void
worker_on_hello(struct worker *w, const struct msg_hello *m)
{
	const struct msg_ready reply = {
		.version = msg_version(),
		.name = str_of(w->name),
		.running = w->running.len,
		.queued = w->waiting.len,
		.warm = engine.count_warm ? engine.count_warm() : 0,
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
	if (w->running.len || w->waiting.len)
		log_info("draining: %zu running, %zu waiting", w->running.len,
			 w->waiting.len);
	w->draining = true;
	reply_ok(w);
	leave_if_drained(w);
}

void
worker_probe(struct worker *w, bool asked)
{
	if (w->is_probing) {
		w->probes_again |= asked;
		return;
	}
	w->is_probing = true;
	engine.probe(asked);
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

static void
keep_text(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%s", text ? text : "");
	to[utf8_whole(str_of(to))] = '\0';
}

/* How it is at the start is in the supervisor's summary; changes are news. */
static void
log_health(const struct worker *w, enum health health, const char *detail)
{
	void (*say)(const char *, ...) = w->probes ? log_info : log_debug;

	say("health: %s%s%s", health_name(health), detail ? ": " : "",
	    detail ? detail : "");
}

void
worker_set_health(struct worker *w, enum health health, const char *version,
		  const char *detail)
{
	if (health != w->health)
		log_health(w, health, detail);
	w->health = health;
	keep_text(w->harness_version, sizeof w->harness_version, version);
	keep_text(w->detail, sizeof w->detail, detail);
	worker_keep_health(w);
}

void
worker_keep_health(struct worker *w)
{
	w->probes++;
	w->is_probing = false;
	if (!w->probes_again)
		return;
	w->probes_again = false;
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

static void
on_broken(struct inlet *i, const struct error *e)
{
	log_warn("the gateway broke the rules: %s", e->text);
}

static void
cancel_all(struct worker *w)
{
	struct node *waiting;

	while ((waiting = list_first(&w->waiting)))
		cancel(container_of(waiting, struct turn, node));
	list_each (&w->running, n)
		cancel(container_of(n, struct turn, node));
	list_each (&w->ended, n)
		cancel(container_of(n, struct turn, node));
}

/* Whoever reads our events next has asked for none of them. */
static void
on_gateway(struct inlet *i)
{
	struct worker *w = container_of(i, struct worker, orders);

	if (i->writer.connected)
		return;
	if (w->running.len || w->waiting.len)
		log_warn("the gateway went away: its turns are cancelled");
	cancel_all(w);
	outlet_clear(&w->outlet);
}

static void
on_signal(struct loop *l, int signal)
{
	if (signal == SIGTERM)
		loop_stop(l);
}

static bool
listen(struct worker *w, const char *directory, struct error *e)
{
	static const struct hearing hearing = {
		.self = WORKER,
		.peer = GATEWAY,
		.heard = on_order,
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
	w->mark = copy(mark.len ? mark : STR(""));
	list_init(&w->running);
	list_init(&w->waiting);
	list_init(&w->ended);
	if (!directory)
		return fail_with(e, ERR_INVALID,
				 "started by hand: use cli-bridge serve");
	if (!loop_init(&w->loop, e) ||
	    !loop_catch_signals(&w->loop, on_signal, e) ||
	    !settings_read(&w->settings, e) ||
	    !harness_settings_read(&w->harness, name, e) ||
	    !engine.init(w, e) || !listen(w, directory, e))
		return false;
	loop_set(&w->loop, &w->probe_timer, 0, on_probe_timer);
	return true;
}

void
worker_fini(struct worker *w)
{
	struct list *const lists[] = { &w->waiting, &w->running, &w->ended };
	struct node *n;

	engine.fini();
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		while ((n = list_first(lists[i])))
			turn_free(container_of(n, struct turn, node));
	server_fini(&w->server);
	inlet_fini(&w->orders);
	outlet_fini(&w->outlet);
	loop_fini(&w->loop);
	harness_settings_fini(&w->harness);
	settings_fini(&w->settings);
	if (w->mark && w->mark[0])
		(void)sweep(w->mark);
	free(w->mark);
}
