#pragma once
/*
 * fake_gateway - a real worker, with an engine that does nothing by itself
 *
 * A test is the gateway, the supervisor and the engine of one worker.  The
 * engine only takes note of the turns that it starts: the test says what they
 * say, and how they end.
 */
#include "waits.h"

#include "workers/worker/queue.h"

enum { MB = 1 << 20, MANY = 64 };

extern struct worker worker;

/* The gateway's side, and the supervisor's. */
extern struct outlet orders;
extern struct client supervisor;

/* What the engine was asked. */
extern struct did {
	unsigned accepts, starts, forgets, unblocks, cancels;
	const char *mode;	    /* that accept() says; NULL: none */
	struct turn *running[MANY]; /* in the order of their starts */
	unsigned count;
	bool cancels_late;  /* cancel() does nothing: the test ends the turn */
	bool ends_together; /* cancel() ends all turns that run */
	struct timer between; /* fires when the loop has gone on */
} did;

/* What the gateway was told of an order. */
extern struct heard {
	unsigned accepts;
	uint64_t seq; /* of the last event */
	enum error_code failure;
	struct msg_finish finish; /* without its strings... */
	char model[MAX_NAME + 1], cost_source[MAX_NAME + 1]; /* ...and they */
	char why[MAX_ERROR_TEXT], text[256];
	char how[MAX_NAME + 1], mode[MAX_NAME + 1];
	unsigned texts, tools;
	size_t bytes; /* of text */
	uint64_t retry_ms;
	bool has_ended, has_ignored, is_repeated;
} heard[MANY];

extern size_t room;
extern bool left;

/* For cmocka. */
int begins(void **state);
int ends(void **state);
int opens(void **state);
int closes(void **state);

#define worker_test(name) cmocka_unit_test_setup_teardown(name, begins, ends)

/* Words of the gateway. */
struct msg_submit order(uint64_t turn, struct str body);
void submits(uint64_t turn, struct str body);
void submits_to(const char *session, uint64_t turn, struct str body);
void cancels(uint64_t turn);
void gives_credit(uint64_t turn, size_t bytes);

/* What must become of it, soon. */
void is_accepted(uint64_t turn);
void fails(uint64_t turn, enum error_code code);
void finishes(uint64_t turn);
void have_started(unsigned n);
void there_is_room_for(size_t bytes);
bool is_running(uint64_t turn);
