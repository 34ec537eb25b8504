#include "gateway/judge.h"

#include "gateway/chat/fields.h"
#include "gateway/gateway.h"
#include "gateway/reply.h"

static struct gateway *
gateway_of(const struct request *r)
{
	return container_of(r->http, struct gateway, http);
}

static struct str
header(const struct request *r, const char *name)
{
	return str_of(request_header(r, name));
}

static void
allow_origin(struct request *r, struct str origin)
{
	if (!origin.ptr)
		return;
	request_add(r, "Access-Control-Allow-Origin", origin);
	request_add(r, "Access-Control-Expose-Headers", STR("*"));
	request_add(r, "Vary", STR("Origin"));
}

bool
judge_is_preflight(const struct request *r)
{
	return request_is(r, "OPTIONS");
}

static bool
check_preflight(struct request *r, struct str origin, struct error *e)
{
	struct str headers = header(r, "Access-Control-Request-Headers");

	if (!origin.ptr)
		return fail_with(e, ERR_FORBIDDEN,
				 "OPTIONS is answered to an Origin only");
	request_add(r, "Access-Control-Allow-Methods",
		    STR("GET, POST, DELETE"));
	request_add(r, "Access-Control-Allow-Headers",
		    headers.ptr ? headers : STR("Authorization, Content-Type"));
	if (request_header(r, "Access-Control-Request-Private-Network"))
		request_add(r, "Access-Control-Allow-Private-Network",
			    STR("true"));
	request_add(r, "Access-Control-Max-Age", STR("600"));
	return true;
}

static bool
check_key(const struct gateway *g, const struct request *r, struct error *e)
{
	return guard_key(&g->guard, header(r, "Authorization"),
			 header(r, "X-Api-Key"), e);
}

static bool
check_route(struct gateway *g, struct request *r, struct error *e)
{
	const char *allow = NULL;
	struct str path = str_of(r->path);

	/* A client without the key does not learn which paths there are. */
	if (!routes_find(str_of(r->method), path, &r->route, &allow, e)) {
		struct error unknown = { 0 };

		if (!check_key(g, r, &unknown))
			*e = unknown;
		else
			request_add(r, "Allow", str_of(allow));
		return false;
	}
	if (r->route->key == NEEDS_KEY && !check_key(g, r, e))
		return false;
	r->wants_body = r->route->body == JSON_BODY;
	if (r->wants_body)
		r->reading = xcalloc(1, sizeof(struct fields));
	return !r->wants_body || guard_type(header(r, "Content-Type"),
					    header(r, "Content-Encoding"), e);
}

/* Refuses repeated headers that differ: a proxy in front of us may have checked
 * the other one. */
static bool
check_repeated(const struct request *r, struct error *e)
{
	static const char *const names[] = {
		"Host",
		"Origin",
		"Authorization",
		"X-Api-Key",
		"X-Session-Id",
		"X-Resume",
		"X-Conversation-Id",
		"X-Cwd",
		"Idempotency-Key",
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!request_header_agrees(r, names[i]))
			return fail_with(e, ERR_INVALID,
					 "the header %s is there more than "
					 "once, and differs",
					 names[i]);
	return true;
}

void
judge_explain(struct request *r, const struct error *e, struct buf *body)
{
	struct error forbidden;
	struct str origin = header(r, "Origin");

	if (!r->was_judged && origin.ptr &&
	    guard_origin(&gateway_of(r)->guard, origin, &forbidden))
		allow_origin(r, origin);
	reply_explain(r, e, body);
}

bool
judge_may_see(const struct request *r)
{
	struct gateway *g = gateway_of(r);
	struct error e;

	return g->guard.is_loopback || check_key(g, r, &e);
}

bool
judge(struct request *r, struct error *e)
{
	struct gateway *g = gateway_of(r);
	struct str origin = header(r, "Origin");

	r->was_judged = true;
	if (!check_repeated(r, e) ||
	    !guard_host(&g->guard, header(r, "Host"), e) ||
	    !guard_origin(&g->guard, origin, e))
		return false;
	allow_origin(r, origin);
	if (judge_is_preflight(r))
		return check_preflight(r, origin, e);
	return check_route(g, r, e);
}
