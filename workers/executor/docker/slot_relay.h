#pragma once
/*
 * slot_relay - passes on what containers send to a proxy of this machine
 *
 *     cli-bridge-slot relay <port> <path>...
 *
 * A container without a network can reach a unix socket that is mounted into
 * it, and the proxy listens on a port only.  Each path becomes such a socket,
 * and whoever can reach it may connect; it tells "forwards <port>" for each
 * that is there.  Only requests to a proxy pass (slot_gate.h).  Each socket has
 * connections of its own, so no container can take those of another.
 *
 * It ends when its standard input does, and when it cannot make a socket.
 */

/* What of a socket is passed on at once. */
enum { MAX_RELAYED = 128 /* connections */ };

/* Returns the exit code. */
int relay(char *argv[]);
