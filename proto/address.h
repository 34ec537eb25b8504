#pragma once
/*
 * address - is a host this machine, and nobody else's way in?
 *
 * One answer for everybody who asks: the supervisor before it listens, the
 * gateway before it trusts, and the worker for providers before it decides
 * whether a proxy is used.
 */
#include <stdbool.h>
#include <sys/socket.h>

#include "proto/str.h"

bool address_is_loopback(const struct sockaddr *);

/* Of a host as people write it: "127.0.0.1", "::1", "[::1]", "localhost". */
bool host_is_loopback(struct str host);
