/*
 * intake - a request's head and body, as libmicrohttpd hands them over
 *
 * The head is judged once; a body is kept or thrown away, and counted.  What is
 * refused in the middle of a body is answered at once, and the connection ends.
 */
#include "gateway/http/connection.h"

enum {
	BODY_MS = 30000, /* in which BODY_STEP bytes of a body must come */
	BODY_STEP = 64 << 10,
	MAX_SWALLOWED = 1 << 20, /* bytes of a body that nobody wants */
};

void
connection_await_body(struct connection *c)
{
	c->step = 0;
	connection_set_deadline(c, BODY_MS);
}

/* Reading a small body that nobody wants keeps the connection usable. */
static bool
may_swallow(const struct request *r)
{
	const char *length = request_header(r, "Content-Length");

	return !request_header(r, "Transfer-Encoding") &&
	       !request_header(r, "Expect") &&
	       (!length || strtoull(length, NULL, 10) <= MAX_SWALLOWED);
}

static bool
check_length(const struct request *r, struct error *e)
{
	const char *length = request_header(r, "Content-Length");

	return !length || strtoull(length, NULL, 10) <= r->http->max_body ||
	       fail_with(e, ERR_TOO_LARGE,
			 "the body of %s bytes is larger than the allowed %zu "
			 "(BRIDGE_MAX_BODY_BYTES)",
			 length, r->http->max_body);
}

bool
connection_take_head(struct connection *c)
{
	struct request *r = c->request;
	struct error e = { 0 };

	r->why = "answered";
	if (r->http->judge(r, &e) && check_length(r, &e))
		return true;
	if (!may_swallow(r)) {
		connection_fail(c, &e);
		return false;
	}
	r->refusal = xcalloc(1, sizeof e);
	*r->refusal = e;
	connection_event(c, ON_REFUSED);
	return true;
}

static bool
keep_piece(struct request *r, struct str piece, struct error *e)
{
	struct http *h = r->http;

	if (h->body_bytes + piece.len > h->max_bodies)
		return fail_with(
			e, ERR_QUEUE_FULL,
			"admission_rejected: queue_full: the bodies of "
			"requests under way have %zu bytes "
			"(BRIDGE_MAX_BODIES_BYTES)",
			h->body_bytes);
	if (!buf_add(&r->body, piece, e))
		return fail_with(
			e, ERR_TOO_LARGE,
			"the body is larger than the allowed %zu bytes "
			"(BRIDGE_MAX_BODY_BYTES)",
			r->body.max);
	h->body_bytes += piece.len;
	r->counted += piece.len;
	return h->heard(r, piece, e);
}

static bool
swallow(struct request *r, struct str piece, struct error *e)
{
	r->unread += piece.len;
	return r->unread <= MAX_SWALLOWED ||
	       fail_with(e, ERR_TOO_LARGE, "no body is wanted here");
}

bool
connection_take_piece(struct connection *c, struct str piece)
{
	struct request *r = c->request;
	struct error e = { 0 };
	bool ok;

	c->step += piece.len;
	if (c->step >= BODY_STEP) {
		connection_await_body(c);
	}
	if (c->state == CONN_REFUSED || !r->wants_body)
		ok = swallow(r, piece, &e);
	else
		ok = keep_piece(r, piece, &e);
	if (!ok)
		connection_fail(c, &e);
	return ok;
}
