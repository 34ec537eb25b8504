#pragma once
/*
 * way - the way out of a slot whose network is none, and the proof that there
 * is no other
 *
 * Before a slot serves, its program has to say that the container has no
 * network, it has to make a port of the container lead to the proxy, and the
 * proxy has to refuse what is not allowed: another host, and another port of a
 * host that is allowed.  A slot where one of this is not so is made anew, and
 * never serves.
 */
#include "workers/executor/docker/slot.h"

/* In the folder of sockets: see inlet.h. */
#define WAY_SOCKET "proxy"

enum { WAY_PORT = 3128 /* of the container */ };

/* Begins the proof; control_greet() is called at the end of it. */
void way_begin(struct slot *);

/* The proof waits for the proxy. */
bool way_waits(const struct slot *);

/* What is known against the proxy is the trouble of the slot. */
void way_note_trouble(struct slot *);

/* The proxy is up: a proof that waits goes on. */
void way_go_on(struct slot *);

/* True: what the slot has told was about the way. */
bool way_hears(struct slot *, struct str word, struct str rest);

/* The variables by which programs find the proxy. */
void way_set_variables(const struct allowed *, struct words *);

/* Is it one of them?  They mean another thing on this machine. */
bool way_is_variable(struct str name);
