/* What the containers of a pool may reach, where <NAME>_NET says that. */
#include <stdio.h>

#include "proto/ours.h"
#include "workers/executor/docker/control.h"
#include "workers/executor/docker/pool.h"
#include "workers/executor/docker/slot_orders.h"
#include "workers/executor/docker/way.h"
#include "workers/executor/host.h"

enum {
	ROUND_MS = 20000, /* until it is looked again what did not answer */
	AGAIN_MS = 60000, /* the same, of hosts that could not be reached */
	MAX_NAMED = 4,	  /* hosts in a warning */
};

static const struct allowed *
allowed_of(const struct docker *d)
{
	return &d->terms.settings.allowed;
}

/* Hosts that cannot be reached: the machine may have no network itself.  One
 * slot asks for all slots, as the way is the same. */

static void
tell_owner(struct docker *d)
{
	if (d->executor.changed)
		d->executor.changed(d->executor.owner);
}

static char *
target_of(const struct allowed_host *h)
{
	return copy_format("%s:%u", h->name, allowed_port(h));
}

static struct slot *
any_slot(const struct docker *d)
{
	for (size_t i = 0; i < d->count; i++)
		if (slot_is_up(&d->slots[i]))
			return &d->slots[i];
	return NULL;
}

static timer_fn on_round_due;

/* A name that stands for all below it is no host. */
static void
ask(struct docker *d, struct slot *s)
{
	const struct allowed *a = allowed_of(d);

	d->reach.has_begun = true;
	for (size_t i = 0; i < a->count; i++) {
		auto_free char *host = target_of(&a->of[i]);

		d->reach.is_told[i] = a->of[i].is_below;
		if (!d->reach.is_told[i])
			control_order(s, "probe %d %s", WAY_PORT, host);
	}
	loop_set(d->terms.loop, &d->reach.clock, ROUND_MS, on_round_due);
}

static void
on_round_due(struct timer *t)
{
	struct docker *d = container_of(t, struct docker, reach.clock);
	struct slot *s = any_slot(d);

	d->reach.has_begun = false;
	if (s)
		ask(d, s);
}

void
docker_net_look(struct docker *d)
{
	struct slot *s =
		d->terms.egress && !d->reach.has_begun ? any_slot(d) : NULL;

	if (s)
		ask(d, s);
}

static void
end_round(struct docker *d)
{
	const struct allowed *a = allowed_of(d);
	bool any_fails = false;

	for (size_t i = 0; i < a->count; i++) {
		if (!d->reach.is_told[i])
			return;
		any_fails |= d->reach.fails[i];
	}
	if (any_fails)
		loop_set(d->terms.loop, &d->reach.clock, AGAIN_MS,
			 on_round_due);
	else
		loop_unset(d->terms.loop, &d->reach.clock);
}

static void
on_probed(struct slot_terms *t, struct str host, struct str status)
{
	struct docker *d = docker_of(t->whole);
	const struct allowed *a = allowed_of(d);
	bool fails = !str_is(status, "200"), is_news = false;

	for (size_t i = 0; i < a->count; i++) {
		auto_free char *target = target_of(&a->of[i]);

		if (a->of[i].is_below || !str_is(host, target))
			continue;
		is_news |= d->reach.fails[i] != fails;
		d->reach.fails[i] = fails;
		d->reach.is_told[i] = true;
	}
	end_round(d);
	if (is_news)
		tell_owner(d);
}

char *
docker_net_warning(const struct executor *x)
{
	const struct docker *d = docker_of(x);
	const struct allowed *a = allowed_of(d);
	struct buf text = BUF_INIT(MAX_DETAIL);
	size_t fails = 0;
	char *whole;

	for (size_t i = 0; d->terms.egress && i < a->count; i++) {
		auto_free char *target = target_of(&a->of[i]);

		if (d->reach.fails[i] && fails++ < MAX_NAMED)
			buf_print(&text, "%s%s",
				  fails > 1 ? ", "
					    : "its containers cannot reach ",
				  target);
	}
	if (fails > MAX_NAMED)
		buf_print(&text, " and %zu more", fails - MAX_NAMED);
	whole = fails ? copy(buf_str(&text)) : NULL;
	buf_fini(&text);
	return whole;
}

/* The way out */

/* Turns are told what is wrong with it, and wait where nothing is. */
static void
on_changed(struct egress *g)
{
	struct docker *d = container_of(g, struct docker, egress);

	for (size_t i = 0; i < d->count; i++) {
		struct slot *s = &d->slots[i];

		if (s->state == SLOT_UP || way_waits(s))
			way_note_trouble(s);
		if (egress_is_up(g))
			way_go_on(s);
	}
	d->terms.changed(&d->terms);
}

bool
docker_net_init(struct docker *d, struct error *e)
{
	const struct allowed *a = allowed_of(d);
	auto_free char *slots = NULL, *directory = NULL;

	if (!a->count)
		return true;
	slots = ours_make_path(d->data_dir, "slots", d->terms.name, e);
	directory = copy_format("%s/proxy", slots ? slots : "");
	if (!slots || !host_executor.make_directory(NULL, directory, e))
		return false;
	d->terms.egress = &d->egress;
	d->terms.probed = on_probed;
	way_set_variables(a, &d->terms.variables);
	d->reach.fails = xcalloc(a->count, sizeof *d->reach.fails);
	d->reach.is_told = xcalloc(a->count, sizeof *d->reach.is_told);
	egress_init(&d->egress, d->terms.loop, a, d->terms.mark, directory,
		    on_changed);
	return true;
}

/* All slots are there. */
bool
docker_net_begin(struct docker *d, struct error *e)
{
	if (!d->terms.egress)
		return true;
	for (size_t i = 0; i < d->count; i++) {
		auto_free char *path =
			copy_format("%s/slots/%s/%zu/net/" WAY_SOCKET,
				    d->data_dir, d->terms.name, i);

		if (strlen(path) > MAX_SOCKET_PATH_BYTES)
			return fail_with(e, ERR_NOT_SET_UP,
					 "%s is too long for the name of a "
					 "socket: choose a BRIDGE_DATA_DIR "
					 "with a shorter path",
					 path);
		egress_add_socket(&d->egress, path);
	}
	egress_begin(&d->egress);
	return true;
}

void
docker_net_fini(struct docker *d)
{
	if (!d->terms.egress)
		return;
	loop_unset(d->terms.loop, &d->reach.clock);
	egress_fini(&d->egress);
	words_fini(&d->terms.variables);
	free(d->reach.fails);
	free(d->reach.is_told);
}
