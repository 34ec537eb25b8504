#include "workers/opencode/opencode.h"

#include <unistd.h>

#include "workers/io/json_line.h"

enum { ANSWER_MS = 60000 }; /* the first answer for a directory takes long */

/* Requests */

static void
request_free(struct request *x)
{
	free(x->session);
	free(x->where);
	free(x);
}

/* An answer that is no JSON counts as empty. */
static void
on_answer(void *arg, int status, struct str body, const struct error *e)
{
	struct request *x = arg;
	struct server *s = x->instance->own;
	json_t *answer = json_loadb(body.ptr, body.len,
				    JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);

	list_remove(&s->requests, &x->node);
	if (e)
		answer = json_pack("{s:{s:s}}", "data", "message", e->text);
	x->answered(x, status, answer);
	json_decref(answer);
	request_free(x);
}

/* Takes `body` and gives its text, empty if there is none. */
static char *
text_of(json_t *body)
{
	char *text = body ? json_line_text(body) : NULL;

	json_decref(body);
	return text;
}

static void
post(struct instance *inst, struct request *x, const char *method,
     const char *path, json_t *body)
{
	struct server *s = inst->own;
	auto_free char *url = copy_format("%s%s", s->origin, path);
	auto_free char *text = text_of(body);
	struct http_request r = { .method = method,
				  .url = url,
				  .socket_path = s->socket,
				  .user = "opencode",
				  .password = s->password,
				  .body = str_of(text),
				  .deadline_ms = ANSWER_MS,
				  .done = on_answer,
				  .arg = x };

	list_append(&s->requests, &x->node);
	(void)http_ask(s->http, &r);
}

void
request_send(struct instance *inst, struct conversation *c, const char *method,
	     const char *path, json_t *body, request_fn *answered)
{
	const struct opencode *o = c ? c->own : NULL;
	struct request *x = xcalloc(1, sizeof *x);

	x->instance = inst;
	x->conversation = c;
	x->answered = answered;
	if (c) {
		x->turn = c->turns;
		x->kept = c->kept;
		x->session = o->is_open ? copy(str_of(c->cli_id)) : NULL;
		x->where = copy(str_of(o->where));
	}
	post(inst, x, method, path, body);
}

void
session_ask(struct conversation *c, const char *method, const char *what,
	    json_t *body, request_fn *answered)
{
	const struct opencode *o = c->own;
	auto_free char *path =
		copy_format("/session/%s%s%s", c->cli_id, what, o->where);

	request_send(c->instance, c, method, path, body, answered);
}

void
session_ask_later(const struct request *of, const char *method,
		  const char *what, request_fn *answered)
{
	struct request *x = xcalloc(1, sizeof *x);
	auto_free char *path =
		copy_format("/session/%s%s%s", of->session, what, of->where);

	x->instance = of->instance;
	x->kept = of->kept;
	x->session = copy(str_of(of->session));
	x->where = copy(str_of(of->where));
	x->answered = answered;
	post(of->instance, x, method, path, NULL);
}

bool
server_agrees(int status, const json_t *answer, struct error *e)
{
	const char *words =
		json_text(json_object_get(answer, "data"), "message");

	if (status / 100 == 2)
		return true;
	if (!words)
		words = json_text(answer, "message");
	if (!status)
		return fail_with(e, ERR_HARNESS, "opencode: %s",
				 words ? words : "no answer");
	return fail_with(e, ERR_HARNESS, "opencode: %s (%d)",
			 words ? words : "it refuses", status);
}

/* The start of the server */

static void
give_up(struct instance *inst, const char *what, const struct error *e)
{
	struct error why = { 0 };

	fail_with(&why, ERR_CRASHED, "opencode: %s: %s", what, e->text);
	instance_fail(inst, &why);
}

static void
on_models(struct request *x, int status, const json_t *answer)
{
	struct instance *inst = x->instance;
	struct error e = { 0 };

	if (server_agrees(status, answer, &e) &&
	    models_read(inst->own, answer, &e))
		instance_ready(inst);
	else
		give_up(inst, "which models there are", &e);
}

/* The first event says that the stream is connected: no event after it is
 * missed. */
static void
on_stream_line(void *arg, struct str line)
{
	struct instance *inst = arg;
	struct server *s = inst->own;

	if (!s->models && line.len) {
		s->models = json_array();
		s->efforts = json_object();
		s->inputs = json_object();
		request_send(inst, NULL, "GET", "/config/providers", NULL,
			     on_models);
	}
	events_line(inst, line);
}

static void
on_stream_end(void *arg, int status, struct str body, const struct error *e)
{
	struct instance *inst = arg;
	struct server *s = inst->own;
	struct error why = { 0 };

	s->stream = NULL;
	if (e)
		why = *e;
	else
		fail_with(&why, ERR_CRASHED, "it ended (%d)", status);
	give_up(inst, "its events", &why);
}

static void
listen_to_it(struct instance *inst)
{
	struct server *s = inst->own;
	auto_free char *url = copy_format("%s/global/event", s->origin);
	struct http_request r = { .method = "GET",
				  .url = url,
				  .socket_path = s->socket,
				  .user = "opencode",
				  .password = s->password,
				  .line = on_stream_line,
				  .done = on_stream_end,
				  .arg = inst };

	if (s->holds)
		close(s->holder);
	s->holds = false;
	s->stream = http_ask(s->http, &r);
}

/* Of the server's output only the line that says where it listens counts. */
bool
server_line(struct instance *inst, struct str line, struct error *e)
{
	struct server *s = inst->own;
	size_t len = strlen(s->origin);

	if (!s->stream && line.len > len &&
	    memmem(line.ptr, line.len, " listening on ", 14) &&
	    memmem(line.ptr, line.len, s->origin, len))
		listen_to_it(inst);
	return true;
}

/* The end of the server */

void
server_forget(struct conversation *c)
{
	struct server *s = c->instance ? c->instance->own : NULL;
	const json_t *parent;
	const char *child;
	void *next;

	if (!s || !s->http)
		return; /* the server was never started */
	list_each (&s->requests, n) {
		struct request *x = container_of(n, struct request, node);

		if (x->conversation == c)
			x->conversation = NULL;
	}
	json_object_foreach_safe(
		s->children, next, child,
		parent) if (text_is(json_string_value(parent), c->cli_id))
		json_object_del(s->children, child);
}

void
server_clear(struct instance *inst)
{
	struct server *s = inst->own;
	struct node *n;

	http_free(s->http);
	while (s->http && (n = list_first(&s->requests))) {
		list_remove(&s->requests, n);
		request_free(container_of(n, struct request, node));
	}
	if (s->holds)
		close(s->holder);
	json_decref(s->children);
	json_decref(s->leaving);
	json_decref(s->burnt_keys);
	json_decref(s->prepared);
	json_decref(s->models);
	json_decref(s->efforts);
	json_decref(s->inputs);
	json_decref(s->defaults);
	free(s->first_model);
	if (s->socket)
		inst->executor->leave(inst->executor, s->port);
	free(s->socket);
	free(s->origin);
	free(s->password);
	memset(s, 0, sizeof *s);
}
