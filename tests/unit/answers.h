#pragma once
/*
 * answers - what would have been sent, where no client is needed
 *
 * A test that links this is given the answers of all requests: the linker puts
 * answers.c in the place of request_answer().
 */
#include <jansson.h>

#include "gateway/http/http.h"
#include "tests/unit/unit.h"

/* The last answer: its status, its body, and how many there were. */
struct answered {
	int status, count;
	char *body;
};

extern struct answered answered;

/* A request that can be answered; answers_fini() frees what it has. */
void answers_init(struct request *);
void answers_fini(struct request *);

/* The header of its answer; NULL: there is none. */
const char *answers_header(const struct request *, const char *name);

/* The body as JSON; the caller json_decref()s it. */
json_t *answers_json(void);
