#pragma once
/*
 * rpc - JSON-RPC 2.0 with a CLI, one message a line, both sides asking
 *
 * https://www.jsonrpc.org/specification.  Ids of ours are numbers; those of
 * the CLI are given back as they came.
 */
#include "proto/list.h"
#include "workers/harness.h"

/*
 * `result` or `error` is NULL.  `whom` is who asked: a struct talk * or a
 * struct agent *.
 */
typedef void rpc_answer_fn(void *whom, const json_t *result,
			   const json_t *error);

struct rpc {
	struct agent *agent;

	/* MAY be NULL: adds to a message what its dialect wants besides;
	 * `type` is "request", "response" or "notification". */
	void (*dress)(json_t *message, const char *type);

	/* MUST be set: the CLI tells something; params may be NULL. */
	void (*told)(struct agent *, const char *method, const json_t *params);

	/* MUST be set: it asks, and waits for rpc_answer() or rpc_refuse(),
	 * now or later. */
	void (*asked)(struct agent *, const json_t *id, const char *method,
		      const json_t *params);

	/* rpc.c's own. */
	uint64_t last_id;
	struct list calls;
};

void rpc_init(struct rpc *, struct agent *);
void rpc_fini(struct rpc *); /* no answer is heard any more */

/* Asks.  Takes `params`; `answered` MAY be NULL. */
void rpc_ask(struct rpc *, const char *method, json_t *params,
	     rpc_answer_fn *answered, void *whom);

/* Takes `params`. */
void rpc_tell(struct rpc *, const char *method, json_t *params);

/* Answers what was asked.  Takes `result`. */
void rpc_answer(struct rpc *, const json_t *id, json_t *result);
void rpc_refuse(struct rpc *, const json_t *id, int code, const char *why);

/* Answers to what `whom` has asked are not heard any more. */
void rpc_forget(struct rpc *, const void *whom);

/* A line that is no message is counted with agent_unknown(). */
void rpc_line(struct rpc *, struct str line);
