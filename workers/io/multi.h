#pragma once
/*
 * multi - libcurl's multi handle, in the loop
 *
 * Its owner adds easy handles to `handle`, and is called back after libcurl has
 * worked, when any of libcurl's functions may be called.
 */
#include "proto/loop.h"

struct multi {
	struct loop *loop;
	void *handle;	    /* curl's; NULL: not open */
	struct timer timer; /* curl's */
	void (*turned)(struct multi *);
};

/* `connections` may be kept while nobody uses them. */
must_check bool multi_init(struct multi *, struct loop *, long connections,
			   void (*turned)(struct multi *), struct error *);

/* To be called when no transfer is left; twice is fine. */
void multi_fini(struct multi *);
