#pragma once
/*
 * listener - the socket on which clients arrive
 *
 * The supervisor owns it, so that a gateway can die and be replaced without a
 * refused connection.  It is opened here, or by systemd (LISTEN_FDS).
 */
#include "proto/error.h"

struct listener {
	int fd; /* -1: not open */
	char *url;
	bool is_loopback; /* of the address that is really bound */
};

#define LISTENER_INIT ((struct listener){ .fd = -1 })

must_check bool listener_open(struct listener *, const char *host,
			      uint64_t port, struct error *);

/*
 * On an address that others can reach, clients need a bearer that is hard to
 * guess; ERR_INVALID without one.
 */
must_check bool listener_fits(const struct listener *, const char *bearer,
			      struct error *);
void listener_fini(struct listener *);
