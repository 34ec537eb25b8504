#pragma once
/*
 * gateway - HTTP on one side, messages on the other
 *
 * Knows no harness and holds no vendor's key.  It asks the supervisor how the
 * processes are, and the workers for everything else; nothing it does takes
 * long, and nothing in it outlives it.  On DRAIN it takes no more turns and
 * ends after the last one; on SIGTERM it ends at once, and every client is
 * told so.
 */
#include "gateway/workers.h"
#include "gateway/guard.h"
#include "gateway/http/http.h"
#include "gateway/routes.h"
#include "proto/settings.h"

enum { EXCHANGE_BUCKETS = 1024 };

struct gateway {
	struct loop loop;
	struct settings settings;
	struct guard guard;
	struct http http;
	struct server server;
	struct client supervisor;
	struct workers workers;
	struct list exchanges[EXCHANGE_BUCKETS];
	size_t exchange_count;
	struct list admission;	    /* requests whose worker is only coming */
	size_t waiters;		    /* in it */
	uint64_t last_turn;	    /* id */
	struct worker_link *sender; /* who has sent the event that is heard */
	uint64_t began;		    /* loop_now() */
	bool draining;		    /* no new turns */
	bool stopping;		    /* no turns at all */
	struct timer end;
};

/* `name` is "gateway"; where everything is comes from the environment, and
 * descriptor 3 listens. */
must_check bool gateway_init(struct gateway *, const char *name,
			     struct error *);
void gateway_fini(struct gateway *);
