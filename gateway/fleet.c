#include "gateway/fleet.h"

#include <stdio.h>

#include "proto/log.h"

enum {
	GREET_TIME = 60000, /* ms: a busy worker is no dead one */
	GREET_AGAIN = 1000, /* ms */
};

struct member *
fleet_member(struct fleet *f, struct str name)
{
	for (size_t i = 0; i < f->member_count; i++)
		if (str_is(name, f->members[i].name))
			return &f->members[i];
	return NULL;
}

static bool
add_member(struct fleet *f, struct str name, struct error *e)
{
	struct member *m;

	if (f->member_count == MAX_CHILDREN)
		return fail_with(e, ERR_INVALID, "more than %d workers",
				 MAX_CHILDREN);
	m = &f->members[f->member_count++];
	*m = (struct member){
		.fleet = f,
		.name = copy(name),
		.client = CLIENT_INIT,
		.inlet = INLET_INIT,
		.orders = OUTLET_INIT,
	};
	return true;
}

static bool
add_prefix(struct fleet *f, struct str route, struct error *e)
{
	struct str member, prefix = str_cut(route, '=', &member);
	struct prefix *p;

	if (f->prefix_count == MAX_PREFIXES)
		return fail_with(e, ERR_INVALID, "more than %d prefixes",
				 MAX_PREFIXES);
	p = &f->prefixes[f->prefix_count];
	p->member = member.ptr ? fleet_member(f, member) : NULL;
	if (!p->member || !prefix.len)
		return fail_with(e, ERR_INVALID, "\"" STR_FMT "\" is no route",
				 STR_ARG(route));
	p->name = copy(prefix);
	f->prefix_count++;
	return true;
}

bool
fleet_init(struct fleet *f, const char *workers, const char *routes,
	   struct error *e)
{
	struct str list = str_of(workers), word;

	f->member_count = f->prefix_count = 0;
	while (str_word(&list, &word))
		if (!add_member(f, word, e))
			return false;
	list = str_of(routes);
	while (str_word(&list, &word))
		if (!add_prefix(f, word, e))
			return false;
	return true;
}

static void
on_heard(struct inlet *i, const struct msg *m)
{
	struct member *who = container_of(i, struct member, inlet);

	who->fleet->heard(who, m);
}

static void
on_broken(struct inlet *i, const struct error *e)
{
	struct member *m = container_of(i, struct member, inlet);

	log_warn("worker %s: %s", m->name, e->text);
	m->fleet->broken(m, e);
}

/* All three connections stand, and it is known who is at their ends. */
static void
arrive(struct member *m)
{
	if (m->is_known || !member_is_there(m))
		return;
	m->is_known = true;
	log_info("worker %s: is there", m->name);
	m->fleet->came(m);
}

static void greet(struct member *);

static void
on_again(struct timer *t)
{
	greet(container_of(t, struct member, again));
}

static void
on_present(struct ask *a, const struct msg *reply, const struct error *e)
{
	struct member *m = container_of(a, struct member, greeting);

	if (e || reply->type != MSG_PRESENT) {
		log_warn("worker %s: %s", m->name, e ? e->text : "not PRESENT");
		loop_set(m->fleet->loop, &m->again, GREET_AGAIN, on_again);
		return;
	}
	m->id = reply->body.present.worker;
	arrive(m);
}

static void
greet(struct member *m)
{
	const struct msg_greet greet = {};

	loop_unset(m->fleet->loop, &m->again);
	ask_drop(&m->greeting);
	if (client_is_connected(&m->client))
		client_ask(&m->client, MSG_GREET, &greet, &m->greeting,
			   GREET_TIME, on_present);
}

/*
 * One connection broke, so the others are of no use: orders that are still on
 * their way are for a process that is no more, or will cancel them.
 */
static void
lose(struct member *m)
{
	if (m->is_known)
		log_info("worker %s: is gone", m->name);
	m->is_known = false;
	m->id = 0;
	inlet_renew(&m->inlet);
	outlet_renew(&m->orders);
	m->fleet->lost(m);
	greet(m);
}

static void
on_client(struct client *c)
{
	struct member *m = container_of(c, struct member, client);

	if (client_is_connected(c))
		greet(m);
	else
		lose(m);
}

static void
on_events(struct inlet *i)
{
	struct member *m = container_of(i, struct member, inlet);

	if (i->writer.connected)
		arrive(m);
	else if (m->is_known)
		lose(m);
}

static void
on_orders(struct outlet *o)
{
	struct member *m = container_of(o, struct member, orders);

	if (o->reader.connected)
		arrive(m);
	else if (m->is_known)
		lose(m);
}

static bool
dial(struct member *m, struct loop *loop, const char *directory,
     struct error *e)
{
	static const struct hearing hearing = {
		.self = GATEWAY,
		.peer = WORKER,
		.heard = on_heard,
		.broken = on_broken,
		.changed = on_events,
	};
	char *req auto_free = link_url(directory, m->name, "req");
	char *orders auto_free = link_url(directory, m->name, "orders");
	char *events auto_free = link_url(directory, m->name, "events");

	return inlet_dial(&m->inlet, loop, events, &hearing, e) &&
	       outlet_dial(&m->orders, loop, orders, GATEWAY, on_orders, e) &&
	       client_dial(&m->client, loop, req, GATEWAY, WORKER, on_client,
			   e);
}

bool
fleet_dial(struct fleet *f, struct loop *loop, const char *directory,
	   struct error *e)
{
	f->loop = loop;
	for (size_t i = 0; i < f->member_count; i++)
		if (!dial(&f->members[i], loop, directory, e))
			return false;
	return true;
}

void
fleet_fini(struct fleet *f)
{
	for (size_t i = 0; i < f->member_count; i++) {
		if (timer_is_set(&f->members[i].again))
			loop_unset(f->loop, &f->members[i].again);
		client_fini(&f->members[i].client);
		inlet_fini(&f->members[i].inlet);
		outlet_fini(&f->members[i].orders);
		free(f->members[i].name);
	}
	for (size_t i = 0; i < f->prefix_count; i++)
		free(f->prefixes[i].name);
	f->member_count = f->prefix_count = 0;
}

size_t
fleet_present(const struct fleet *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->member_count; i++)
		n += member_is_there(&f->members[i]);
	return n;
}

static bool
fail_unknown(const struct fleet *f, struct str prefix, struct error *e)
{
	struct buf known = BUF_INIT(64 << 10);

	for (size_t i = 0; i < f->prefix_count; i++)
		buf_print(&known, "%s%s", i ? ", " : "", f->prefixes[i].name);
	fail_with(e, ERR_NO_MODEL,
		  "there is no harness \"%.*s\"; a model is "
		  "<harness>/<model>, and the harnesses are: %.*s",
		  (int)(prefix.len < MAX_NAME ? prefix.len : MAX_NAME),
		  prefix.ptr, (int)known.len, known.ptr ? known.ptr : "");
	buf_fini(&known);
	return false;
}

static const struct prefix *
find_prefix(const struct fleet *f, struct str name)
{
	for (size_t i = 0; i < f->prefix_count; i++)
		if (str_same(name, str_of(f->prefixes[i].name)))
			return &f->prefixes[i];
	return NULL;
}

bool
fleet_find(struct fleet *f, struct str model, struct destination *d,
	   struct error *e)
{
	const struct prefix *p;
	struct str rest, name;

	if (str_starts(model, STR("bridge/")))
		model = str_from(model, strlen("bridge/"));
	name = str_cut(model, '/', &rest);
	p = find_prefix(f, name);
	if (!p)
		return fail_unknown(f, name, e);
	if (rest.len > MAX_MODEL)
		return fail_with(e, ERR_NO_MODEL,
				 "a model's name has up to %d bytes",
				 MAX_MODEL);
	if (!rest.len)
		rest.ptr = NULL;
	*d = (struct destination){ p->member, p->name, rest };
	return true;
}

bool
fleet_has_default(const struct fleet *f, const struct destination *d)
{
	const struct prefix *own = find_prefix(f, str_of(d->member->name));

	return !d->model.ptr && own && own->member == d->member;
}
