#pragma once
/*
 * arrivals - tells when a socket appears in the directory of the sockets
 *
 * A worker whose harness is not set up is not started, for weeks perhaps.  To
 * dial its sockets again and again would keep the machine awake; the kernel
 * says when they are there.
 */
#include "proto/loop.h"

struct arrivals {
	struct loop *loop;
	struct watch watch; /* an inotify */
	void (*arrived)(struct arrivals *);
};

#define ARRIVALS_INIT ((struct arrivals){ .watch = WATCH_INIT })

/* Fails where the user has too many of these (fs.inotify). */
must_check bool arrivals_watch(struct arrivals *, struct loop *,
			       const char *directory,
			       void (*arrived)(struct arrivals *),
			       struct error *);
void arrivals_fini(struct arrivals *);
