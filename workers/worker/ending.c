#include "workers/worker/ending.h"

#include "proto/log.h"
#include "workers/worker/listener.h"
#include "workers/worker/turn.h"

enum {
	FAREWELL_MS = 300, /* for the last events to travel */
};

static void
on_farewell_over(struct timer *timer)
{
	loop_stop(&container_of(timer, struct worker, farewell)->loop);
}

/* Once: what is refused meanwhile changes nothing. */
void
ending_leave_if_drained(struct worker *w)
{
	if (w->draining && !timer_is_set(&w->farewell) && !w->running.len &&
	    !w->waiting.len && !w->lingering.len)
		loop_set(&w->loop, &w->farewell, FAREWELL_MS, on_farewell_over);
}

/* The gateway is to know it before it sends more. */
void
ending_take_no_more(struct worker *w)
{
	const struct msg_leaving m = { .worker = w->id };

	if (w->draining)
		return;
	if (w->running.len || w->waiting.len)
		log_info("draining: %zu running, %zu waiting", w->running.len,
			 w->waiting.len);
	w->draining = true;
	outlet_send(&w->outlet, MSG_LEAVING, &m);
}

/* Whoever is the gateway next has sent us nothing. */
static void
owe_nothing(const struct list *l)
{
	list_each (l, n)
		container_of(n, struct turn, node)->owed = 0;
}

/* A turn that is cancelled may be gone at once, and may take others with it:
 * an engine can end all turns of a process. */
static struct turn *
find_uncancelled(const struct list *l)
{
	list_each (l, n) {
		struct turn *t = container_of(n, struct turn, node);

		if (!t->cancelled)
			return t;
	}
	return NULL;
}

void
ending_free_lingering(struct worker *w)
{
	struct node *n;

	while ((n = list_first(&w->lingering)))
		listener_free(container_of(n, struct listener, of_turn));
}

void
ending_cancel_turns(struct worker *w)
{
	struct error e = { 0 };
	struct turn *t;

	owe_nothing(&w->waiting);
	owe_nothing(&w->running);
	fail_with(&e, ERR_CANCELLED,
		  "the gateway went away before the turn was over; what it did "
		  "may be half done");
	while ((t = find_uncancelled(&w->waiting)))
		turn_cancel(t, &e);
	while ((t = find_uncancelled(&w->running)))
		turn_cancel(t, &e);
	ending_free_lingering(w);
	ending_leave_if_drained(w);
}

static void
cut_all(const struct list *l, const struct error *e)
{
	list_each (l, n)
		turn_cut(container_of(n, struct turn, node), e);
}

/* Their turns are over, but not all of the answer has been told. */
static void
cut_lingering(struct worker *w, const struct error *e)
{
	list_each (&w->lingering, n)
		listener_cut(container_of(n, struct listener, of_turn), e);
}

/* Their clients are told before everything ends. */
void
ending_stop(struct worker *w)
{
	bool has_turns = w->running.len || w->waiting.len || w->lingering.len;
	struct error e = { 0 };

	if (w->stopping)
		return;
	w->stopping = true;
	ending_take_no_more(w);
	fail_with(&e, ERR_CANCELLED,
		  "%s is being stopped; what the turn did may be half done",
		  w->name);
	cut_all(&w->running, &e);
	cut_lingering(w, &e);
	fail_with(&e, ERR_DRAINING,
		  "%s is being stopped; the turn was not begun", w->name);
	cut_all(&w->waiting, &e);
	if (has_turns && w->outlet.reader.connected)
		loop_set(&w->loop, &w->farewell, FAREWELL_MS, on_farewell_over);
	else
		loop_stop(&w->loop);
}
