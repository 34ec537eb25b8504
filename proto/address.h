#pragma once
/*
 * address - is a host a loopback address of this machine?
 *
 * The supervisor asks before it listens, the gateway before it trusts a
 * request, and the worker for providers before it decides whether to use a
 * proxy.  All of them get the same answer.
 */
#include <stdbool.h>
#include <sys/socket.h>

#include "proto/str.h"

bool address_is_loopback(const struct sockaddr *);

/* `host` as people write it: "127.0.0.1", "::1", "[::1]", "localhost". */
bool host_is_loopback(struct str host);
