#include "workers/cli/rpc.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "workers/io/json_read.h"

/* A request that was not answered yet. */
struct call {
	struct node node;
	uint64_t id;
	rpc_answer_fn *answered;
	void *whom;
};

void
rpc_init(struct rpc *r, struct instance *inst)
{
	assert(r->told && r->asked);
	r->instance = inst;
	list_init(&r->calls);
}

static void
drop(struct rpc *r, struct call *c)
{
	list_remove(&r->calls, &c->node);
	free(c);
}

void
rpc_fini(struct rpc *r)
{
	struct node *n;

	while (r->calls.head.next && (n = list_first(&r->calls)))
		drop(r, container_of(n, struct call, node));
}

void
rpc_forget(struct rpc *r, const void *whom)
{
	list_each (&r->calls, n) {
		struct call *c = container_of(n, struct call, node);

		if (c->whom == whom)
			drop(r, c);
	}
}

/* Sends.  Takes `message`. */
static void
send(struct rpc *r, json_t *message, const char *type)
{
	assert(message);
	json_object_set_new(message, "jsonrpc", json_string("2.0"));
	if (r->dress)
		r->dress(message, type);
	instance_write_json(r->instance, message);
}

void
rpc_ask(struct rpc *r, const char *method, json_t *params,
	rpc_answer_fn *answered, void *whom)
{
	struct call *c = xcalloc(1, sizeof *c);

	c->id = ++r->last_id;
	c->answered = answered;
	c->whom = whom;
	list_append(&r->calls, &c->node);
	send(r,
	     json_pack("{s:I, s:s, s:o}", "id", (json_int_t)c->id, "method",
		       method, "params", params),
	     "request");
}

void
rpc_tell(struct rpc *r, const char *method, json_t *params)
{
	send(r, json_pack("{s:s, s:o}", "method", method, "params", params),
	     "notification");
}

void
rpc_answer(struct rpc *r, const json_t *id, json_t *result)
{
	send(r, json_pack("{s:O, s:o}", "id", id, "result", result),
	     "response");
}

void
rpc_refuse(struct rpc *r, const json_t *id, int code, const char *why)
{
	send(r,
	     json_pack("{s:O, s:{s:i, s:s}}", "id", id, "error", "code", code,
		       "message", why),
	     "response");
}

/* Some CLIs return our numbers as text. */
static uint64_t
number_of(const json_t *id)
{
	if (json_is_integer(id))
		return (uint64_t)json_integer_value(id);
	if (json_is_string(id))
		return strtoull(json_string_value(id), NULL, 10);
	return 0;
}

static struct call *
find_call(const struct rpc *r, uint64_t id)
{
	list_each (&r->calls, n) {
		struct call *c = container_of(n, struct call, node);

		if (c->id == id)
			return c;
	}
	return NULL;
}

/* `answered` may send requests, call rpc_forget(), or end the agent: so the
 * call is dropped first. */
static void
hear_answer(struct rpc *r, const json_t *message)
{
	struct call *c =
		find_call(r, number_of(json_object_get(message, "id")));
	const json_t *result = json_object_get(message, "result");
	const json_t *error = json_object_get(message, "error");
	rpc_answer_fn *answered;
	void *whom;

	if (!c)
		return; /* rpc_forget() was called */
	answered = c->answered;
	whom = c->whom;
	drop(r, c);
	if (json_is_null(error))
		error = NULL;
	if (answered)
		answered(whom, error ? NULL : result, error);
}

static void
hear(struct rpc *r, const json_t *message)
{
	const json_t *id = json_object_get(message, "id");
	const json_t *params = json_object_get(message, "params");
	const char *method =
		json_string_value(json_object_get(message, "method"));

	if (method && id && !json_is_null(id))
		r->asked(r->instance, id, method, params);
	else if (method)
		r->told(r->instance, method, params);
	else if (id)
		hear_answer(r, message);
	else
		instance_unknown(r->instance, "message",
				 "without method and id");
}

void
rpc_line(struct rpc *r, struct str line)
{
	json_error_t why;
	json_t *message;

	line = str_trim(line);
	if (!line.len)
		return;
	message = json_read(line);
	if (!message)
		message = json_loadb(line.ptr, line.len, JSON_ALLOW_NUL, &why);
	if (json_is_object(message))
		hear(r, message);
	else
		instance_unknown(r->instance, "line", "that is no JSON object");
	json_decref(message);
}
