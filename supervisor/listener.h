#pragma once
/*
 * listener - the socket on which clients arrive
 *
 * It belongs to the supervisor, so that a gateway can die and come back
 * without a single connection being refused.  It is opened here, or has been
 * by systemd (LISTEN_FDS).
 */
#include "proto/error.h"

struct listener {
	int fd; /* -1: not open */
	char *url;
	bool is_loopback; /* where it really listens */
};

#define LISTENER_INIT ((struct listener){ .fd = -1 })

must_check bool listener_open(struct listener *, const char *host,
			      uint64_t port, struct error *);

/* Where others can reach it, clients need a bearer that is hard to guess. */
must_check bool listener_fits(const struct listener *, const char *bearer,
			      struct error *);
void listener_fini(struct listener *);
