#include "supervisor/supervisor.h"

#include <assert.h>
#include <signal.h>
#include <unistd.h>

#include "proto/log.h"
#include "proto/output.h"
#include "proto/sweep.h"
#include "supervisor/notify.h"
#include "supervisor/roster.h"
#include "supervisor/terminal.h"

#define ACTOR supervisor
#define ROLE SUPERVISOR
#include "proto/role.h"

enum { REACH_TIME = 3000 /* ms */ };

/* Services */

static struct service *
find_service(const struct supervisor *s, struct str name)
{
	for (size_t i = 0; i < s->service_count; i++)
		if (str_is(name, s->services[i]->name))
			return s->services[i];
	return NULL;
}

static bool
is_service(const struct supervisor *s, pid_t pid)
{
	for (size_t i = 0; i < s->service_count; i++)
		if (s->services[i]->process.pid == pid)
			return true;
	return false;
}

static void
reap_orphans(struct orphans *o)
{
	struct supervisor *s = container_of(o, struct supervisor, orphans);
	pid_t pid;

	while ((pid = orphans_next(o)) != 0 && !is_service(s, pid))
		orphans_reap(o, pid);
}

void
supervisor_reap(struct supervisor *s)
{
	reap_orphans(&s->orphans);
}

/* The services of the plan in its order, then those that it no longer has. */
static void
rearrange(struct supervisor *s)
{
	struct service *before[MAX_CHILDREN], *w;
	size_t count = s->service_count;

	memcpy(before, s->services, sizeof before);
	s->service_count = 0;
	for (size_t i = 0; i < s->plan->count; i++) {
		const struct planned *planned = &s->plan->children[i];

		w = NULL;
		for (size_t n = 0; n < count && !w; n++)
			if (!strcmp(before[n]->name, planned->name))
				w = before[n];
		s->services[s->service_count++] =
			w ? w : service_new(s, planned);
	}
	for (size_t n = 0; n < count; n++) {
		if (plan_find(s->plan, before[n]->name))
			continue;
		assert(s->service_count < MAX_CHILDREN);
		s->services[s->service_count++] = before[n];
	}
}

static void
remove_service(struct supervisor *s, size_t at)
{
	log_info("%s: is gone", s->services[at]->name);
	service_free(s->services[at]);
	s->service_count--;
	memmove(&s->services[at], &s->services[at + 1],
		(s->service_count - at) * sizeof *s->services);
}

/* After a change of a service */

static bool
is_gateway_up(const struct supervisor *s)
{
	return s->service_count && child_is_up(&s->services[0]->child);
}

static bool
all_were_tried(const struct supervisor *s)
{
	for (size_t i = 0; i < s->service_count; i++)
		if (!s->services[i]->child.tried &&
		    !child_is_at_rest(&s->services[i]->child))
			return false;
	return true;
}

static size_t
workers_up(const struct supervisor *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->service_count; i++)
		n += s->services[i]->is_worker &&
		     child_is_up(&s->services[i]->child);
	return n;
}

static size_t
workers_dormant(const struct supervisor *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->service_count; i++)
		n += s->services[i]->is_dormant;
	return n;
}

/* The gateway reaches every worker that is up, or had REACH_TIME to do so. */
static bool
gateway_reaches_all(struct supervisor *s)
{
	if (!s->announce_by)
		s->announce_by = loop_now() + REACH_TIME;
	return s->services[0]->report.warm >= workers_up(s) ||
	       loop_now() >= s->announce_by;
}

/* For scripts that wait for the line.  The script may have stopped reading. */
static void
print_ready(const char *url)
{
	auto_free char *line = copy_format("cli-bridge ready at %s\n", url);
	struct output out = OUTPUT_INIT(STDOUT_FILENO);

	if (!output_line(&out, line, strlen(line)))
		log_warn("ready at %s, which could not be written to standard "
			 "output",
			 url);
}

static void
announce(struct supervisor *s)
{
	if (s->announced || s->stopping || !is_gateway_up(s) ||
	    !all_were_tried(s) || !gateway_reaches_all(s))
		return;
	s->announced = true;
	log_info("ready; workers: %zu up, %zu waiting for a CLI or a key, of "
		 "which \"cli-bridge verify\" says more",
		 workers_up(s), workers_dormant(s));
	print_ready(s->listener.url);
	notify("READY=1");
}

static bool
workers_are_down(const struct supervisor *s)
{
	for (size_t i = 0; i < s->service_count; i++)
		if (s->services[i]->is_worker &&
		    !child_is_at_rest(&s->services[i]->child))
			return false;
	return true;
}

/* The gateway goes last: it delivers the last events of the workers. */
static void
go_on_stopping(struct supervisor *s)
{
	if (!workers_are_down(s))
		return;
	if (!s->service_count || child_is_at_rest(&s->services[0]->child))
		loop_stop(&s->loop);
	else
		child_event(&s->services[0]->child, ON_STOP);
}

static void stop(struct supervisor *, enum child_event how);

/* Without a gateway, clients would connect to a socket that nobody serves. */
static void
end_without_gateway(struct supervisor *s)
{
	const struct service *gateway = s->services[0];

	if (s->stopping || gateway->child.state != CHILD_FATAL)
		return;
	fail_with(&s->failure,
		  service_has_wrong_settings(gateway) ? ERR_INVALID
						      : ERR_UNAVAILABLE,
		  "the gateway is given up (%s), and nothing works without it",
		  gateway->last_exit);
	log_error("%s: shutting down", s->failure.text);
	stop(s, ON_STOP);
}

static void
on_look(struct timer *t)
{
	struct supervisor *s = container_of(t, struct supervisor, look);

	for (size_t i = s->service_count; i-- > 0;)
		if (!s->services[i]->planned &&
		    child_is_at_rest(&s->services[i]->child))
			remove_service(s, i);
	announce(s);
	if (s->service_count)
		end_without_gateway(s);
	if (s->stopping)
		go_on_stopping(s);
}

void
supervisor_look_soon(struct supervisor *s)
{
	loop_set(&s->loop, &s->look, 0, on_look);
}

static void
stop(struct supervisor *s, enum child_event how)
{
	log_info(how == ON_HURRY ? "ending at once" : "shutting down");
	notify("STOPPING=1");
	s->stopping = true;
	for (size_t i = 0; i < s->service_count; i++)
		if (s->services[i]->is_worker || how == ON_HURRY)
			child_event(&s->services[i]->child, how);
	supervisor_look_soon(s);
}

/* Reading the configuration */

static void
warn_unknown(const char *name, const char *nearest)
{
	char worker[MAX_NAME + 1];
	bool is_more;

	if (roster_read_own(str_of(name), worker, &is_more))
		return;
	if (nearest)
		log_warn("%s is no setting; did you mean %s?", name, nearest);
	else
		log_warn("%s is no setting; docs/configuration.md names all "
			 "that there are",
			 name);
}

static void
find_mistyped(const struct plan *p)
{
	settings_find_unknown(warn_unknown);
	for (size_t i = 0; i < p->count; i++)
		if (p->children[i].is_worker)
			settings_find_mistyped(p->children[i].name,
					       warn_unknown);
}

static struct plan *
read_plan(struct supervisor *s, struct error *e)
{
	struct plan *p;

	if (!environment_load(s->environment, e))
		return NULL;
	if (s->environment->read)
		log_info("settings are read from %s", s->environment->read);
	if (s->environment->skipped.code)
		log_warn("./.env is not read: %s",
			 s->environment->skipped.text);
	p = plan_new(e);
	if (p)
		find_mistyped(p);
	return p;
}

static void
adopt_plan(struct supervisor *s, struct plan *p)
{
	enum log_level level = LOG_INFO;

	(void)log_level_read(p->settings.log_level, &level);
	log_open("supervisor", level);
	s->plan = p;
}

static void
furnish_plan(struct supervisor *s)
{
	const struct place place = {
		.instance = s->instance.id,
		.run_dir = s->instance.run_dir,
		.data_dir = s->instance.data_dir,
	};

	plan_furnish(s->plan, &place);
}

static void
warn_fixed(const char *variable)
{
	log_warn("%s has changed, which takes effect when cli-bridge is "
		 "started again",
		 variable);
}

static void
start_new(struct supervisor *s, const struct plan *old)
{
	struct error unmet = { 0 };

	for (size_t i = 0; i < s->service_count; i++)
		if (s->services[i]->planned &&
		    !(old && plan_find(old, s->services[i]->name)))
			(void)service_start(s->services[i], &unmet);
}

/* Someone may have installed a CLI, or logged in to it. */
static void
on_wake(struct timer *t)
{
	struct supervisor *s = container_of(t, struct supervisor, wake);

	loop_set(&s->loop, t, s->plan->settings.probe_ms, on_wake);
	for (size_t i = 0; i < s->service_count; i++)
		service_look(s->services[i]);
}

/* Services compare the new plan with the old one, which is freed last. */
static void
carry_out(struct supervisor *s, struct plan *old)
{
	rearrange(s);
	for (size_t i = 0; i < s->service_count; i++) {
		struct service *w = s->services[i];

		service_retime(w);
		service_replan(w, plan_find(s->plan, w->name));
	}
	start_new(s, old);
	loop_set(&s->loop, &s->wake, s->plan->settings.probe_ms, on_wake);
	plan_free(old);
}

/* Services that the new plan no longer has count until they have stopped. */
static bool
has_room(const struct supervisor *s, const struct plan *new, struct error *e)
{
	size_t count = new->count;

	for (size_t i = 0; i < s->service_count; i++)
		count += !plan_find(new, s->services[i]->name);
	return count <= MAX_CHILDREN ||
	       fail_with(e, ERR_INVALID,
			 "%zu processes are too many at once: %d can be", count,
			 MAX_CHILDREN);
}

/* A configuration with an error changes nothing, not even the environment. */
static void
keep_configuration(struct supervisor *s, struct plan *refused,
		   const struct error *e)
{
	log_error("the configuration stays as it was: %s", e->text);
	plan_free(refused);
	environment_undo(s->environment);
}

static void
reload(struct supervisor *s)
{
	struct plan *old = s->plan, *new;
	struct error e = { 0 };

	new = read_plan(s, &e);
	if (!new || !listener_fits(&s->listener, new->settings.bearer, &e) ||
	    !has_room(s, new, &e)) {
		keep_configuration(s, new, &e);
		return;
	}
	log_info("the configuration was read again");
	settings_find_fixed(&old->settings, &new->settings, warn_fixed);
	adopt_plan(s, new);
	furnish_plan(s);
	carry_out(s, old);
}

/* Signals and requests */

static void
on_signal(struct loop *l, int signal)
{
	struct supervisor *s = container_of(l, struct supervisor, loop);

	if (signal != SIGHUP)
		stop(s, s->stopping ? ON_HURRY : ON_STOP);
	else if (s->stopping)
		return; /* the kernel and the shell may both have sent one */
	else if (s->has_terminal && !terminal_is_there())
		stop(s, ON_STOP);
	else
		reload(s);
}

static void
on_request(struct server *server, const struct msg *m)
{
	supervisor_hear(container_of(server, struct supervisor, server), m);
}

static void
refuse_unknown(struct supervisor *s, struct str name)
{
	struct error e;

	fail_with(&e, ERR_NOT_FOUND, "no such process: " STR_FMT,
		  STR_ARG(name));
	server_refuse(&s->server, &e);
}

static struct str
or_absent(const char *text)
{
	return str_of(*text ? text : NULL);
}

static void
describe(const struct service *w, struct msg_child *m)
{
	const struct report *r = &w->report;

	*m = (struct msg_child){
		.name = str_of(w->name),
		.state = str_of(child_state_name(w->child.state)),
		.pid = (uint64_t)w->process.pid,
		.since = w->child.since,
		.starts = w->starts,
		.role = w->is_worker,
		.health = HEALTH_UNKNOWN,
		.last_exit = or_absent(w->last_exit),
	};
	if (!w->process.pid && !w->is_dormant)
		return;
	m->running = r->running;
	m->queued = r->queued;
	m->warm = w->is_worker ? r->warm : 0;
	m->background = w->is_worker ? r->background : 0;
	m->parked = w->is_worker ? r->parked : 0;
	m->free_slots = r->slots.free;
	m->busy_slots = r->slots.busy;
	m->warm_slots = r->slots.warm;
	m->dead_slots = r->slots.dead;
	m->health = r->health;
	if (w->is_worker && service_is_verifying(w))
		m->role = 2;
	m->harness = or_absent(r->harness);
	m->detail = or_absent(r->detail);
}

static void
supervisor_on_status(struct supervisor *s, const struct msg_status *m)
{
	struct msg_child row;
	struct error e;

	if (m->index >= s->service_count) {
		fail_with(&e, ERR_NOT_FOUND, "there are %zu", s->service_count);
		server_refuse(&s->server, &e);
		return;
	}
	service_look(s->services[m->index]);
	describe(s->services[m->index], &row);
	reply_child(&s->server, &row);
}

/* Returns NULL, after REFUSED, if no service can carry out the order. */
static struct service *
find_ordered(struct supervisor *s, struct str name)
{
	struct service *w = find_service(s, name);
	struct error e;

	if (!w) {
		refuse_unknown(s, name);
		return NULL;
	}
	if (s->stopping || !w->planned) {
		if (s->stopping)
			fail_with(&e, ERR_DRAINING, "shutting down");
		else
			fail_with(&e, ERR_DRAINING, "%s is being removed",
				  w->name);
		server_refuse(&s->server, &e);
		return NULL;
	}
	return w;
}

static void
supervisor_on_start(struct supervisor *s, const struct msg_start *m)
{
	struct service *w = find_ordered(s, m->name);
	struct error e = { 0 };

	if (!w)
		return;
	if (service_start(w, &e))
		reply_done(&s->server, NULL);
	else
		server_refuse(&s->server, &e);
}

static void
supervisor_on_stop(struct supervisor *s, const struct msg_stop *m)
{
	struct service *w = find_service(s, m->name);
	struct error e;

	/* Clients would wait in a socket that nobody serves. */
	if (w && !w->is_worker) {
		fail_with(&e, ERR_CONFLICT,
			  "it is stopped with shutdown, or restarted with "
			  "restart");
		server_refuse(&s->server, &e);
		return;
	}
	w = find_ordered(s, m->name);
	if (!w)
		return;
	reply_done(&s->server, NULL);
	service_stop(w);
}

static void
supervisor_on_restart(struct supervisor *s, const struct msg_restart *m)
{
	struct service *w = find_ordered(s, m->name);
	struct error e = { 0 };

	if (w && child_is_at_rest(&w->child) && !service_start(w, &e)) {
		server_refuse(&s->server, &e);
	} else if (w) {
		reply_done(&s->server, NULL);
		service_restart(w);
	}
}

static void
supervisor_on_verify(struct supervisor *s, const struct msg_verify *m)
{
	struct service *w = find_service(s, m->name);
	struct error e = { 0 };

	if (!w)
		refuse_unknown(s, m->name);
	else if (service_probe(w, &e))
		reply_done(&s->server, NULL);
	else
		server_refuse(&s->server, &e);
}

static void
supervisor_on_shutdown(struct supervisor *s, const struct msg_shutdown *m)
{
	reply_done(&s->server, NULL);
	if (!s->stopping)
		stop(s, ON_STOP);
}

/* Setup and teardown */

static bool
take_place(struct supervisor *s, struct error *e)
{
	const struct settings *settings = &s->plan->settings;

	return instance_take(&s->instance, settings->data_dir, e) &&
	       listener_open(&s->listener, settings->host, settings->port, e) &&
	       listener_fits(&s->listener, settings->bearer, e);
}

static bool
open_control(struct supervisor *s, struct error *e)
{
	auto_free char *url =
		link_url(s->instance.run_dir, "supervisor", "req");

	return server_listen(&s->server, &s->loop, url, SUPERVISOR, VISITOR,
			     on_request, e);
}

bool
supervisor_init(struct supervisor *s, struct environment *environment,
		struct error *e)
{
	struct plan *p;

	*s = SUPERVISOR_INIT;
	s->has_terminal = terminal_ends_us();
	s->environment = environment;
	p = read_plan(s, e);
	if (!p)
		return false;
	adopt_plan(s, p);
	if (!loop_init(&s->loop, e) ||
	    !loop_catch_signals(&s->loop, on_signal, e) ||
	    !orphans_watch(&s->orphans, &s->loop, reap_orphans, e) ||
	    !take_place(s, e) || !open_control(s, e))
		return false;
	log_info("version " VERSION " at %s, with %s", s->listener.url,
		 s->instance.data_dir);
	furnish_plan(s);
	carry_out(s, NULL);
	return true;
}

bool
supervisor_run(struct supervisor *s, struct error *e)
{
	if (!loop_run(&s->loop, e))
		return false;
	*e = s->failure;
	return !e->code;
}

void
supervisor_end(struct supervisor *s)
{
	auto_free char *mark = instance_mark(&s->instance, NULL);

	for (size_t i = 0; i < s->service_count; i++)
		process_fini(&s->services[i]->process);
	if (s->instance.lock >= 0)
		(void)sweep(mark);
}

void
supervisor_fini(struct supervisor *s)
{
	while (s->service_count)
		service_free(s->services[--s->service_count]);
	server_fini(&s->server);
	listener_fini(&s->listener);
	instance_fini(&s->instance);
	plan_free(s->plan);
	loop_unset(&s->loop, &s->look);
	loop_unset(&s->loop, &s->wake);
	orphans_fini(&s->orphans);
	loop_fini(&s->loop);
}
