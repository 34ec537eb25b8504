#include "workers/executor/docker/docker.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "proto/log.h"
#include "workers/executor/docker/control.h"
#include "workers/executor/docker/inlet.h"
#include "workers/executor/docker/pool.h"
#include "workers/executor/docker/run.h"
#include "workers/executor/docker/tidy.h"
#include "workers/executor/docker/way.h"
#include "workers/executor/host.h"
#include "workers/needs.h"

/* Programs */

/* What is in the image is known to the slots. */
static char *
find(struct executor *x, const char *harness)
{
	return needs_program_name(harness);
}

static bool
start_in_slot(struct executor *x, struct process *p, struct loop *loop,
	      const struct spawn *how, void (*ended)(struct process *),
	      struct error *e)
{
	struct slot *s = slot_of_place(x);

	copies_renew(&s->mounts.copies, &s->terms->settings);
	return run_start(s, p, how, ended, e);
}

static void
signal_in_slot(struct executor *x, const struct process *p, int signal)
{
	struct run *r = run_of(slot_of_place(x), p);

	if (r)
		run_signal(r, signal);
}

static void
end_in_slot(struct executor *x, struct process *p)
{
	struct run *r = run_of(slot_of_place(x), p);

	if (r)
		run_forget(r);
	p->pid = 0;
}

/* In any slot: a look at the program is the same in each. */
static bool
start(struct executor *x, struct process *p, struct loop *loop,
      const struct spawn *how, void (*ended)(struct process *), struct error *e)
{
	struct executor *place = x->place(x, NULL, e);

	return place && place->start(place, p, loop, how, ended, e);
}

static struct run *
find_run(const struct executor *x, const struct process *p)
{
	const struct docker *d = docker_of(x);
	struct run *r = NULL;

	for (size_t i = 0; i < d->count && !r; i++)
		r = run_of(&d->slots[i], p);
	return r;
}

static void
signal_to(struct executor *x, const struct process *p, int signal)
{
	struct run *r = find_run(x, p);

	if (r)
		run_signal(r, signal);
}

static void
end(struct executor *x, struct process *p)
{
	struct run *r = find_run(x, p);

	if (r)
		run_forget(r);
	p->pid = 0;
}

/* A slot is proven clean whenever a run has ended in it, which kills more than
 * the mark tells. */
static unsigned
sweep_up(struct executor *x, const char *mark,
	 bool (*is_over)(void *, uint64_t), void *arg)
{
	return 0;
}

/* What is about the machine is not true in a container. */
static void
adapt(struct executor *x, struct words *environment)
{
	static const char *const machine[] = {
		"HOME",	      "PATH",	       "SHELL",
		"USER",	      "LOGNAME",       "TMPDIR",
		"TMP",	      "TEMP",	       "NVM_DIR",
		"NVM_BIN",    "PNPM_HOME",     "BUN_INSTALL",
		"VOLTA_HOME", "SSH_AUTH_SOCK", "DBUS_SESSION_BUS_ADDRESS",
	};
	struct words kept = { 0 };

	for (size_t i = 0; i < environment->len; i++) {
		struct str value, name = str_cut(str_of(environment->ptr[i]),
						 '=', &value);
		bool is_machines = str_starts(name, STR("XDG_"));

		for (size_t k = 0; k < sizeof machine / sizeof *machine; k++)
			is_machines |= str_is(name, machine[k]);
		is_machines |=
			docker_of(x)->terms.egress && way_is_variable(name);
		if (!is_machines)
			words_add(&kept, environment->ptr[i]);
	}
	words_print(&kept, "HOME=%s", docker_of(x)->terms.home);
	words_fini(environment);
	*environment = kept;
}

/* Without a network, what a CLI asks is answered in its own container; with
 * <NAME>_NET it reaches what the operator has named, and could not answer
 * without its vendor. */
static bool
is_sealed(struct executor *x, struct error *e)
{
	const struct docker *d = docker_of(x);
	auto_free char *net = NULL, *variable = NULL;

	if (d->terms.settings.allowed.count ||
	    (d->terms.settings.network &&
	     !strcmp(d->terms.settings.network, "none")))
		return true;
	net = settings_variable("", d->terms.name, "NET");
	variable = settings_variable("", d->terms.name, "DOCKER_NETWORK");
	return fail_about(
		e, ERR_MODE,
		"mode: the containers of %s reach whatever their network "
		"does: set %s=allow: and the hosts of its vendor, or %s=none",
		d->terms.name, net, variable);
}

/* Ports: a container's network may be its own. */

static char *
socket_of(const struct executor *place, unsigned port)
{
	return copy_format("%s/%u.sock", place->scratch, port);
}

static char *
reach(struct executor *place, unsigned port)
{
	char *path = socket_of(place, port);

	control_order(slot_of_place(place), "forward %u %s", port, path);
	return path;
}

static void
leave(struct executor *place, unsigned port)
{
	control_order(slot_of_place(place), "unforward %u", port);
}

/* Programs that use a proxy reach 127.0.0.1 by it, too, where the operator has
 * allowed something there. */
static const char *
direct_name(const struct docker *d)
{
	static const char *const names[] = { "127.0.0.1", "localhost" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (allowed_is_direct(&d->terms.settings.allowed, names[i]))
			return names[i];
	return NULL;
}

static char *
expose(struct executor *place, unsigned port, struct error *e)
{
	struct slot *s = slot_of_place(place);
	const struct docker *d = docker_of(s->terms->whole);
	const char *name = direct_name(d);
	auto_free char *net = settings_variable("", d->terms.name, "NET");
	auto_free char *path =
		copy_format("%s/slots/%s/%u/net/" INLET_SOCKET, d->data_dir,
			    d->terms.name, s->number);

	if (!name)
		fail_with(e, ERR_NOT_SET_UP,
			  "%s allows 127.0.0.1 and localhost, by the proxy, so "
			  "the containers cannot reach the caller's tools "
			  "there: allow one of the two",
			  net);
	else if (!s->inlet_port)
		fail_with(e, ERR_UNAVAILABLE,
			  "slot %u of %s is being replaced: try again",
			  s->number, d->terms.name);
	else if (!s->inlet)
		s->inlet = inlet_new(s->terms->loop, path, port, e);
	return name && s->inlet_port && s->inlet
		       ? copy_format("%s:%u", name, s->inlet_port)
		       : NULL;
}

/* An engine that does not answer for one slot may not for those either that no
 * turn would show it of. */
static void
watch_all(struct docker *d)
{
	bool is_in_trouble = false;

	for (size_t i = 0; i < d->count; i++)
		is_in_trouble |= d->slots[i].trouble.code &&
				 d->slots[i].is_pools_trouble;
	d->terms.is_in_trouble = is_in_trouble;
	for (size_t i = 0; i < d->count && is_in_trouble; i++)
		control_watch(&d->slots[i]);
}

static void
on_changed(struct slot_terms *t)
{
	struct docker *d = docker_of(t->whole);

	docker_net_look(d);
	watch_all(d);
	if (d->executor.changed)
		d->executor.changed(d->executor.owner);
}

/* Where we are ourselves */

/* The engine makes this file in each container. */
#define IN_CONTAINER "/.dockerenv"

enum { AGAIN_MS = 2000 /* until the engine is asked again */ };

static timer_fn look_at_self;

/* The engine knows our folders by other names. */
static bool
mount_anew(struct docker *d, struct error *e)
{
	for (unsigned n = 0; n < d->count; n++) {
		mounts_fini(&d->slots[n].mounts);
		if (!docker_mounts(d, n, &d->slots[n].mounts, e))
			return false;
	}
	return true;
}

/* Nothing of the pool can be there without that. */
static void
note_trouble(struct docker *d, const struct error *e)
{
	if (strcmp(d->slots[0].trouble.text, e->text) != 0)
		log_warn("%s", e->text);
	for (size_t i = 0; i < d->count; i++) {
		d->slots[i].trouble = *e;
		d->slots[i].is_pools_trouble = true;
	}
	loop_set(d->terms.loop, &d->again, AGAIN_MS, look_at_self);
	on_changed(&d->terms);
}

/* Only now, when no container of this process is among them. */
static void
on_tidied(void *arg, const struct error *e)
{
	struct docker *d = arg;

	d->tidying = NULL;
	if (e) {
		note_trouble(d, e);
		return;
	}
	for (size_t i = 0; i < d->count; i++)
		slot_begin(&d->slots[i]);
}

static void
tidy_up(struct docker *d)
{
	d->tidying = tidy(d->terms.api, d->terms.mark, on_tidied, d);
}

/* A container with another host name than its id is not found: then it must
 * have its folders at the same paths as the engine's machine. */
static void
on_self(void *arg, int status, json_t *answer, const struct error *e)
{
	struct docker *d = arg;
	struct error why = { 0 };

	d->call = NULL;
	if (status == 404)
		log_warn("this is a container that the engine does not know by "
			 "its host name: its folders must be at the same paths "
			 "as on the engine's machine");
	else if (docker_agrees(status, answer, e, &why))
		mounts_read(&d->self, answer);
	if (why.code || (d->self.count && !mount_anew(d, &why)))
		note_trouble(d, &why);
	else
		tidy_up(d);
}

static void
look_at_self(struct timer *t)
{
	struct docker *d = container_of(t, struct docker, again);
	char name[MAX_NAME + 1] = { 0 };
	auto_free char *escaped = NULL, *path = NULL;

	if (access(IN_CONTAINER, F_OK) < 0 ||
	    gethostname(name, sizeof name - 1) < 0) {
		tidy_up(d);
		return;
	}
	mounts_fini(&d->self);
	escaped = docker_escape(name);
	path = copy_format("/containers/%s/json", escaped);
	d->call = docker_ask(d->terms.api, "GET", path, NULL, on_self, d);
}

/* Its beginning and end */

static bool
make_slot(struct docker *d, unsigned n, struct error *e)
{
	struct slot *s = &d->slots[n];
	struct mounts m = { 0 };

	if (!docker_mounts(d, n, &m, e)) {
		mounts_fini(&m);
		return false;
	}
	s->executor = docker_slot_files;
	s->executor.scratch = copy(str_of(m.of[0].target));
	host_clear_scratch(s->executor.scratch);
	s->executor.is_free = docker_place_is_free;
	s->executor.hold = docker_places.hold;
	s->executor.release = docker_places.release;
	s->executor.number = docker_places.number;
	s->executor.find = find;
	s->executor.start = start_in_slot;
	s->executor.signal = signal_in_slot;
	s->executor.end = end_in_slot;
	s->executor.sweep = sweep_up;
	s->executor.reach = reach;
	s->executor.leave = leave;
	s->executor.expose = expose;
	slot_init(s, &d->terms, n, &m);
	d->count++;
	return true;
}

static bool
make_slots(struct docker *d, struct error *e)
{
	unsigned size = d->terms.settings.size;
	auto_free char *path =
		copy_format("%s/slots/%s/sessions", d->data_dir, d->terms.name);

	d->slots = xcalloc(size, sizeof *d->slots);
	for (unsigned n = 0; n < size; n++)
		if (!make_slot(d, n, e))
			return false;
	affinity_init(&d->affinity, d->terms.settings.is_per_slot ? path : NULL,
		      size);
	for (unsigned n = 0; n < size; n++)
		d->slots[n].sessions = affinity_count(&d->affinity, n);
	loop_set(d->terms.loop, &d->again, 0, look_at_self);
	d->executor.scratch = copy(str_of(d->slots[0].executor.scratch));
	return true;
}

/* Their input ends with us only once we have it. */
static bool
is_any_made(const struct docker *d)
{
	for (size_t i = 0; i < d->count; i++)
		if (slot_is_being_made(&d->slots[i]))
			return true;
	return false;
}

static void
docker_free(struct executor *x)
{
	struct docker *d = docker_of(x);
	bool is_one_made = is_any_made(d);

	if (d->call)
		docker_drop(d->call);
	if (d->tidying)
		tidy_drop(d->tidying);
	if (d->terms.loop)
		loop_unset(d->terms.loop, &d->again);
	docker_net_fini(d);
	for (size_t i = 0; i < d->count; i++) {
		slot_fini(&d->slots[i]);
		free(d->slots[i].executor.scratch);
	}
	free(d->slots);
	if (d->terms.api)
		docker_api_free(d->terms.api);
	if (is_one_made)
		tidy_at_end(d->host, d->terms.mark);
	if (d->affinity.slots)
		affinity_fini(&d->affinity);
	docker_settings_fini(&d->terms.settings);
	mounts_fini(&d->self);
	free(d->executor.scratch);
	free(d->terms.mark);
	free(d->terms.program);
	free(d->terms.home);
	free(d->terms.uid_gid);
	free(d->terms.lacking);
	free(d->host);
	free(d->home);
	free(d->root);
	free(d->data_dir);
	free(d);
}

/* Whoever has changed something may have mended what is the matter. */
static bool
configure(struct executor *x, const struct harness_settings *settings)
{
	struct docker *d = docker_of(x);

	for (size_t i = 0; i < d->count; i++)
		slot_hurry(&d->slots[i]);
	return false;
}

static void
set_functions(struct executor *x)
{
	*x = docker_files;
	x->free = docker_free;
	x->place = docker_places.place;
	x->is_free = docker_places.is_free;
	x->count = docker_places.count;
	x->describe = docker_places.describe;
	x->find = find;
	x->start = start;
	x->signal = signal_to;
	x->end = end;
	x->sweep = sweep_up;
	x->adapt = adapt;
	x->configure = configure;
	x->warning = docker_net_warning;
	x->is_sealed = is_sealed;
}

static bool
init(struct docker *d, const struct executor_plan *plan, struct error *e)
{
	struct slot_terms *t = &d->terms;

	t->whole = &d->executor;
	t->loop = plan->loop;
	t->name = plan->name;
	t->mark = copy(str_of(plan->mark));
	t->program = needs_program_name(plan->name);
	t->changed = on_changed;
	slot_terms_init(t);
	d->host = copy(str_of(plan->docker_host));
	if (!docker_settings_read(&t->settings, plan->settings, plan->name, e))
		return false;
	t->uid_gid = copy_format("%u:%u", t->settings.uid, t->settings.gid);
	t->api = docker_api_new(plan->loop, plan->docker_host, e);
	if (!t->api || !docker_folders(d, plan, e) || !docker_net_init(d, e))
		return false;
	d->executor.workspace = d->root;
	d->executor.has_logins = t->settings.is_per_slot;
	log_info("%s executor: docker pool size=%u image=%s", t->name,
		 t->settings.size, t->settings.image);
	return make_slots(d, e) && docker_net_begin(d, e);
}

struct executor *
docker_new(const struct executor_plan *plan, struct error *e)
{
	struct docker *d = xcalloc(1, sizeof *d);

	set_functions(&d->executor);
	if (init(d, plan, e))
		return &d->executor;
	docker_free(&d->executor);
	return NULL;
}
