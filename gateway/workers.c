#include "gateway/workers.h"

#include <stdio.h>

#include "proto/log.h"

enum {
	GREET_TIME = 60000, /* ms: a busy worker is no dead one */
	GREET_AGAIN = 1000, /* ms */
};

struct worker_link *
workers_link(struct workers *f, struct str name)
{
	for (size_t i = 0; i < f->link_count; i++)
		if (str_is(name, f->links[i].name))
			return &f->links[i];
	return NULL;
}

static bool
add_member(struct workers *f, struct str name, struct error *e)
{
	struct worker_link *m;

	if (f->link_count == MAX_CHILDREN)
		return fail_with(e, ERR_INVALID, "more than %d workers",
				 MAX_CHILDREN);
	m = &f->links[f->link_count++];
	*m = (struct worker_link){
		.workers = f,
		.name = copy(name),
		.client = CLIENT_INIT,
		.inlet = INLET_INIT,
		.orders = OUTLET_INIT,
	};
	order_window_init(&m->window, f->order_window);
	return true;
}

static bool
add_prefix(struct workers *f, struct str route, struct error *e)
{
	struct str link, prefix = str_cut(route, '=', &link);
	struct prefix *p;

	if (f->prefix_count == MAX_PREFIXES)
		return fail_with(e, ERR_INVALID, "more than %d prefixes",
				 MAX_PREFIXES);
	p = &f->prefixes[f->prefix_count];
	p->link = link.ptr ? workers_link(f, link) : NULL;
	if (!p->link || !prefix.len)
		return fail_with(e, ERR_INVALID, "\"" STR_FMT "\" is no route",
				 STR_ARG(route));
	p->name = copy(prefix);
	f->prefix_count++;
	return true;
}

bool
workers_init(struct workers *f, const char *workers, const char *routes,
	     struct error *e)
{
	struct str list = str_of(workers), word;

	f->link_count = f->prefix_count = 0;
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
	struct worker_link *who = container_of(i, struct worker_link, inlet);

	who->workers->heard(who, m);
}

static void
on_bad(struct inlet *i, const struct msg *bad, const struct error *e)
{
	struct worker_link *m = container_of(i, struct worker_link, inlet);
	uint64_t turn = msg_turn(bad);

	log_warn("worker %s: %s", m->name, e->text);
	if (turn)
		m->workers->bad(m, turn, e);
	else
		m->workers->broken(m, e);
}

static void
on_broken(struct inlet *i, const struct error *e)
{
	struct worker_link *m = container_of(i, struct worker_link, inlet);

	log_warn("worker %s: %s", m->name, e->text);
	m->workers->broken(m, e);
}

/* All three connections stand, and it is known who is at their ends. */
static void
arrive(struct worker_link *m)
{
	if (m->is_known || !worker_link_is_up(m))
		return;
	m->is_known = true;
	log_debug("worker %s: is there", m->name);
	m->workers->came(m);
}

static void greet(struct worker_link *);

static void
on_again(struct timer *t)
{
	greet(container_of(t, struct worker_link, again));
}

static void
on_present(struct ask *a, const struct msg *reply, const struct error *e)
{
	struct worker_link *m = container_of(a, struct worker_link, greeting);

	/* The end of its process is no failure: greet() follows its return. */
	if (e && !client_is_connected(&m->client))
		return;
	if (e || reply->type != MSG_PRESENT) {
		log_warn("worker %s: %s", m->name, e ? e->text : "not PRESENT");
		loop_set(m->workers->loop, &m->again, GREET_AGAIN, on_again);
		return;
	}
	m->id = reply->body.present.worker;
	arrive(m);
}

static void
greet(struct worker_link *m)
{
	const struct msg_greet greet = {};

	loop_unset(m->workers->loop, &m->again);
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
lose(struct worker_link *m)
{
	if (m->is_known)
		log_debug("worker %s: is gone", m->name);
	m->is_known = false;
	m->id = 0;
	inlet_renew(&m->inlet);
	outlet_renew(&m->orders);
	order_window_reset(&m->window);
	m->workers->lost(m);
	m->is_leaving = false;
	greet(m);
}

static void
on_client(struct client *c)
{
	struct worker_link *m = container_of(c, struct worker_link, client);

	if (client_is_connected(c))
		greet(m);
	else
		lose(m);
}

static void
on_events(struct inlet *i)
{
	struct worker_link *m = container_of(i, struct worker_link, inlet);

	if (i->writer.connected)
		arrive(m);
	else if (m->is_known)
		lose(m);
}

static void
on_orders(struct outlet *o)
{
	struct worker_link *m = container_of(o, struct worker_link, orders);

	if (o->reader.connected)
		arrive(m);
	else if (m->is_known)
		lose(m);
}

static bool
dial(struct worker_link *m, struct loop *loop, const char *directory,
     struct error *e)
{
	static const struct hearing hearing = {
		.self = GATEWAY,
		.peer = WORKER,
		.heard = on_heard,
		.bad = on_bad,
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
workers_dial(struct workers *f, struct loop *loop, const char *directory,
	     struct error *e)
{
	f->loop = loop;
	for (size_t i = 0; i < f->link_count; i++)
		if (!dial(&f->links[i], loop, directory, e))
			return false;
	return true;
}

void
workers_fini(struct workers *f)
{
	for (size_t i = 0; i < f->link_count; i++) {
		if (timer_is_set(&f->links[i].again))
			loop_unset(f->loop, &f->links[i].again);
		client_fini(&f->links[i].client);
		inlet_fini(&f->links[i].inlet);
		outlet_fini(&f->links[i].orders);
		free(f->links[i].name);
	}
	for (size_t i = 0; i < f->prefix_count; i++)
		free(f->prefixes[i].name);
	f->link_count = f->prefix_count = 0;
}

size_t
workers_present(const struct workers *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->link_count; i++)
		n += worker_link_is_up(&f->links[i]);
	return n;
}

static bool
fail_unknown(const struct workers *f, struct str prefix, struct error *e)
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
find_prefix(const struct workers *f, struct str name)
{
	for (size_t i = 0; i < f->prefix_count; i++)
		if (str_same(name, str_of(f->prefixes[i].name)))
			return &f->prefixes[i];
	return NULL;
}

bool
workers_find(struct workers *f, struct str model, struct destination *d,
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
	*d = (struct destination){ p->link, p->name, rest };
	return true;
}

bool
workers_has_default(const struct workers *f, const struct destination *d)
{
	const struct prefix *own = find_prefix(f, str_of(d->link->name));

	return !d->model.ptr && own && own->link == d->link;
}
