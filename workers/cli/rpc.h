#pragma once
/*
 * rpc - JSON-RPC 2.0 with a CLI, one message a line, in both directions
 *
 * See https://www.jsonrpc.org/specification.  Our ids are numbers; the CLI's
 * ids are returned as they came.  A line that is no message is counted and
 * passed over.
 */
#include "proto/list.h"
#include "workers/cli/harness.h"

/*
 * Either `result` or `error` is NULL.  `whom` is who has asked: a struct
 * conversation * or a struct agent *.
 */
typedef void rpc_answer_fn(void *whom, const json_t *result,
			   const json_t *error);

struct rpc {
	struct instance *instance;

	/* MAY be NULL: adds the fields that the CLI's dialect wants besides;
	 * `type` is "request", "response" or "notification". */
	void (*dress)(json_t *message, const char *type);

	/* MUST be set: a notification of the CLI's; params may be NULL. */
	void (*told)(struct instance *, const char *method,
		     const json_t *params);

	/* MUST be set: a request of the CLI's, to be answered now or later with
	 * rpc_answer() or rpc_refuse(). */
	void (*asked)(struct instance *, const json_t *id, const char *method,
		      const json_t *params);

	/* rpc.c's own. */
	uint64_t last_id;
	struct list calls;
};

void rpc_init(struct rpc *, struct instance *);
void rpc_fini(struct rpc *); /* no answer is heard any more */

/* Sends a request.  Takes `params`; `answered` MAY be NULL. */
void rpc_ask(struct rpc *, const char *method, json_t *params,
	     rpc_answer_fn *answered, void *whom);

/* Sends a notification.  Takes `params`. */
void rpc_tell(struct rpc *, const char *method, json_t *params);

/* Answers a request of the CLI's.  Takes `result`. */
void rpc_answer(struct rpc *, const json_t *id, json_t *result);
void rpc_refuse(struct rpc *, const json_t *id, int code, const char *why);

/* Answers to requests of `whom` are passed over from now on. */
void rpc_forget(struct rpc *, const void *whom);

/* Hears a line. */
void rpc_line(struct rpc *, struct str line);
