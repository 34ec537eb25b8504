#pragma once
/*
 * gateway - HTTP on one side, messages on the other
 *
 * The gateway knows no harness and holds no vendor's key.  It asks the
 * supervisor for the state of the processes, and the workers for everything
 * else.  It keeps nothing on disk: when it dies its clients' requests end, and
 * no more.  On DRAIN it takes no more turns and ends after the last one; on
 * SIGTERM every client gets an error, and it ends at once.
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
	struct list admission;	    /* requests that wait for a worker which is
				       starting */
	size_t waiters;		    /* in admission */
	uint64_t last_turn;	    /* the id that was given last */
	struct worker_link *sender; /* of the event that is being handled */
	uint64_t began;		    /* loop_now(), for the uptime */
	bool draining;		    /* it takes no new turns */
	bool stopping;		    /* it ends within FAREWELL_MS */
	struct timer end;
};

/* `name` is "gateway".  The environment says where the sockets are, and
 * descriptor 3 is the listening socket. */
must_check bool gateway_init(struct gateway *, const char *name,
			     struct error *);
void gateway_fini(struct gateway *);
