#include "gateway/order_window.h"

#include <string.h>

enum {
	SMALL = 1 << 20 /* bytes; and never more than a quarter of the window */
};

void
order_window_init(struct order_window *w, size_t bytes)
{
	w->wanted = bytes;
	order_window_reset(w);
	for (int size = 0; size < ORDER_SIZES; size++)
		list_init(&w->unsent[size]);
}

static void
settle(struct order_window *w)
{
	if (!order_window_held(w))
		w->bytes = w->wanted;
}

void
order_window_resize(struct order_window *w, size_t bytes)
{
	w->wanted = bytes;
	settle(w);
}

void
order_window_reset(struct order_window *w)
{
	w->held[ORDER_SMALL] = w->held[ORDER_LARGE] = 0;
	settle(w);
}

static enum order_size
size_of(const struct order_window *w, size_t bytes)
{
	return bytes <= SMALL && bytes <= w->bytes / 4 ? ORDER_SMALL
						       : ORDER_LARGE;
}

static bool
is_awaited(const struct order_window *w, const char *session)
{
	list_each (&w->unsent[ORDER_LARGE], n) {
		const struct order *o = container_of(n, struct order, node);

		if (o->session && !strcmp(o->session, session))
			return true;
	}
	return false;
}

/* A small one stands among the large if one of its session is there. */
void
order_window_add(struct order_window *w, struct order *o)
{
	enum order_size size = size_of(w, o->bytes);

	if (size == ORDER_SMALL && o->session && is_awaited(w, o->session))
		size = ORDER_LARGE;
	o->list = &w->unsent[size];
	list_append(o->list, &o->node);
}

/* While a large one waits the small ones keep to their quarter. */
static bool
small_fits(const struct order_window *w, size_t bytes)
{
	size_t held = w->held[ORDER_SMALL];

	if (held == 0 || held + bytes <= w->bytes / 4)
		return true;
	return !w->unsent[ORDER_LARGE].len &&
	       order_window_held(w) + bytes <= w->bytes;
}

static bool
large_fits(const struct order_window *w, size_t bytes)
{
	size_t quarter = w->bytes / 4, held = w->held[ORDER_LARGE];

	if (held == 0)
		return w->held[ORDER_SMALL] <= quarter;
	return held + bytes <= w->bytes - quarter &&
	       order_window_held(w) + bytes <= w->bytes;
}

static bool
fits(const struct order_window *w, const struct order *o)
{
	return size_of(w, o->bytes) == ORDER_SMALL ? small_fits(w, o->bytes)
						   : large_fits(w, o->bytes);
}

struct order *
order_window_next(struct order_window *w)
{
	for (int size = 0; size < ORDER_SIZES; size++) {
		struct node *first = list_first(&w->unsent[size]);
		struct order *o;

		if (!first)
			continue;
		o = container_of(first, struct order, node);
		if (!fits(w, o))
			continue;
		list_remove(&w->unsent[size], first);
		w->held[size_of(w, o->bytes)] += o->bytes;
		return o;
	}
	return NULL;
}

void
order_drop(struct order *o)
{
	if (o->node.next)
		list_remove(o->list, &o->node);
}

void
order_window_room(struct order_window *w, size_t bytes)
{
	size_t *held = &w->held[size_of(w, bytes)];

	*held -= bytes < *held ? bytes : *held;
	settle(w);
}
