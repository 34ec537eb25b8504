#pragma once
/*
 * list - a queue whose elements are members of other structs
 *
 * A node is in one list or in none.  A node in no list has a NULL `next`, so
 * removing it twice is harmless.
 */
#include <stdbool.h>
#include <stddef.h>

#define container_of(ptr, type, member) \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

struct node {
	struct node *next, *prev; /* NULL: in no list */
};

struct list {
	struct node head;
	size_t len;
};

static inline void
list_init(struct list *l)
{
	l->head.next = l->head.prev = &l->head;
	l->len = 0;
}

static inline void
list_append(struct list *l, struct node *n)
{
	n->next = &l->head;
	n->prev = l->head.prev;
	n->prev->next = n;
	l->head.prev = n;
	l->len++;
}

static inline void
list_remove(struct list *l, struct node *n)
{
	if (!n->next)
		return;
	n->prev->next = n->next;
	n->next->prev = n->prev;
	n->next = n->prev = NULL;
	l->len--;
}

static inline struct node *
list_first(const struct list *l)
{
	return l->head.next == &l->head ? NULL : l->head.next;
}

static inline struct node *
list_last(const struct list *l)
{
	return l->head.prev == &l->head ? NULL : l->head.prev;
}

/* The body may remove `n`, and free its owner. */
#define list_each(l, n)                                            \
	for (struct node *n = (l)->head.next, *n##_next = n->next; \
	     n != &(l)->head; n = n##_next, n##_next = n->next)
