#pragma once
/*
 * slot_connection - one connection that is relayed: two sockets
 *
 * Ends when both directions are over: a direction is over when its bytes have
 * all been passed on with their end, or when nobody can take them any more.
 */
#include "workers/executor/docker/slot_place.h"

struct relayed;

/* What the first bytes of the client are to be, or nothing of it is passed on
 * and the connection ends. */
enum gate {
	GATE_OPEN,  /* anything */
	GATE_PROXY, /* as slot_gate.h says */
};

/*
 * Takes `client`; connects with the place.  NULL: it can't be, and the client
 * is closed.  `ended` comes once, never before this returns.
 */
struct relayed *relayed_new(struct loop *, int client, const struct place *,
			    enum gate,
			    void (*ended)(void *arg, struct relayed *),
			    void *arg);
void relayed_free(struct relayed *);

/* For its owner's list. */
struct node *relayed_node(struct relayed *);
struct relayed *relayed_of(struct node *);
