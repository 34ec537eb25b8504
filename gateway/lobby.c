#include "gateway/lobby.h"

#include "gateway/gateway.h"
#include "gateway/reply.h"

enum { WAIT_TIME = 3000 /* ms: connecting takes less, starting too */ };

struct guest {
	struct node node; /* in gateway.lobby */
	struct gateway *gateway;
	struct request *request;
	const struct member *to;
	struct timer patience;
	struct ask ask; /* the supervisor, how `to` is */
	uint64_t index;
};

static void ask_next(struct guest *);

static struct request *
leave(struct guest *guest)
{
	struct gateway *g = guest->gateway;
	struct request *r = guest->request;

	list_remove(&g->lobby, &guest->node);
	g->guests--;
	loop_unset(&g->loop, &guest->patience);
	ask_drop(&guest->ask);
	r->owner = NULL;
	r->left = NULL;
	free(guest);
	return r;
}

static void
on_left(struct request *r)
{
	(void)leave(r->owner);
}

static void
on_impatience(struct timer *t)
{
	struct guest *guest = container_of(t, struct guest, patience);
	struct error e = { 0 };

	fail_with(&e, ERR_UNAVAILABLE,
		  "the worker for %s is not running, it may be starting",
		  guest->to->name);
	reply_error(leave(guest), &e, NULL);
}

/* A worker that is at rest comes back only if somebody starts it. */
static void
take_row(struct guest *guest, const struct msg_child *m)
{
	struct error e = { 0 };

	if (!str_is(m->name, guest->to->name)) {
		ask_next(guest);
		return;
	}
	if (!str_is(m->state, "STOPPED") && !str_is(m->state, "FATAL"))
		return;
	fail_with(&e, ERR_UNAVAILABLE,
		  "the worker for %s is not running (" STR_FMT
		  "): see cli-bridge status",
		  guest->to->name, STR_ARG(m->state));
	reply_error(leave(guest), &e, NULL);
}

static void
on_row(struct ask *a, const struct msg *reply, const struct error *e)
{
	struct guest *guest = container_of(a, struct guest, ask);

	if (!e && reply->type == MSG_CHILD && guest->index < MAX_CHILDREN)
		take_row(guest, &reply->body.child);
}

static void
ask_next(struct guest *guest)
{
	const struct msg_status m = { .index = guest->index++ };

	client_ask(&guest->gateway->supervisor, MSG_STATUS, &m, &guest->ask,
		   WAIT_TIME, on_row);
}

void
lobby_enter(struct gateway *g, struct request *r, const struct member *to)
{
	struct guest *guest = xcalloc(1, sizeof *guest);

	guest->gateway = g;
	guest->request = r;
	guest->to = to;
	r->owner = guest;
	r->left = on_left;
	list_append(&g->lobby, &guest->node);
	g->guests++;
	loop_set(&g->loop, &guest->patience, WAIT_TIME, on_impatience);
	ask_next(guest);
}

void
lobby_call(struct gateway *g, const struct member *who)
{
	list_each (&g->lobby, n) {
		struct guest *guest = container_of(n, struct guest, node);
		struct request *r;

		if (guest->to != who)
			continue;
		r = leave(guest);
		r->route->handler(g, r);
	}
}

void
lobby_close(struct gateway *g, const struct error *e)
{
	struct node *n;

	while ((n = list_first(&g->lobby)))
		reply_error(leave(container_of(n, struct guest, node)), e,
			    NULL);
}
