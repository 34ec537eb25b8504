#include "gateway/workers.h"

#include <stdio.h>
#include <unistd.h>

#include "proto/log.h"

enum {
	GREET_MS = 15000,      /* a busy worker may take long to answer */
	GREET_AGAIN_MS = 1000, /* after a failure */
};

struct worker_link *
workers_at(struct workers *f, size_t i)
{
	struct worker_link *m = &f->links[i];

	return m->name && !m->is_retired ? m : NULL;
}

/* A link with that name, retired or not. */
static struct worker_link *
find_any(struct workers *f, struct str name)
{
	for (size_t i = 0; i < MAX_CHILDREN; i++)
		if (f->links[i].name && str_is(name, f->links[i].name))
			return &f->links[i];
	return NULL;
}

struct worker_link *
workers_link(struct workers *f, struct str name)
{
	struct worker_link *m = find_any(f, name);

	return m && !m->is_retired ? m : NULL;
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

/* All three connections are there, and the worker has said its id. */
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
static void free_if_gone(struct worker_link *);

static void
on_again(struct timer *t)
{
	greet(container_of(t, struct worker_link, again));
}

static void
on_present(struct ask *a, const struct msg *reply, const struct error *e)
{
	struct worker_link *m = container_of(a, struct worker_link, greeting);

	/* When its process ends, GREET is sent again after the next connection.
	 * A connection that is there and over which nothing is answered may
	 * never be of use: the next one is. */
	if (e && !client_is_connected(&m->client))
		return;
	if (e || reply->type != MSG_PRESENT) {
		log_warn("worker %s: %s", m->name, e ? e->text : "not PRESENT");
		loop_set(m->workers->loop, &m->again, GREET_AGAIN_MS, on_again);
		if (e && e->code == ERR_TIMEOUT)
			client_renew(&m->client);
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
			   GREET_MS, on_present);
}

/*
 * When one connection has ended the other two are renewed: orders that are
 * still on their way are for a process that has ended, or that cancels them.
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
	free_if_gone(m);
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
dial(struct worker_link *m, struct error *e)
{
	static const struct hearing hearing = {
		.self = GATEWAY,
		.peer = WORKER,
		.heard = on_heard,
		.bad = on_bad,
		.broken = on_broken,
		.changed = on_events,
	};
	struct loop *loop = m->workers->loop;
	const char *directory = m->workers->directory;
	char *req auto_free = link_url(directory, m->name, "req");
	char *orders auto_free = link_url(directory, m->name, "orders");
	char *events auto_free = link_url(directory, m->name, "events");

	m->is_dialled = true;
	return inlet_dial(&m->inlet, loop, events, &hearing, e) &&
	       outlet_dial(&m->orders, loop, orders, GATEWAY, on_orders, e) &&
	       client_dial(&m->client, loop, req, GATEWAY, WORKER, on_client,
			   e);
}

/* Of a worker's sockets that for requests is the last to be there. */
static bool
has_sockets(const struct worker_link *m)
{
	auto_free char *path =
		copy_format("%s/%s.req", m->workers->directory, m->name);

	return access(path, F_OK) == 0;
}

/* If nobody tells of arrivals, all are dialled. */
static bool
dial_if_there(struct worker_link *m, struct error *e)
{
	bool waits = m->workers->arrivals.watch.fd >= 0 && !has_sockets(m);

	return m->is_dialled || waits || dial(m, e);
}

/* A dialer that has found nobody for long tries seldom. */
static void
hurry(struct worker_link *m)
{
	presence_hurry(&m->client.server);
	presence_hurry(&m->inlet.writer);
	presence_hurry(&m->orders.reader);
}

static void
on_arrival(struct arrivals *a)
{
	struct workers *f = container_of(a, struct workers, arrivals);
	struct error e = { 0 };

	for (size_t i = 0; i < MAX_CHILDREN; i++) {
		struct worker_link *m = &f->links[i];

		if (!m->name)
			continue;
		if (m->is_dialled && has_sockets(m))
			hurry(m);
		else if (!dial_if_there(m, &e))
			log_error("worker %s: %s", m->name, e.text);
	}
}

static bool
dial_all(struct workers *f, struct error *e)
{
	for (size_t i = 0; i < MAX_CHILDREN; i++)
		if (f->links[i].name && !dial_if_there(&f->links[i], e))
			return false;
	return true;
}

bool
workers_dial(struct workers *f, struct loop *loop, const char *directory,
	     struct error *e)
{
	struct error unseen = { 0 };

	f->loop = loop;
	f->directory = copy(str_of(directory));
	if (!arrivals_watch(&f->arrivals, loop, directory, on_arrival, &unseen))
		log_debug("%s: every worker is dialled", unseen.text);
	return dial_all(f, e);
}

static void
free_link(struct worker_link *m)
{
	struct loop *loop = m->workers->loop;

	if (timer_is_set(&m->again))
		loop_unset(loop, &m->again);
	if (timer_is_set(&m->free_later))
		loop_unset(loop, &m->free_later);
	client_fini(&m->client);
	inlet_fini(&m->inlet);
	outlet_fini(&m->orders);
	free(m->name);
	m->name = NULL;
}

static void
free_prefixes(struct workers *f)
{
	for (size_t i = 0; i < f->prefix_count; i++)
		free(f->prefixes[i].name);
	f->prefix_count = 0;
}

void
workers_fini(struct workers *f)
{
	for (size_t i = 0; i < MAX_CHILDREN; i++)
		if (f->links[i].name)
			free_link(&f->links[i]);
	free_prefixes(f);
	if (f->loop)
		arrivals_fini(&f->arrivals);
	free(f->directory);
	f->directory = NULL;
	f->loop = NULL;
}

/* Change */

static struct worker_link *
find_free(struct workers *f)
{
	for (size_t i = 0; i < MAX_CHILDREN; i++)
		if (!f->links[i].name)
			return &f->links[i];
	return NULL;
}

static bool
check_names(struct workers *f, struct str names, struct error *e)
{
	size_t taken = 0;
	struct str name;

	for (size_t i = 0; i < MAX_CHILDREN; i++)
		taken += f->links[i].name != NULL;
	while (str_word(&names, &name))
		taken += !find_any(f, name);
	return taken <= MAX_CHILDREN ||
	       fail_with(e, ERR_INVALID, "more than %d workers", MAX_CHILDREN);
}

static bool
is_among(struct str names, struct str name)
{
	struct str word;

	while (str_word(&names, &word))
		if (str_eq(word, name))
			return true;
	return false;
}

static bool
check_routes(struct str names, struct str routes, struct error *e)
{
	struct str route, name;
	size_t count = 0;

	while (str_word(&routes, &route)) {
		if (!str_cut(route, '=', &name).len || !name.len ||
		    !is_among(names, name))
			return fail_with(e, ERR_INVALID,
					 "\"" STR_FMT "\" is no route",
					 STR_ARG(route));
		count++;
	}
	return count <= MAX_PREFIXES ||
	       fail_with(e, ERR_INVALID, "more than %d prefixes", MAX_PREFIXES);
}

static void
on_free_later(struct timer *t)
{
	struct worker_link *m = container_of(t, struct worker_link, free_later);

	log_debug("worker %s: its link is removed", m->name);
	free_link(m);
}

static void
free_if_gone(struct worker_link *m)
{
	if (!m->is_retired || m->is_known || client_is_connected(&m->client))
		return;
	if (m->workers->loop)
		loop_set(m->workers->loop, &m->free_later, 0, on_free_later);
	else
		free_link(m);
}

static bool
add_link(struct workers *f, struct str name, struct error *e)
{
	struct worker_link *m = find_any(f, name);

	if (m) {
		m->is_retired = false;
		order_window_resize(&m->window, f->order_window);
		if (timer_is_set(&m->free_later))
			loop_unset(f->loop, &m->free_later);
		return true;
	}
	m = find_free(f);
	*m = (struct worker_link){
		.workers = f,
		.name = copy(name),
		.client = CLIENT_INIT,
		.inlet = INLET_INIT,
		.orders = OUTLET_INIT,
	};
	order_window_init(&m->window, f->order_window);
	return !f->loop || dial_if_there(m, e);
}

static void
retire_others(struct workers *f, struct str names)
{
	for (size_t i = 0; i < MAX_CHILDREN; i++) {
		struct worker_link *m = workers_at(f, i);

		if (!m || is_among(names, str_of(m->name)))
			continue;
		m->is_retired = true;
		free_if_gone(m);
	}
}

static void
replace_prefixes(struct workers *f, struct str routes)
{
	struct str route, name;

	free_prefixes(f);
	while (str_word(&routes, &route)) {
		struct prefix *p = &f->prefixes[f->prefix_count++];

		p->name = copy(str_cut(route, '=', &name));
		p->link = workers_link(f, name);
	}
}

bool
workers_change(struct workers *f, const char *workers, const char *routes,
	       struct error *e)
{
	struct str names = str_of(workers), left = names, name;

	if (!check_names(f, names, e) ||
	    !check_routes(names, str_of(routes), e))
		return false;
	while (str_word(&left, &name))
		if (!add_link(f, name, e))
			return false;
	retire_others(f, names);
	replace_prefixes(f, str_of(routes));
	return true;
}

bool
workers_init(struct workers *f, const char *workers, const char *routes,
	     struct error *e)
{
	f->prefix_count = 0;
	return workers_change(f, workers, routes, e);
}

size_t
workers_present(const struct workers *f)
{
	size_t n = 0;

	for (size_t i = 0; i < MAX_CHILDREN; i++)
		n += f->links[i].name && worker_link_is_up(&f->links[i]);
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
