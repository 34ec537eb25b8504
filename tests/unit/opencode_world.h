#pragma once
/*
 * opencode_world - the server and a session of workers/opencode in its unit
 * tests
 */
#include "tests/unit/harness_kit.h"

#include "workers/opencode/opencode.h"

extern const char providers[]; /* what the server says of its models */

extern struct server server;
extern struct opencode state;
extern struct instance agent;
extern struct conversation talk;
extern struct words argv, env;

const struct harness *harness(void);

/* The server has been started, and has told of its models. */
void start(const char *models);

void end(void);
int setup(void **state);
int teardown(void **state);

/* A session that is open, so that a turn can be said. */
void open_session(const char *id);

void say(const char *text);
void hear_event(struct str json);

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
