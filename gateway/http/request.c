#include "gateway/http/connection.h"

#include <assert.h>
#include <stdio.h>
#include <time.h>

#include "gateway/http/reader.h"
#include "proto/log.h"

enum {
	MAX_SAID = 64 << 10,	    /* bytes of headers and arguments */
	MAX_ANSWER_HEAD = 32 << 10, /* bytes of headers of an answer */
	SIGNATURE = 64,		    /* bytes, for which room is kept */
};

/* Life */

struct request *
request_new(struct connection *c)
{
	struct http *h = c->http;
	struct request *r = xcalloc(1, sizeof *r);

	r->http = h;
	r->connection = c;
	r->began = loop_now();
	r->why = "malformed";
	r->method = copy(STR("-"));
	r->path = copy(STR(""));
	r->said = BUF_INIT(MAX_SAID);
	r->body = BUF_INIT(h->max_body);
	r->headers = BUF_INIT(MAX_ANSWER_HEAD);
	chunk_writer_init(&r->writer);
	snprintf(r->id, sizeof r->id, "req_%016jx",
		 (uintmax_t)(h->last_id += 0x9e3779b97f4a7c15));
	list_append(&h->requests, &r->node);
	return r;
}

static void
log_end(const struct request *r)
{
	if (r->http->is_secret) {
		log_debug("%s %s: %d, %ju bytes, %ju ms, %s", r->id, r->method,
			  r->status, (uintmax_t)r->writer.total,
			  (uintmax_t)(loop_now() - r->began), r->why);
		return;
	}
	log_info("%s %s %s%s%s: %d, %ju bytes, %ju ms, %s", r->id, r->method,
		 log_quote(str_of(r->path)), r->model ? " for " : "",
		 r->model ? log_quote(str_of(r->model)) : "", r->status,
		 (uintmax_t)r->writer.total, (uintmax_t)(loop_now() - r->began),
		 r->why);
}

void
request_drop_body(struct request *r)
{
	r->http->body_bytes -= r->counted;
	r->counted = 0;
	buf_fini(&r->body);
	free(r->reading);
	r->reading = NULL;
}

void
request_free(struct request *r)
{
	struct http *h = r->http;

	log_end(r);
	list_remove(&h->requests, &r->node);
	list_remove(&h->unpushed, &r->unpushed);
	request_drop_body(r);
	buf_fini(&r->said);
	buf_fini(&r->headers);
	chunk_writer_fini(&r->writer);
	free(r->method);
	free(r->path);
	free(r->refusal);
	free(r->model);
	free(r);
	if (h->ended)
		h->ended(h);
}

static void
disown(struct request *r)
{
	r->left = r->taken = r->doubted = NULL;
}

void
request_tell_left(struct request *r)
{
	void (*left)(struct request *) = r->left;

	disown(r);
	if (left)
		left(r);
}

/* What was said */

struct said {
	char kind; /* 'h': a header, 'a': an argument */
	const char *name, *value;
};

void
request_say(struct request *r, const char *header, struct str value)
{
	auto_free char *text = copy(value); /* a NUL would end it, here too */

	if (r->said.len + strlen(header) + value.len + 3 > r->said.max)
		return;
	buf_put(&r->said, STR("h"));
	buf_put(&r->said, (struct str){ header, strlen(header) + 1 });
	buf_put(&r->said, (struct str){ text, strlen(text) + 1 });
}

static bool
next_said(const struct request *r, size_t *at, struct said *s)
{
	if (*at >= r->said.len)
		return false;
	s->kind = r->said.ptr[*at];
	s->name = r->said.ptr + *at + 1;
	s->value = s->name + strlen(s->name) + 1;
	*at += strlen(s->name) + strlen(s->value) + 3;
	return true;
}

static const char *
find_said(const struct request *r, char kind, const char *name)
{
	struct said s;

	for (size_t at = 0; next_said(r, &at, &s);)
		if (s.kind == kind && !strcasecmp(s.name, name))
			return s.value;
	return NULL;
}

const char *
request_header(const struct request *r, const char *name)
{
	return find_said(r, 'h', name);
}

const char *
request_argument(const struct request *r, const char *name)
{
	return find_said(r, 'a', name);
}

bool
request_header_agrees(const struct request *r, const char *name)
{
	const char *first = request_header(r, name);
	struct said s;

	for (size_t at = 0; next_said(r, &at, &s);)
		if (s.kind == 'h' && !strcasecmp(s.name, name) &&
		    strcmp(s.value, first) != 0)
			return false;
	return true;
}

bool
request_is(const struct request *r, const char *method)
{
	return !strcmp(r->method, method);
}

bool
request_is_left(const struct request *r)
{
	return r->connection->state == CONN_CLOSED;
}

/* Headers of the answer */

static void
add_header(struct request *r, const char *name, struct str value, size_t max)
{
	char *clean;

	if (!value.len)
		return;
	if (r->headers.len + strlen(name) + value.len + 2 > max) {
		log_warn("%s: no room for the header %s", r->id,
			 log_quote(str_of(name)));
		return;
	}
	clean = copy(value);
	for (size_t i = 0; i < value.len; i++)
		if ((unsigned char)clean[i] < ' ' || clean[i] == 0x7f)
			clean[i] = ' ';
	buf_put(&r->headers, (struct str){ name, strlen(name) + 1 });
	buf_put(&r->headers, (struct str){ clean, value.len + 1 });
	free(clean);
}

void
request_add(struct request *r, const char *name, struct str value)
{
	add_header(r, name, value, r->headers.max - SIGNATURE);
}

static bool
next_header(const struct request *r, size_t *at, const char **name,
	    const char **value)
{
	if (*at >= r->headers.len)
		return false;
	*name = r->headers.ptr + *at;
	*value = *name + strlen(*name) + 1;
	*at += strlen(*name) + strlen(*value) + 2;
	return true;
}

static bool
has_header(const struct request *r, const char *wanted)
{
	const char *name, *value;

	for (size_t at = 0; next_header(r, &at, &name, &value);)
		if (!strcasecmp(name, wanted))
			return true;
	return false;
}

/* An upstream may have given its answer an id already. */
static void
sign(struct request *r)
{
	add_header(r,
		   has_header(r, "X-Request-Id") ? "X-Bridge-Request-Id"
						 : "X-Request-Id",
		   str_of(r->id), r->headers.max);
}

/* The head of the answer */

static const char *
date_now(void)
{
	static char text[40];
	static time_t of;
	time_t now = time(NULL);
	struct tm utc;

	if (now != of || !*text) {
		gmtime_r(&now, &utc);
		strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc);
		of = now;
	}
	return text;
}

static void
write_head(struct request *r, int status)
{
	struct buf *b = chunk_writer_raw(&r->writer);
	const struct connection *c = r->connection;
	const char *name, *value;

	sign(r);
	r->status = status;
	buf_print(b, "HTTP/1.1 %d %s\r\n", status, reader_phrase(status));
	if (!has_header(r, "Date"))
		buf_print(b, "Date: %s\r\n", date_now());
	for (size_t at = 0; next_header(r, &at, &name, &value);)
		buf_print(b, "%s: %s\r\n", name, value);
	if (!c->keeps_alive)
		buf_print(b, "Connection: close\r\n");
	else if (c->is_http_1_0)
		buf_print(b, "Connection: keep-alive\r\n");
	buf_fini(&r->headers);
	buf_fini(&r->said);
	request_drop_body(r);
}

static bool
may_have_body(int status)
{
	return status >= 200 && status != 204 && status != 304;
}

void
request_answer(struct request *r, int status, struct buf *body)
{
	struct connection *c = r->connection;

	assert(c->state == CONN_WAITING);
	if (r->http->closing)
		c->keeps_alive = false;
	write_head(r, status);
	if (may_have_body(status))
		buf_print(chunk_writer_raw(&r->writer),
			  "Content-Length: %zu\r\n", body->len);
	buf_put(chunk_writer_raw(&r->writer), STR("\r\n"));
	if (body->len && may_have_body(status) && !request_is(r, "HEAD"))
		chunk_writer_give(&r->writer, body);
	buf_fini(body);
	disown(r);
	connection_event(c, ON_ANSWERED);
	connection_push(c);
}

void
request_fail(struct request *r, const struct error *e)
{
	struct buf body = BUF_INIT(MAX_ANSWER);

	r->why = error_slug(e->code);
	r->http->explain(r, e, &body);
	request_answer(r, error_http(e->code), &body);
}

/* Streams */

static void
on_push(struct timer *t)
{
	struct http *h = container_of(t, struct http, push);
	struct node *n;

	while ((n = list_first(&h->unpushed)))
		connection_push(
			container_of(n, struct request, unpushed)->connection);
}

/* All that is written before the loop goes on leaves together. */
static void
push_soon(struct request *r)
{
	struct http *h = r->http;

	if (r->is_blocked || r->unpushed.next)
		return;
	list_append(&h->unpushed, &r->unpushed);
	if (!timer_is_set(&h->push))
		loop_set(h->loop, &h->push, 0, on_push);
}

void
request_open(struct request *r, int status)
{
	struct connection *c = r->connection;

	assert(c->state == CONN_WAITING);
	if (r->http->closing || c->is_http_1_0)
		c->keeps_alive = false;
	write_head(r, status);
	buf_print(chunk_writer_raw(&r->writer), "%s\r\n",
		  c->is_http_1_0 ? "" : "Transfer-Encoding: chunked\r\n");
	r->writer.is_plain = c->is_http_1_0;
	connection_event(c, ON_OPENED);
	push_soon(r);
}

struct buf *
request_begin(struct request *r)
{
	push_soon(r);
	return chunk_writer_begin(&r->writer);
}

bool
request_is_unsent(const struct request *r)
{
	return r->writer.is_open;
}

void
request_close(struct request *r)
{
	disown(r);
	chunk_writer_end(&r->writer);
	connection_event(r->connection, ON_ANSWERED);
	push_soon(r);
}

void
request_cut(struct request *r)
{
	disown(r);
	r->why = "cut off";
	r->is_cut = true;
	r->connection->keeps_alive = false;
	connection_event(r->connection, ON_ANSWERED);
	push_soon(r);
}
