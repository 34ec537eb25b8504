#pragma once
/*
 * http_notes - a server that takes notes, and answers what it is told
 *
 * In the place of workers/http.c, for tests of a harness whose CLI is a
 * server: what is asked is written down among what conversation_notes has
 * heard, as "ask POST /path", and with its body among what was written.
 */
#include "workers/io/http.h"

/* Answers the oldest question that waits; false if none does. */
bool http_notes_answer(int status, struct str body);

/* The same, but there is no answer. */
bool http_notes_break(const struct error *);

/* A line of the stream that was asked for; false if none was. */
bool http_notes_line(struct str line);

/* How many questions wait, streams not counted. */
unsigned http_notes_waiting(void);
