#include "workers/tools/server.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/log.h"
#include "workers/io/json.h"
#include "workers/io/json_line.h"
#include "workers/options/tools.h"

enum {
	BEAT_MS = 10000, /* between signs of life: some CLIs give a call up that
			  * shows none */
	MAX_RESULT = 8 << 20, /* bytes: half of what can wait to be sent, for
			       * some characters become longer */
	SECRET_BYTES = 16,
	SECRET_SIZE = 2 * SECRET_BYTES + 1,
};

/* Who may come */

static struct door *
door_at(const struct tool_server *s, const char *path)
{
	const char *secret = strrchr(path, '/');

	list_each (&s->doors, n) {
		struct door *d = container_of(n, struct door, node);

		if (secret && !strcmp(secret + 1, d->secret))
			return d;
	}
	return NULL;
}

/* A page in the user's browser must not get here by a name that leads to this
 * machine. */
static bool
comes_by_name(const struct door *d, const char *host)
{
	return !host || strcmp(host, d->host) != 0;
}

static bool
judge(struct request *r, struct error *e)
{
	struct tool_server *s = container_of(r->http, struct tool_server, http);

	const struct door *d = door_at(s, r->path);

	r->wants_body = request_is(r, "POST");
	if (request_header(r, "Origin") ||
	    (d && comes_by_name(d, request_header(r, "Host"))))
		return fail_with(e, ERR_FORBIDDEN, "this is for CLIs only");
	return d || fail_with(e, ERR_NOT_FOUND, "there is nothing here");
}

/* A message is read when all of it is there. */
static bool
heard(struct request *r, struct str piece, struct error *e)
{
	return true;
}

static void
explain(struct request *r, const struct error *e, struct buf *body)
{
	request_add(r, "Content-Type", STR("text/plain"));
	buf_put(body, str_of(e->text));
}

/* Answers */

static json_t *
message(const json_t *id, const char *what, json_t *value)
{
	return json_pack("{s:s, s:O?, s:o}", "jsonrpc", "2.0", "id", id, what,
			 value);
}

/* Takes `json`. */
static void
answer(struct request *r, json_t *json)
{
	struct buf body = BUF_INIT(MAX_JSON_LINE);

	json_line(&body, json);
	json_decref(json);
	request_add(r, "Content-Type", STR("application/json"));
	request_answer(r, 200, &body);
}

static void
answer_empty(struct request *r, int status)
{
	struct buf none = BUF_INIT(1);

	request_answer(r, status, &none);
}

static void
open_events(struct request *r)
{
	request_add(r, "Content-Type", STR("text/event-stream"));
	request_add(r, "Cache-Control", STR("no-cache"));
	request_open(r, 200);
	buf_put(request_begin(r), STR(": ok\n\n"));
}

/* A client that is still there passes a comment over. */
static void
on_doubted(struct request *r)
{
	buf_put(request_begin(r), STR(": there?\n\n"));
}

/* Takes `json`. */
static void
tell_event(struct request *r, json_t *json)
{
	struct buf *b = request_begin(r);

	buf_put(b, STR("event: message\ndata: "));
	json_line(b, json);
	buf_put(b, STR("\n\n"));
	json_decref(json);
}

/* Calls */

static void
free_call(struct waiting_call *c)
{
	list_remove(&c->door->calls, &c->node);
	json_decref(c->id);
	json_decref(c->progress);
	json_decref(c->arguments);
	free(c->name);
	free(c);
}

static void
on_left(struct request *r)
{
	struct waiting_call *c = r->owner;

	c->request = NULL;
	c->door->dropped(c);
	free_call(c);
}

static void
begin_call(struct door *d, struct request *r, const json_t *id,
	   const json_t *params)
{
	struct waiting_call *c = xcalloc(1, sizeof *c);
	const json_t *meta = json_object_get(params, "_meta");

	c->door = d;
	c->request = r;
	c->id = json_incref((json_t *)id);
	c->progress = json_incref(json_object_get(meta, "progressToken"));
	c->name = copy(json_str(params, "name"));
	c->arguments = json_incref(json_object_get(params, "arguments"));
	if (!c->arguments)
		c->arguments = json_object();
	list_append(&d->calls, &c->node);
	r->owner = c;
	r->left = on_left;
	r->doubted = on_doubted;
	open_events(r);
	d->called(c);
}

/* Takes `result`. */
static json_t *
that_fits(json_t *result)
{
	size_t len = json_dumpb(result, NULL, 0, JSON_COMPACT);

	if (len <= MAX_RESULT)
		return result;
	json_decref(result);
	return json_pack("{s:[{s:s, s:o}], s:b}", "content", "type", "text",
			 "text",
			 json_sprintf("The result has %zu bytes, and is too "
				      "long: at most %d can be taken.",
				      len, MAX_RESULT),
			 "isError", 1);
}

void
door_answer(struct waiting_call *c, json_t *result)
{
	struct request *r = c->request;

	tell_event(r, message(c->id, "result", that_fits(result)));
	r->owner = NULL;
	r->left = NULL;
	request_close(r);
	free_call(c);
}

/* The CLI does not want the answer any more.  Some CLIs say so of calls that
 * were answered. */
static void
cancel_call(struct door *d, const json_t *params)
{
	const json_t *id = json_object_get(params, "requestId");

	list_each (&d->calls, n) {
		struct waiting_call *c =
			container_of(n, struct waiting_call, node);

		if (!json_equal(c->id, id))
			continue;
		d->dropped(c);
		c->request->owner = NULL;
		c->request->left = NULL;
		request_cut(c->request);
		free_call(c);
		return;
	}
}

/* Requests */

static void
list_tools(struct door *d, struct request *r, const json_t *id)
{
	answer(r,
	       message(id, "result", json_pack("{s:o}", "tools", d->tools(d))));
	d->was_listed = true;
	if (d->listed)
		d->listed(d);
}

static void
refuse(struct request *r, const json_t *id, int code, const char *why)
{
	answer(r,
	       message(id, "error",
		       json_pack("{s:i, s:s}", "code", code, "message", why)));
}

static void
on_message(struct door *d, struct request *r, const json_t *m)
{
	const char *method = json_text(m, "method");
	const json_t *id = json_object_get(m, "id");
	const json_t *params = json_object_get(m, "params");

	if (method && !strcmp(method, "notifications/cancelled"))
		cancel_call(d, params);
	if (!method || !id)
		answer_empty(r, 202);
	else if (!strcmp(method, "initialize"))
		answer(r, message(id, "result", tools_greeting(params)));
	else if (!strcmp(method, "ping"))
		answer(r, message(id, "result", json_object()));
	else if (!strcmp(method, "tools/list"))
		list_tools(d, r, id);
	else if (!strcmp(method, "tools/call"))
		begin_call(d, r, id, params);
	else
		refuse(r, id, -32601, "this server has tools only");
}

/* In which the CLI hears that the tools are others. */
struct stream {
	struct node node; /* in door.streams */
	struct door *door;
	struct request *request;
};

static void
end_stream(struct stream *s)
{
	list_remove(&s->door->streams, &s->node);
	free(s);
}

static void
on_listener_left(struct request *r)
{
	end_stream(r->owner);
}

static void
begin_stream(struct door *d, struct request *r)
{
	struct stream *s = xcalloc(1, sizeof *s);

	s->door = d;
	s->request = r;
	list_append(&d->streams, &s->node);
	r->owner = s;
	r->left = on_listener_left;
	r->doubted = on_doubted;
	open_events(r);
}

void
door_tell_change(struct door *d)
{
	d->was_listed = false;
	list_each (&d->streams, n)
		tell_event(container_of(n, struct stream, node)->request,
			   json_pack("{s:s, s:s}", "jsonrpc", "2.0", "method",
				     "notifications/tools/list_changed"));
}

static void
ready(struct request *r)
{
	struct tool_server *s = container_of(r->http, struct tool_server, http);
	struct door *d = door_at(s, r->path);
	json_t *m;

	if (!d) { /* it was closed meanwhile */
		answer_empty(r, 404);
		return;
	}
	if (request_is(r, "GET")) {
		begin_stream(d, r);
		return;
	}
	if (!request_is(r, "POST")) {
		answer_empty(r, request_is(r, "DELETE") ? 200 : 405);
		return;
	}
	m = json_loadb(r->body.ptr, r->body.len, JSON_ALLOW_NUL, NULL);
	if (json_is_object(m))
		on_message(d, r, m);
	else
		refuse(r, NULL, -32700, "that is no message");
	json_decref(m);
}

/* Signs of life */

static void
tell_progress(struct tool_server *s, struct waiting_call *c)
{
	if (c->progress)
		tell_event(c->request,
			   json_pack("{s:s, s:s, s:{s:O, s:I}}", "jsonrpc",
				     "2.0", "method", "notifications/progress",
				     "params", "progressToken", c->progress,
				     "progress", (json_int_t)loop_now()));
	else
		buf_put(request_begin(c->request), STR(": waiting\n\n"));
}

static void
on_beat(struct timer *t)
{
	struct tool_server *s = container_of(t, struct tool_server, beat);

	list_each (&s->doors, n) {
		struct door *d = container_of(n, struct door, node);

		list_each (&d->calls, call)
			tell_progress(s, container_of(call, struct waiting_call,
						      node));
	}
	loop_set(s->loop, &s->beat, BEAT_MS, on_beat);
}

/* Life */

static int
listen_on_loopback(uint16_t *port, struct error *e)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&at, size) == 0 &&
	    listen(fd, SOMAXCONN) == 0 &&
	    getsockname(fd, (struct sockaddr *)&at, &size) == 0) {
		*port = ntohs(at.sin_port);
		return fd;
	}
	(void)fail_errno(e, "a socket for the caller's tools");
	if (fd >= 0)
		close(fd);
	return -1;
}

bool
tool_server_open(struct tool_server *s, struct loop *loop,
		 const struct settings *settings, struct error *e)
{
	int fd;

	if (s->is_open)
		return true;
	fd = listen_on_loopback(&s->port, e);
	if (fd < 0)
		return false;
	s->loop = loop;
	list_init(&s->doors);
	s->http.judge = judge;
	s->http.heard = heard;
	s->http.ready = ready;
	s->http.explain = explain;
	s->http.is_secret = true;
	s->is_open = true;
	if (!http_init(&s->http, loop, fd, settings, e))
		return false;
	loop_set(loop, &s->beat, BEAT_MS, on_beat);
	return true;
}

void
tool_server_fini(struct tool_server *s)
{
	if (!s->is_open)
		return;
	loop_unset(s->loop, &s->beat);
	http_fini(&s->http);
	s->is_open = false;
}

static char *
make_secret(void)
{
	unsigned char bytes[SECRET_BYTES];
	char *secret = xcalloc(1, SECRET_SIZE);

	if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
		abort(); /* cannot be, for so few */
	for (size_t i = 0; i < sizeof bytes; i++)
		snprintf(secret + 2 * i, 3, "%02x", bytes[i]);
	return secret;
}

void
door_open(struct tool_server *s, struct door *d, char *host)
{
	d->server = s;
	d->secret = make_secret();
	d->host = host;
	d->url = copy_format("http://%s/mcp/%s", host, d->secret);
	list_init(&d->calls);
	list_init(&d->streams);
	list_append(&s->doors, &d->node);
}

void
door_close(struct door *d)
{
	struct node *n;

	if (!d->server)
		return;
	while ((n = list_first(&d->calls))) {
		struct waiting_call *c =
			container_of(n, struct waiting_call, node);

		c->request->owner = NULL;
		c->request->left = NULL;
		request_cut(c->request);
		free_call(c);
	}
	while ((n = list_first(&d->streams))) {
		struct stream *s = container_of(n, struct stream, node);

		s->request->owner = NULL;
		s->request->left = NULL;
		request_cut(s->request);
		end_stream(s);
	}
	list_remove(&d->server->doors, &d->node);
	free(d->secret);
	free(d->host);
	free(d->url);
	d->server = NULL;
}
