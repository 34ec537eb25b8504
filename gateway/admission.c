#include "gateway/admission.h"

#include "gateway/gateway.h"
#include "gateway/reply.h"

enum { WAIT_MS = 3000 /* a worker starts and connects in less */ };

struct waiter {
	struct node node; /* in gateway.admission */
	struct gateway *gateway;
	struct request *request;
	const struct worker_link *to;
	struct timer deadline;
	struct error why; /* why it waits; ERR_NONE: not known */
	struct ask ask;	  /* to the supervisor: the state of `to` */
	uint64_t index;
};

static void ask_next(struct waiter *);

static struct request *
leave(struct waiter *waiter)
{
	struct gateway *g = waiter->gateway;
	struct request *r = waiter->request;

	list_remove(&g->admission, &waiter->node);
	g->waiters--;
	loop_unset(&g->loop, &waiter->deadline);
	ask_drop(&waiter->ask);
	r->owner = NULL;
	r->left = NULL;
	free(waiter);
	return r;
}

static void
on_left(struct request *r)
{
	(void)leave(r->owner);
}

static void
on_deadline(struct timer *t)
{
	struct waiter *waiter = container_of(t, struct waiter, deadline);
	struct error e = waiter->why;

	if (e.code == ERR_NONE)
		fail_with(&e, ERR_UNAVAILABLE,
			  "the worker for %s is not running, it may be "
			  "starting",
			  waiter->to->name);
	reply_error(leave(waiter), &e, NULL);
}

/* A worker that is STOPPED or FATAL comes back only if somebody starts it. */
static void
take_row(struct waiter *waiter, const struct msg_child *m)
{
	struct error e = { 0 };

	if (!str_is(m->name, waiter->to->name)) {
		ask_next(waiter);
		return;
	}
	if (!str_is(m->state, "STOPPED") && !str_is(m->state, "FATAL"))
		return;
	if (m->health == HEALTH_UNAVAILABLE)
		fail_with(&e, ERR_NOT_SET_UP, STR_FMT, STR_ARG(m->detail));
	else
		fail_with(&e, ERR_UNAVAILABLE,
			  "the worker for %s is not running (" STR_FMT
			  "): see cli-bridge status",
			  waiter->to->name, STR_ARG(m->state));
	reply_error(leave(waiter), &e, NULL);
}

static void
on_row(struct ask *a, const struct msg *reply, const struct error *e)
{
	struct waiter *waiter = container_of(a, struct waiter, ask);

	if (!e && reply->type == MSG_CHILD && waiter->index < MAX_CHILDREN)
		take_row(waiter, &reply->body.child);
}

static void
ask_next(struct waiter *waiter)
{
	const struct msg_status m = { .index = waiter->index++ };

	client_ask(&waiter->gateway->supervisor, MSG_STATUS, &m, &waiter->ask,
		   WAIT_MS, on_row);
}

void
admission_wait(struct gateway *g, struct request *r,
	       const struct worker_link *to, const struct error *why)
{
	struct waiter *waiter;

	if (to->is_retired) { /* its models lead elsewhere now, or nowhere */
		r->route->handler(g, r);
		return;
	}
	waiter = xcalloc(1, sizeof *waiter);
	waiter->gateway = g;
	waiter->request = r;
	waiter->to = to;
	if (why)
		waiter->why = *why;
	r->owner = waiter;
	r->left = on_left;
	list_append(&g->admission, &waiter->node);
	g->waiters++;
	loop_set(&g->loop, &waiter->deadline, WAIT_MS, on_deadline);
	ask_next(waiter);
}

void
admission_admit(struct gateway *g, const struct worker_link *who)
{
	list_each (&g->admission, n) {
		struct waiter *waiter = container_of(n, struct waiter, node);
		struct request *r;

		if (waiter->to != who)
			continue;
		r = leave(waiter);
		r->route->handler(g, r);
	}
}

void
admission_look_again(struct gateway *g)
{
	list_each (&g->admission, n) {
		struct waiter *waiter = container_of(n, struct waiter, node);
		struct request *r;

		if (!waiter->to->is_retired)
			continue;
		r = leave(waiter);
		r->route->handler(g, r);
	}
}

void
admission_close(struct gateway *g, const struct error *e)
{
	struct node *n;

	while ((n = list_first(&g->admission)))
		reply_error(leave(container_of(n, struct waiter, node)), e,
			    NULL);
}
