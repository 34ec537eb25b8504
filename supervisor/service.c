#include "supervisor/service.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/log.h"
#include "proto/sweep.h"
#include "proto/variables.h"
#include "supervisor/supervisor.h"
#include "workers/needs.h"

enum {			    /* milliseconds */
       HELLO_EARLY = 50,    /* until the start of all services is announced */
       HELLO_CURIOUS = 100, /* while VERIFY waits for a probe */
       LOOK_MS = 1000,
};

enum { FIRST_PROBE = 1 };

static struct service *
service_of(struct child *c)
{
	return container_of(c, struct service, child);
}

/* The conversation */

static void
keep_report(struct report *r, const struct msg_ready *m)
{
	r->running = m->running;
	r->queued = m->queued;
	r->warm = m->warm;
	r->background = m->background;
	r->parked = m->parked;
	r->slots = (struct place_counts){
		.free = (unsigned)m->free_slots,
		.busy = (unsigned)m->busy_slots,
		.warm = (unsigned)m->warm_slots,
		.dead = (unsigned)m->dead_slots,
	};
	r->health = m->health;
	r->probes = m->probes;
	str_keep(r->harness, sizeof r->harness, m->harness);
	str_keep(r->detail, sizeof r->detail, m->detail);
}

static void configure(struct service *);

static void
hear_ready(struct service *w, const struct msg_ready *m)
{
	if (m->version != msg_version() || !str_is(m->name, w->name)) {
		log_error("%s: speaks version %ju as %s: is of another build",
			  w->name, (uintmax_t)m->version, log_quote(m->name));
		child_event(&w->child, ON_WRONG);
		return;
	}
	keep_report(&w->report, m);
	if (w->answer_at && m->probes >= w->answer_at)
		w->wants_probe = false;
	w->child.max_deaths = MAX_DEATHS;
	child_event(&w->child, ON_READY);
	configure(w);
	if (!w->supervisor->announced)
		supervisor_look_soon(w->supervisor);
}

static void
on_answer(struct ask *a, const struct msg *reply, const struct error *e)
{
	struct service *w = container_of(a, struct service, hello);

	if (reply && reply->type == MSG_READY)
		hear_ready(w, &reply->body.ready);
	else if (e && client_is_connected(&w->client))
		log_debug("%s: HELLO: %s", w->name, e->text);
}

/* The process drains first. */
static void
restart(struct service *w)
{
	child_event(&w->child, ON_STOP);
	child_event(&w->child, ON_START);
}

/* A process that died or was too busy gets the settings with its next READY. */
static void
on_configured(struct ask *a, const struct msg *reply, const struct error *e)
{
	struct service *w = container_of(a, struct service, configuring);

	if (!e) {
		log_info("%s: its settings have changed", w->name);
		w->told = w->asked;
		configure(w);
	} else if (e->code == ERR_TIMEOUT || e->code == ERR_WORKER_LOST) {
		log_debug("%s: CONFIGURE: %s", w->name, e->text);
	} else if (child_is_up(&w->child)) {
		log_warn("%s: is restarted to change its settings: %s", w->name,
			 e->text);
		w->told = w->wanted;
		restart(w);
	}
}

static void
configure(struct service *w)
{
	struct buf environment = BUF_INIT(MAX_ENVIRONMENT);
	struct msg_configure m;
	struct error e = { 0 };

	if (w->told == w->wanted || w->configuring.node.next || !w->planned ||
	    !child_is_up(&w->child) || !client_is_connected(&w->client))
		return;
	if (variables_pack(&environment, w->planned->env, &e)) {
		m.environment = buf_str(&environment);
		w->asked = w->wanted;
		client_ask(&w->client, MSG_CONFIGURE, &m, &w->configuring,
			   w->child.hung_ms, on_configured);
	} else {
		log_error("%s: its environment: %s", w->name, e.text);
		w->told = w->wanted;
	}
	buf_fini(&environment);
}

static uint64_t
hello_interval(const struct service *w)
{
	if (w->child.state == CHILD_STARTING || !w->supervisor->announced)
		return HELLO_EARLY;
	if (service_is_verifying(w))
		return HELLO_CURIOUS;
	return w->supervisor->plan->settings.hello_ms;
}

static void
on_hello_time(struct timer *t)
{
	struct service *w = container_of(t, struct service, next_hello);
	const struct msg_hello m = { .version = msg_version() };

	loop_set(&w->supervisor->loop, t, hello_interval(w), on_hello_time);
	if (client_is_connected(&w->client) && !w->hello.node.next)
		client_ask(&w->client, MSG_HELLO, &m, &w->hello,
			   w->child.hung_ms, on_answer);
}

static void
say_hello_now(struct service *w)
{
	loop_set(&w->supervisor->loop, &w->next_hello, 0, on_hello_time);
}

static void
on_connection(struct client *c)
{
	if (client_is_connected(c))
		say_hello_now(container_of(c, struct service, client));
}

static bool
call(struct service *w, struct error *e)
{
	struct supervisor *s = w->supervisor;
	auto_free char *url = link_url(s->instance.run_dir, w->name, "req");

	say_hello_now(w);
	return client_dial(&w->client, &s->loop, url, SUPERVISOR,
			   w->is_worker ? WORKER : GATEWAY, on_connection, e);
}

static void
hang_up(struct service *w)
{
	loop_unset(&w->supervisor->loop, &w->next_hello);
	client_fini(&w->client);
}

/* The verbs of the child */

/* For people.  The launcher's exit codes mean its program, not itself. */
static void
note_exit(struct service *w, int status)
{
	const char *text = process_status_text(status);

	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NOT_FOUND)
		text = "its program is missing";
	else if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NOT_RUNNABLE)
		text = "its program can't be run";
	snprintf(w->last_exit, sizeof w->last_exit, "%s", text);
}

static void
sweep_after(struct service *w)
{
	auto_free char *mark = instance_mark(&w->supervisor->instance, w->name);
	unsigned n = sweep(mark);

	if (n)
		log_warn("%s: had left %u processes: killed", w->name, n);
}

/* Starting it again would not help: the operator must change its settings. */
bool
service_has_wrong_settings(const struct service *w)
{
	int status = w->process.status;

	return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_WRONG_SETTINGS;
}

static void
on_ended(struct process *p)
{
	struct service *w = container_of(p, struct service, process);
	bool wanted =
		child_is_up(&w->child) || w->child.state == CHILD_STARTING;

	note_exit(w, p->status);
	if (wanted)
		log_warn("%s: died: %s", w->name, w->last_exit);
	else
		log_debug("%s: has ended: %s", w->name, w->last_exit);
	hang_up(w);
	sweep_after(w);
	supervisor_reap(w->supervisor);
	child_event(&w->child, ON_EXIT);
	if (service_has_wrong_settings(w))
		child_event(&w->child, ON_DESPAIR);
}

static bool
launch(struct service *w, struct error *e)
{
	struct supervisor *s = w->supervisor;
	auto_free char *program = program_of_ours(w->planned->program);
	const char *argv[] = { program, w->name, NULL };
	const struct spawn spawn = {
		.argv = argv,
		.env = w->planned->env,
		.in = -1,
		.out = STDERR_FILENO,
		.err = STDERR_FILENO,
		.pass = w->is_worker ? -1 : s->listener.fd,
		.death_signal = SIGTERM,
	};

	return process_start(&w->process, &s->loop, &spawn, on_ended, e);
}

static bool
start(struct child *c)
{
	struct service *w = service_of(c);
	struct error e = { 0 };

	w->starts++;
	w->report = (struct report){ .health = HEALTH_UNKNOWN };
	w->answer_at = FIRST_PROBE;
	w->told = w->wanted;
	if (launch(w, &e) && call(w, &e))
		return true;
	log_error("%s: %s", w->name, e.text);
	snprintf(w->last_exit, sizeof w->last_exit, "could not be started");
	hang_up(w);
	process_fini(&w->process);
	return false;
}

static void
end(struct child *c)
{
	process_signal(&service_of(c)->process, SIGTERM);
}

/*
 * A process that can't be asked to drain gets SIGTERM.  One that does not
 * answer keeps its time to drain, and one that has gone needs nothing more.
 */
static void
on_farewell(struct ask *a, const struct msg *reply, const struct error *e)
{
	struct service *w = container_of(a, struct service, farewell);

	if (!e || e->code == ERR_TIMEOUT || e->code == ERR_WORKER_LOST ||
	    w->child.state != CHILD_DRAINING)
		return;
	log_warn("%s: DRAIN: %s", w->name, e->text);
	child_event(&w->child, ON_TIME);
}

static void
drain(struct child *c)
{
	struct service *w = service_of(c);

	client_ask(&w->client, MSG_DRAIN, NULL, &w->farewell, c->drain_ms,
		   on_farewell);
}

static void
kill_it(struct child *c)
{
	process_signal(&service_of(c)->process, SIGKILL);
}

static void
doubt(struct child *c)
{
	struct service *w = service_of(c);

	progress_begin(&w->progress, w->process.pid);
}

static bool
works(struct child *c, uint64_t max_ms)
{
	struct service *w = service_of(c);

	return progress_goes_on(&w->progress, w->process.pid, max_ms);
}

/*
 * The first start is announced in one line for all services; a service that
 * comes up later is worth a line of its own.
 */
static void
say_up(const struct service *w)
{
	void (*say)(const char *, ...) =
		w->supervisor->announced ? log_info : log_debug;

	say("%s: is up, as process %d", w->name, (int)w->process.pid);
}

static void
say_state(const struct service *w)
{
	const struct child *c = &w->child;

	switch (c->state) {
	case CHILD_STARTING:
		log_debug("%s: starting", w->name);
		break;
	case CHILD_RUNNING:
		if (!c->ready_since)
			say_up(w);
		break;
	case CHILD_FAILING:
		log_error("%s: %s: killed", w->name,
			  c->ready_since ? "does not answer"
					 : "does not get ready");
		break;
	case CHILD_DRAINING:
		log_debug("%s: draining", w->name);
		break;
	case CHILD_KILLED:
		log_warn("%s: does not end: killed", w->name);
		break;
	case CHILD_FATAL:
		log_error("%s: died %u time%s in a row, the last time with "
			  "%s: given up, until \"cli-bridge start %s\"",
			  w->name, c->deaths, c->deaths == 1 ? "" : "s",
			  w->last_exit, w->name);
		break;
	case CHILD_STOPPED:
	case CHILD_SILENT:
	case CHILD_ENDING:
	case CHILD_BACKOFF:
	case CHILD_STATES:
		break;
	}
}

static void
changed(struct child *c)
{
	struct service *w = service_of(c);

	say_state(w);
	supervisor_look_soon(w->supervisor);
}

static const struct child_verbs verbs = {
	.start = start,
	.drain = drain,
	.end = end,
	.kill = kill_it,
	.doubt = doubt,
	.works = works,
	.changed = changed,
};

/* Setup and teardown */

struct service *
service_new(struct supervisor *s, const struct planned *planned)
{
	struct service *w = xcalloc(1, sizeof *w);

	w->supervisor = s;
	w->planned = planned;
	w->name = copy(str_of(planned->name));
	w->is_worker = planned->is_worker;
	w->process = PROCESS_INIT;
	w->client = CLIENT_INIT;
	child_init(&w->child, &s->loop, &verbs);
	if (!w->is_worker)
		w->child.max_deaths = MAX_FIRST_DEATHS;
	if (getrandom(&w->child.noise, sizeof w->child.noise, 0) < 0)
		w->child.noise = (uint32_t)getpid();
	service_retime(w);
	return w;
}

void
service_free(struct service *w)
{
	hang_up(w);
	process_fini(&w->process);
	child_fini(&w->child);
	free(w->name);
	free(w);
}

void
service_retime(struct service *w)
{
	w->child.drain_ms = w->supervisor->plan->settings.drain_ms;
	w->child.hung_ms = w->supervisor->plan->settings.hung_ms;
}

/* A service that was stopped by hand, or is being stopped, stays so. */
void
service_replan(struct service *w, const struct planned *planned)
{
	const struct planned *before = w->planned;
	enum child_state state = w->child.state;
	struct error unmet = { 0 };

	w->planned = planned;
	if (!planned) {
		service_stop(w);
		return;
	}
	if (!before || planned_has_same_env(before, planned))
		return;
	w->wanted++;
	if (w->is_dormant)
		(void)service_start(w, &unmet);
	else if (state == CHILD_BACKOFF || state == CHILD_FATAL)
		child_event(&w->child, ON_START); /* the cause may be gone */
	else if ((child_is_up(&w->child) || state == CHILD_STARTING) &&
		 planned_is_another(before, planned))
		restart(w);
	else
		configure(w);
}

/* Starting and stopping */

static void
sleep_until_set_up(struct service *w, const struct error *e)
{
	child_event(&w->child, ON_STOP); /* the child may be in CHILD_FATAL */
	w->is_dormant = true;
	w->report = (struct report){ .health = HEALTH_UNAVAILABLE };
	snprintf(w->report.detail, sizeof w->report.detail, "%s", e->text);
	log_debug("%s: waits: %s", w->name, e->text);
}

void
service_look(struct service *w)
{
	struct error unmet = { 0 };

	if (w->is_dormant && w->planned && !w->supervisor->stopping &&
	    loop_now() - w->looked_at >= LOOK_MS)
		(void)service_start(w, &unmet);
}

bool
service_start(struct service *w, struct error *e)
{
	w->looked_at = loop_now();
	if (w->is_worker && child_is_at_rest(&w->child) &&
	    !needs_are_met(w->name, e)) {
		sleep_until_set_up(w, e);
		return false;
	}
	if (w->is_dormant)
		log_info("%s: what it needs is there now: starting", w->name);
	w->is_dormant = false;
	child_event(&w->child, ON_START);
	return true;
}

void
service_stop(struct service *w)
{
	w->is_dormant = false;
	child_event(&w->child, ON_STOP);
}

void
service_restart(struct service *w)
{
	struct error unmet = { 0 };

	if (child_is_at_rest(&w->child)) {
		(void)service_start(w, &unmet);
		return;
	}
	restart(w);
}

bool
service_is_verifying(const struct service *w)
{
	return w->wants_probe && w->process.pid;
}

/* If the worker has died, its next process probes by itself. */
static void
on_probing(struct ask *a, const struct msg *reply, const struct error *e)
{
	struct service *w = container_of(a, struct service, probe);

	if (reply && reply->type == MSG_PROBING)
		w->answer_at = reply->body.probing.answer;
	else if (e)
		log_debug("%s: PROBE: %s", w->name, e->text);
	say_hello_now(w);
}

/* A worker that is starting probes by itself as soon as it is up. */
bool
service_probe(struct service *w, struct error *e)
{
	struct error unmet = { 0 };

	if (!w->is_worker)
		return fail_with(e, ERR_INVALID, "%s has no harness", w->name);
	if (w->is_dormant && !service_start(w, &unmet))
		return true; /* `report` already says what is missing */
	if (!child_is_up(&w->child) && w->child.state != CHILD_STARTING)
		return fail_with(e, ERR_UNAVAILABLE, "%s is not running",
				 w->name);
	w->wants_probe = true;
	w->answer_at = FIRST_PROBE;
	if (!child_is_up(&w->child))
		return true;
	w->answer_at = 0;
	ask_drop(&w->probe);
	client_ask(&w->client, MSG_PROBE, NULL, &w->probe, w->child.hung_ms,
		   on_probing);
	return true;
}
