#pragma once
/*
 * conversation_world - what is around a conversation in its unit tests: a pool,
 * an instance, turns and a harness that count what is asked of them
 */
#include "unit.h"

#include "workers/cli/conversation.h"
#include "workers/cli/pool.h"

struct asked {
	struct turn turn;
	unsigned told; /* how often its end was told */
	struct outcome outcome;
};

extern struct did {
	unsigned kills, retires, leaves, says, interrupts, handshakes, idles;
	unsigned trials, closes, own_interrupts, counts;
	struct buf text; /* of turns */
} did;

extern struct worker worker;
extern struct pool pool;
extern struct harness harness;
extern struct instance instance;
extern struct asked turn; /* that in_state() has given */
extern bool ends_on_interrupt, exits_on_close;
extern struct error another, why;

#define SPARE CONVERSATION_SPARE
#define STARTING CONVERSATION_STARTING
#define IDLE CONVERSATION_IDLE
#define BUSY CONVERSATION_BUSY
#define QUEUED CONVERSATION_QUEUED
#define STOPPING CONVERSATION_STOPPING
#define ALONE CONVERSATION_ALONE
#define PARKED CONVERSATION_PARKED
#define LEAVING CONVERSATION_LEAVING

/* A conversation in that state. */
struct conversation *in_state(enum conversation_state);

int setup(void **state);
int teardown(void **state);
