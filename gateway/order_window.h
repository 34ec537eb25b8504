#pragma once
/*
 * order_window - which orders a worker may get, and which wait for room
 *
 * A worker holds the bodies of its turns in memory.  So it gets an order only
 * while the bodies that it holds and this one fit into a window, and says
 * (ROOM) when it has let go of one; all others wait here, in the order in
 * which they came.
 *
 * Many small requests do not wait behind a few large ones: a quarter of the
 * window is for small ones only, and they keep to it while a large one waits.
 * One that is larger than the large ones' part goes when no other large one is
 * held: that is all by which the window can be exceeded.  Orders of one session
 * keep their order whatever their size.
 */
#include <stdint.h>

#include "proto/list.h"

/* A member of whoever wants to send. */
struct order {
	struct node node;    /* in order_window.unsent; in none: was sent */
	struct list *list;   /* that one */
	size_t bytes;	     /* of its body */
	const char *session; /* lent; NULL: none */
};

enum order_size { ORDER_SMALL, ORDER_LARGE, ORDER_SIZES };

struct order_window {
	size_t bytes;
	size_t wanted; /* what it is to be as soon as nothing is held */
	size_t held[ORDER_SIZES]; /* bytes that the worker has */
	struct list unsent[ORDER_SIZES];
};

void order_window_init(struct order_window *, size_t bytes);

/* As soon as nothing is held: until then what is counted as small or large
 * must stay so. */
void order_window_resize(struct order_window *, size_t bytes);

void order_window_add(struct order_window *, struct order *);

/* Takes the next one that may be sent; the worker then holds it.  NULL: none.
 */
struct order *order_window_next(struct order_window *);

/* It is not to be sent any more; harmless if it was. */
void order_drop(struct order *);

/* The worker has let go of a body of so many bytes. */
void order_window_room(struct order_window *, size_t bytes);

/* The worker is gone, and with it what it held. */
void order_window_reset(struct order_window *);

static inline size_t
order_window_held(const struct order_window *w)
{
	return w->held[ORDER_SMALL] + w->held[ORDER_LARGE];
}

static inline size_t
order_window_waiting(const struct order_window *w)
{
	return w->unsent[ORDER_SMALL].len + w->unsent[ORDER_LARGE].len;
}
