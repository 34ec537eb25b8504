#pragma once
/*
 * slot_probe - what the container can reach
 *
 * NETWORK says whether there is a network but loopback.  PROBE asks a proxy,
 * which listens on a port of 127.0.0.1, for a tunnel to a host, as programs do,
 * and tells what it has answered.  No byte is sent through the tunnel.
 */
#include "workers/executor/docker/slot_teller.h"

struct probes {
	struct loop *loop;
	struct teller *teller;
	struct list all; /* of struct probe */
};

void probes_init(struct probes *, struct loop *, struct teller *);
void probes_fini(struct probes *);

/* Tells "probed HOST:PORT STATUS" within PROBE_MS: the status of HTTP, or 0 if
 * there was no answer. */
void probes_add(struct probes *, int port, struct str host);

/* Tells "network none", or "network NAME", where NAME is an interface that is
 * up, or says what else there is. */
void probe_network(struct teller *);
