#include "workers/cli/client_tools.h"

#include "workers/cli/client_calls.h"
#include "workers/cli/client_content.h"
#include "workers/cli/client_names.h"
#include "workers/cli/pool.h"
#include "workers/options/tools.h"
#include "workers/tools/server.h"

enum {
	SETTLE_MS = 30, /* after a call, until no other comes with it */

	/* A CLI has a limit of its own, which must not be the first to pass.  A
	 * call that came too late for one answer waits for the results of two.
	 */
	MARGIN_MS = 60000,
	WAITS = 2,

	/* A process that is told to stop a turn is not to see that a call has
	 * failed before: it would go on with that. */
	PARTING_MS = 5000,
};

struct client_tools {
	struct door door;
	struct pool *pool;
	struct node node;		   /* in pool->partings, or nowhere */
	struct conversation *conversation; /* NULL: it is over */
	struct timer settle;
	struct client_calls calls; /* of the turn */
	bool is_complete;	   /* no other call comes with those */
	json_t *told;		   /* the tools, as the CLI was told of them */
};

static struct client_tools *
of_door(struct door *d)
{
	return container_of(d, struct client_tools, door);
}

static json_t *
list(struct door *d)
{
	const struct client_tools *t = of_door(d);
	const struct conversation *c = t->conversation;
	json_t *all = json_array();
	const json_t *tool;
	size_t i;

	if (!c)
		return all;
	json_array_foreach (c->options.tools, i, tool) {
		auto_free char *name = client_name(c->options.tools, i);

		json_array_append_new(
			all, json_pack("{s:s, s:O, s:O}", "name", name,
				       "description",
				       json_object_get(tool, "description"),
				       "inputSchema",
				       json_object_get(tool, "parameters")));
	}
	return all;
}

static json_t *
failed_result(const char *why)
{
	return json_pack("{s:[{s:s, s:s}], s:b}", "content", "type", "text",
			 "text", why, "isError", 1);
}

/* Calls */

static struct loop *
loop_of(const struct client_tools *t)
{
	return &t->pool->worker->loop;
}

/* The model is still making one, and the others wait for it. */
static bool
is_in_the_making(const struct client_tools *t)
{
	if (!t->conversation->pool->harness->settle_ms)
		return false;
	list_each (&t->calls.all, n) {
		const struct model_call *m =
			container_of(n, struct model_call, node);

		if (!m->arguments)
			return true;
	}
	return false;
}

static json_t *
to_tell(const struct client_tools *t, const struct model_call *m)
{
	const json_t *tool =
		client_named(t->conversation->options.tools, m->name);
	auto_free char *arguments = call_arguments(m->arguments);

	return json_pack("{s:s, s:O, s:s}", "cli", m->id, "name",
			 json_object_get(tool, "name"), "arguments", arguments);
}

/* The result was there before the question. */
static void
give_kept(struct client_tools *t, struct model_call *m)
{
	struct waiting_call *w = m->asks;
	json_t *result = m->result;

	m->result = NULL;
	client_calls_forget(&t->calls, m);
	door_answer(w, result);
}

/* The results of other calls may have come with other tools. */
static void
fail_those_of_no_tool(struct client_tools *t)
{
	const json_t *tools = t->conversation->options.tools;

	list_each (&t->calls.all, n) {
		struct model_call *m = container_of(n, struct model_call, node);

		if (m->was_told || m->result || client_named(tools, m->name))
			continue;
		m->result = failed_result("there is no such tool any more");
		if (m->asks)
			give_kept(t, m);
	}
}

/* The response ends with all calls that are known by now, if the CLI waits for
 * one of them. */
static void
on_settled(struct timer *timer)
{
	struct client_tools *t =
		container_of(timer, struct client_tools, settle);
	struct conversation *c = t->conversation;
	json_t *calls;
	bool waits = false;

	if (c->state != CONVERSATION_BUSY || is_in_the_making(t))
		return;
	fail_those_of_no_tool(t);
	calls = json_array();
	list_each (&t->calls.all, n) {
		struct model_call *m = container_of(n, struct model_call, node);

		if (m->was_told || m->result || !m->arguments)
			continue;
		waits |= m->asks != NULL;
		json_array_append_new(calls, to_tell(t, m));
	}
	if (!waits) {
		json_decref(calls);
		return;
	}
	list_each (&t->calls.all, n) {
		struct model_call *m = container_of(n, struct model_call, node);

		m->was_told |= m->arguments && !m->result;
	}
	if (c->pool->harness->park)
		c->pool->harness->park(c, calls);
	else
		conversation_park(c, calls, NULL, NULL);
}

static void
await_others(struct client_tools *t)
{
	uint32_t ms = t->conversation->pool->harness->settle_ms;

	loop_set(loop_of(t), &t->settle,
		 t->is_complete ? 0
		 : ms		? ms
				: SETTLE_MS,
		 on_settled);
}

static void
take_call(struct client_tools *t, struct waiting_call *w)
{
	struct model_call *m = client_calls_ask(&t->calls, w);

	if (m->result)
		give_kept(t, m);
	else
		await_others(t);
}

static void
called(struct waiting_call *w)
{
	struct client_tools *t = of_door(w->door);
	struct conversation *c = t->conversation;
	const char *name = w->name ? w->name : "";

	if (!c)
		door_answer(w, failed_result("the conversation is over"));
	else if (!client_named(c->options.tools, name))
		door_answer(w, failed_result("there is no such tool"));
	else if (c->state != CONVERSATION_BUSY &&
		 c->state != CONVERSATION_PARKED)
		door_answer(w, failed_result("nobody is there to run it"));
	else
		take_call(t, w);
}

/* The CLI has given up a call, at a limit of its own: its turn goes on without
 * us. */
static void
dropped(struct waiting_call *w)
{
	struct client_tools *t = of_door(w->door);
	struct conversation *c = t->conversation;
	struct model_call *m = client_calls_that_asks(&t->calls, w);
	struct error e = { 0 };

	if (m)
		client_calls_forget(&t->calls, m);
	if (!c || c->state != CONVERSATION_PARKED || c->turn)
		return;
	fail_with(&e, ERR_TIMEOUT,
		  "%s did not wait any longer for the result of a tool",
		  conversation_name(c));
	conversation_break(c, &e);
}

void
client_tools_announce(struct conversation *c, const char *cli,
		      const char *shown, const json_t *arguments)
{
	struct client_tools *t = c->client_tools;
	auto_free char *name = NULL;

	if (!t || !client_shown(c->options.tools, shown, &name))
		return;
	client_calls_announce(&t->calls, cli, name, arguments);
	if (c->pool->harness->settle_ms)
		await_others(t);
}

void
client_tools_withdraw(struct conversation *c, const char *cli)
{
	struct client_tools *t = c->client_tools;
	struct model_call *m = t ? client_calls_find(&t->calls, cli) : NULL;

	if (!m || m->asks)
		return;
	client_calls_forget(&t->calls, m);
	if (c->pool->harness->settle_ms)
		await_others(t);
}

void
client_tools_complete(struct conversation *c)
{
	struct client_tools *t = c->client_tools;

	if (!t || !list_first(&t->calls.all))
		return;
	t->is_complete = true;
	await_others(t);
}

bool
client_tools_are_heard(const struct conversation *c)
{
	return !c->client_tools || c->client_tools->door.was_listed;
}

void
client_tools_begin(struct conversation *c)
{
	struct client_tools *t = c->client_tools;

	if (!t)
		return;
	loop_unset(loop_of(t), &t->settle);
	t->is_complete = false;
	list_each (&t->door.calls, n)
		door_answer(container_of(n, struct waiting_call, node),
			    failed_result("its turn is over"));
	client_calls_forget_all(&t->calls);
}

bool
client_tools_open(struct conversation *c, struct error *e)
{
	struct pool *p = c->pool;
	struct client_tools *t;
	char *host;

	if (!p->harness->tools_by_mcp || !c->options.tools)
		return true;
	if (!tool_server_open(&p->tools, &p->worker->loop, &p->worker->settings,
			      e))
		return false;
	host = executor_expose(c->executor, p->tools.port, e);
	if (!host)
		return false;
	t = c->client_tools = xcalloc(1, sizeof *t);
	t->pool = p;
	t->conversation = c;
	list_init(&t->calls.all);
	t->door.tools = list;
	t->door.called = called;
	t->door.dropped = dropped;
	t->told = json_incref(c->options.tools);
	door_open(&p->tools, &t->door, host);
	client_tools_take(c);
	return true;
}

static void
end(struct client_tools *t)
{
	loop_unset(loop_of(t), &t->settle);
	list_remove(&t->pool->partings, &t->node);
	door_close(&t->door);
	json_decref(t->told);
	free(t);
}

static void
on_parted(struct timer *timer)
{
	end(container_of(timer, struct client_tools, settle));
}

void
client_tools_close(struct conversation *c)
{
	struct client_tools *t = c->client_tools;

	if (!t)
		return;
	c->client_tools = NULL;
	t->conversation = NULL;
	client_calls_forget_all(&t->calls);
	list_append(&t->pool->partings, &t->node);
	if (t->pool->harness->shares && list_first(&t->door.calls))
		loop_set(loop_of(t), &t->settle, PARTING_MS, on_parted);
	else
		end(t);
}

void
client_tools_fini(struct pool *p)
{
	struct node *n;

	while ((n = list_first(&p->partings)))
		end(container_of(n, struct client_tools, node));
}

void
client_tools_take(struct conversation *c)
{
	struct client_tools *t = c->client_tools;
	uint64_t wait = c->pool->worker->harness.tool_wait_ms;

	if (!t)
		return;
	wait = WAITS * wait + MARGIN_MS;
	options_add_server(&c->options, CLIENT_SERVER,
			   json_pack("{s:s, s:s, s:{}, s:I}", "type", "http",
				     "url", t->door.url, "headers", "timeout",
				     (json_int_t)wait));
	if (json_equal(t->told, c->options.tools))
		return;
	json_decref(t->told);
	t->told = json_incref(c->options.tools);
	door_tell_change(&t->door);
}

/* Results */

/* What the user says beside the results has no other way to a CLI whose turn is
 * under way. */
static void
add_beside(const struct conversation *c, json_t *content)
{
	const json_t *message;
	size_t i;

	if (!json_array_size(c->messages))
		return;
	json_array_append_new(content,
			      json_pack("{s:s, s:s}", "type", "text", "text",
					"Beside this result the user says:"));
	json_array_foreach (c->messages, i, message)
		client_content_add(content, json_object_get(message, "content"),
				   0);
}

static json_t *
result_of(const struct conversation *c, const struct model_call *m)
{
	const json_t *result;
	size_t i;

	json_array_foreach (c->results, i, result)
		if (!strcmp(json_text(result, "id"), m->id))
			return (json_t *)result;
	return NULL;
}

/* Calls that have come since the others were told have no result here. */
static struct model_call *
last_that_is_answered(const struct conversation *c)
{
	struct model_call *last = NULL;

	list_each (&c->client_tools->calls.all, n) {
		struct model_call *m = container_of(n, struct model_call, node);

		if (m->asks && result_of(c, m))
			last = m;
	}
	return last;
}

/* One came while the turn was parked. */
static bool
call_is_left(const struct client_tools *t)
{
	list_each (&t->calls.all, n) {
		const struct model_call *m =
			container_of(n, struct model_call, node);

		if (m->asks && !m->was_told)
			return true;
	}
	return false;
}

static size_t
max_result(const struct conversation *c)
{
	const struct harness *h = c->pool->harness;

	return h->cuts_beside_own && options_replace_tools(&c->options)
		       ? 0
		       : h->max_result;
}

void
client_tools_answer(struct conversation *c)
{
	struct client_tools *t = c->client_tools;
	const struct model_call *last = last_that_is_answered(c);

	t->is_complete = false;
	list_each (&t->calls.all, n) {
		struct model_call *m = container_of(n, struct model_call, node);
		const json_t *result = result_of(c, m);
		json_t *content;

		if (!result)
			continue;
		content = json_array();
		client_content_add(content, json_object_get(result, "content"),
				   max_result(c));
		if (m == last)
			add_beside(c, content);
		m->result = json_pack(
			"{s:o, s:b}", "content", content, "isError",
			json_is_true(json_object_get(result, "is_error")));
		if (m->asks)
			give_kept(t, m);
	}
	if (call_is_left(t))
		await_others(t);
}
