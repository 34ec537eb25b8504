#include "workers/worker/worker.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <sys/random.h>

#include "proto/buf.h"
#include "proto/log.h"
#include "proto/sweep.h"
#include "proto/utf8.h"
#include "proto/variables.h"
#include "workers/worker/turn.h"

#define ACTOR worker
#define ROLE WORKER
#include "proto/role.h"

enum {
	FAREWELL_MS = 300, /* for the last events to travel, once a worker is
			      drained */
	PAIRING = 8000,	   /* ms that both pipelines to a gateway may take */
	BEGIN_MS = 2,	   /* that turns may take to begin, one after another */
	LARGE = 1 << 20, /* bytes of a body that is read when its turn begins */
};

/* A gateway counts its turns, so the last of them are all in the table. */
static bool
was_seen(const struct worker *w, uint64_t id)
{
	return w->seen[id % MAX_SEEN_TURNS] == id;
}

static void
on_farewell_over(struct timer *timer)
{
	loop_stop(&container_of(timer, struct worker, farewell)->loop);
}

/* Once: what is refused meanwhile changes nothing. */
static void
leave_if_drained(struct worker *w)
{
	if (w->draining && !timer_is_set(&w->farewell) && !w->running.len &&
	    !w->waiting.len && !w->ended.len)
		loop_set(&w->loop, &w->farewell, FAREWELL_MS, on_farewell_over);
}

/* Which turn is next */

/* Turns of one session wait for each other, unless they are known to be about
 * different conversations. */
static bool
is_in_the_way(const struct turn *other, const struct turn *t)
{
	if (!engine.has_sessions || !t->session || !other->session ||
	    strcmp(other->session, t->session) != 0)
		return false;
	return !other->lane || !t->lane || other->lane == t->lane;
}

static bool
lane_is_free(const struct turn *t)
{
	list_each (&t->worker->running, n)
		if (is_in_the_way(container_of(n, struct turn, node), t))
			return false;
	return true;
}

static bool
has_slot(const struct worker *w)
{
	return !engine.has_slots || w->running.len < w->harness.max_running;
}

static bool
may_run(const struct turn *t)
{
	return has_slot(t->worker) && lane_is_free(t);
}

/* No other turn comes between. */
static bool
runs_next(const struct turn *t)
{
	const struct worker *w = t->worker;

	return may_run(t) &&
	       (!engine.has_slots ||
		w->running.len + w->waiting.len <= w->harness.max_running);
}

static bool
read_turn(struct turn *t, struct acceptance *a, struct error *e)
{
	t->is_read = true;
	return engine.accept(t, a, e);
}

/* What waits is its bytes: read, it may take a hundred times the room. */
static void
forget_what_was_read(struct turn *t)
{
	t->is_read = false;
	if (engine.forget)
		engine.forget(t);
}

static bool
is_read_to_run(struct turn *t)
{
	struct acceptance a = { 0 };
	struct error e = { 0 };

	if (t->is_read)
		return true;
	if (!read_turn(t, &a, &e)) {
		turn_fail(t, &e);
		return false;
	}
	if (!t->was_read && a.ignored[0])
		turn_tell_ignored(t, a.ignored);
	return true;
}

static void
run(struct turn *t)
{
	if (!is_read_to_run(t))
		return;
	if (!may_run(t)) { /* its lane was not known before it was read */
		forget_what_was_read(t);
		return;
	}
	loop_unset(&t->worker->loop, &t->deadline);
	turn_move(t, TURN_RUNNING);
	log_info("turn %ju: running", (uintmax_t)t->id);
	engine.start(t);
}

/* One that came before it, and must run before it, waits as well. */
static bool
is_overtaking(const struct turn *t)
{
	list_each (&t->worker->waiting, n) {
		const struct turn *other = container_of(n, struct turn, node);

		if (other == t)
			return false;
		if (is_in_the_way(other, t))
			return true;
	}
	return false;
}

/*
 * In the order in which they came, except that a session whose turn is under
 * way does not keep the others waiting.
 */
static struct turn *
find_next(const struct worker *w)
{
	list_each (&w->waiting, n) {
		struct turn *t = container_of(n, struct turn, node);

		if (may_run(t) && !is_overtaking(t))
			return t;
	}
	return NULL;
}

/*
 * One turn at a time: reading a large body takes long, and others want to be
 * heard in between.  But where no body is read, turns that come together begin
 * together, so that what they send travels together.
 */
static void
on_next(struct chore *c)
{
	struct worker *w = container_of(c, struct worker, next);
	uint64_t began = loop_now();
	struct turn *t;

	while (!w->stopping && (t = find_next(w))) {
		run(t);
		if (!engine.has_slots && loop_now() - began < BEGIN_MS)
			continue;
		worker_run_waiting(w);
		break;
	}
	leave_if_drained(w);
}

void
worker_run_waiting(struct worker *w)
{
	loop_put_off(&w->loop, &w->next, on_next);
}

void
worker_tell_room(struct worker *w, size_t bytes)
{
	const struct msg_room m = { .bytes = bytes };

	send_room(&w->outlet, &m);
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

/* A body that has to be read takes time in proportion to its size. */
static bool
is_read_later(const struct turn *t)
{
	return engine.has_slots && t->body.len > LARGE;
}

/* The turn is itself among the waiting, and so are those that begin next. */
static bool
has_room(const struct turn *t, struct error *e)
{
	const struct worker *w = t->worker;
	size_t room = w->harness.max_queued;

	if (!engine.has_slots)
		return true;
	if (has_slot(w))
		room += w->harness.max_running - w->running.len;
	if (w->waiting.len <= room)
		return true;
	return fail_with(e, ERR_QUEUE_FULL,
			 "queue_full: %s has %zu turns running and %zu "
			 "waiting, which is all it takes",
			 w->name, w->running.len, w->waiting.len - 1);
}

static bool
admit(struct turn *t, struct acceptance *a, struct error *e)
{
	a->session = t->session;
	if (is_read_later(t))
		return has_room(t, e);
	if (!read_turn(t, a, e))
		return false;
	t->was_read = true;
	return has_room(t, e);
}

static void
accept_turn(struct turn *t, const struct acceptance *a)
{
	struct worker *w = t->worker;

	turn_accepted(t, a);
	if (!runs_next(t))
		forget_what_was_read(t);
	loop_set(&w->loop, &t->deadline, w->harness.queue_ms,
		 on_queue_deadline);
	worker_run_waiting(w);
}

static bool
is_new(struct worker *w, const struct msg_submit *m, struct error *e)
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
	w->seen[m->turn % MAX_SEEN_TURNS] = m->turn;
	return true;
}

static void
worker_on_submit(struct worker *w, const struct msg_submit *m)
{
	struct acceptance a = { 0 };
	struct error e = { 0 };
	struct turn *t;
	bool is_ours;

	if (m->worker != w->id) {
		log_warn("an order for the process before this one");
		return;
	}
	if (find_turn(w, m->turn)) {
		log_warn("turn %ju: submitted twice", (uintmax_t)m->turn);
		worker_tell_room(w, m->body.len);
		return;
	}
	is_ours = is_new(w, m, &e);
	t = turn_new(w, m, inlet_take(&w->orders));
	if (is_ours && admit(t, &a, &e))
		accept_turn(t, &a);
	else
		turn_fail(t, &e);
}

static void
cancel(struct turn *t)
{
	struct worker *w = t->worker;
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
		leave_if_drained(w);
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
		.warm = engine.count_warm ? engine.count_warm(w->self) : 0,
		.health = w->health,
		.probes = w->probes,
		.harness = text_or_none(w->harness_version),
		.detail = text_or_none(w->detail),
	};

	reply_ready(&w->server, &reply);
}

/* The gateway is to know it before it sends more. */
static void
take_no_more(struct worker *w)
{
	const struct msg_leaving m = { .worker = w->id };

	if (w->draining)
		return;
	if (w->running.len || w->waiting.len)
		log_info("draining: %zu running, %zu waiting", w->running.len,
			 w->waiting.len);
	w->draining = true;
	send_leaving(&w->outlet, &m);
}

static void
worker_on_drain(struct worker *w, const struct msg_drain *m)
{
	reply_ok(w);
	take_no_more(w);
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
	engine.probe(w->self, asked);
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
	worker_run_waiting(w);
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
worker_wait_for_health(struct worker *w, const char *detail)
{
	if (w->health == HEALTH_UNKNOWN)
		keep_text(w->detail, sizeof w->detail, detail);
}

void
worker_note_health(struct worker *w, enum health health, const char *detail)
{
	if (health != w->health)
		log_health(w, health, detail);
	w->health = health;
	keep_text(w->detail, sizeof w->detail, detail);
}

void
worker_set_health(struct worker *w, enum health health, const char *version,
		  const char *detail)
{
	keep_text(w->harness_version, sizeof w->harness_version, version);
	worker_note_health(w, health, detail);
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
	worker_tell_room(w, m->body.submit.body.len);
	if (failed.turn && !find_turn(w, failed.turn))
		send_failed(&w->outlet, &failed);
}

static void
on_broken(struct inlet *i, const struct error *e)
{
	log_error("orders can't be read, and are lost: %s", e->text);
}

/* Whoever is the gateway next has sent us nothing. */
static void
owe_nothing(const struct list *l)
{
	list_each (l, n)
		container_of(n, struct turn, node)->owed = 0;
}

static void
cancel_all(struct worker *w)
{
	struct node *waiting;

	owe_nothing(&w->waiting);
	owe_nothing(&w->running);

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
	if (w->stopping)
		loop_stop(&w->loop);
	if (w->running.len || w->waiting.len)
		log_warn("the gateway went away: its turns are cancelled");
	cancel_all(w);
	outlet_clear(&w->outlet);
}

static void
cut_all(const struct list *l, const struct error *e)
{
	list_each (l, n)
		turn_cut(container_of(n, struct turn, node), e);
}

/* Their clients are told before everything ends. */
static void
stop(struct worker *w)
{
	bool has_turns = w->running.len || w->waiting.len || w->ended.len;
	struct error e = { 0 };

	if (w->stopping)
		return;
	w->stopping = true;
	take_no_more(w);
	fail_with(&e, ERR_CANCELLED,
		  "%s is being stopped; what the turn did may be half done",
		  w->name);
	cut_all(&w->running, &e);
	cut_all(&w->ended, &e);
	fail_with(&e, ERR_DRAINING,
		  "%s is being stopped; the turn was not begun", w->name);
	cut_all(&w->waiting, &e);
	if (has_turns && w->outlet.reader.connected)
		loop_set(&w->loop, &w->farewell, FAREWELL_MS, on_farewell_over);
	else
		loop_stop(&w->loop);
}

static void
on_signal(struct loop *l, int signal)
{
	if (signal == SIGTERM)
		stop(container_of(l, struct worker, loop));
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
	list_init(&w->ended);
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
worker_fini(struct worker *w)
{
	struct list *const lists[] = { &w->waiting, &w->running, &w->ended };
	struct node *n;

	if (w->self)
		engine.fini(w->self);
	w->self = NULL;
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
