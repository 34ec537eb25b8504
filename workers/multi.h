#pragma once
/*
 * multi - libcurl's transfers, in the loop
 *
 * What everybody needs who asks over HTTP, and nothing of what is asked: its
 * owner adds easy handles to `handle`, and is told after each of curl's turns,
 * when curl itself is not at work and anything may be called.
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
