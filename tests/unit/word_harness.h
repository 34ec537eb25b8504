#pragma once
/*
 * word_harness - a harness for tests, whose CLI reads and writes a word a line
 *
 * The CLI is told "open" or "resume", "say", "stop" and "close".  It says
 * "ready", "lost", "end", "stopped", "alone", "silent" and "nonsense"; any
 * other word is text of the turn.  In a shared process each word of a
 * conversation is preceded by its id; "hello" asks the process itself, which
 * answers "up".
 */
#include "fake_executor.h"
#include "workers/cli/pool.h"

/* What harness_of() returns. */
extern struct harness harness;

/* Conversations share processes, or each has one of its own. */
void word_harness_is(bool shared);

/* A script: the CLI is ready as soon as it is asked. */
void word_cli_opens(struct fake_cli *, struct str line);
