#include "gateway/routes.h"

#include <stdio.h>

#include "proto/log.h"

static const struct route routes[] = {
#define ROUTE(METHOD, path, handler, key, body) \
	{ #METHOD, path, handle_##handler, key, body },
#include "gateway/routes.def"
};

enum { ROUTES = sizeof routes / sizeof *routes };

/* "/v1/models/" is "/models"; "/" stays. */
static struct str
plain(struct str path)
{
	const struct str version = STR("/v1/");

	if (str_starts(path, version))
		path = str_from(path, version.len - 1);
	while (path.len > 1 && path.ptr[path.len - 1] == '/')
		path.len--;
	return path;
}

static bool
takes_tail(const struct route *r)
{
	size_t len = strlen(r->path);

	return len > 1 && r->path[len - 1] == '/';
}

static bool
matches(const struct route *r, struct str path)
{
	struct str own = str_of(r->path);

	if (takes_tail(r))
		return str_starts(path, own) && path.len > own.len;
	return str_eq(path, own);
}

struct str
route_tail(const struct route *r, struct str path)
{
	return str_from(plain(path), strlen(r->path));
}

static const char *
methods_of(struct str path)
{
	static char methods[64];
	size_t n = 0;

	for (size_t i = 0; i < ROUTES; i++)
		if (matches(&routes[i], path))
			n += (size_t)snprintf(methods + n, sizeof methods - n,
					      "%s, ", routes[i].method);
	snprintf(methods + n, sizeof methods - n, "%sOPTIONS",
		 strstr(methods, "GET") && n ? "HEAD, " : "");
	return n ? methods : NULL;
}

bool
routes_find(struct str method, struct str path, const struct route **route,
	    const char **allow, struct error *e)
{
	const struct str asked = path;
	const char *methods;

	path = plain(path);
	if (str_is(method, "HEAD"))
		method = STR("GET");
	for (size_t i = 0; i < ROUTES; i++) {
		if (!matches(&routes[i], path) ||
		    !str_is(method, routes[i].method))
			continue;
		*route = &routes[i];
		return true;
	}
	methods = methods_of(path);
	if (!methods)
		return fail_with(e, ERR_NOT_FOUND, "there is nothing at %s",
				 log_quote(asked));
	*allow = methods;
	return fail_with(e, ERR_METHOD, "%s is answered to %s only",
			 log_quote(asked), methods);
}

const char *
routes_list(size_t n)
{
	static char text[64];
	const struct route *r = &routes[n];

	if (n >= ROUTES)
		return NULL;
	snprintf(text, sizeof text, "%s %s%s%s", r->method, n < 2 ? "" : "/v1",
		 r->path, takes_tail(r) ? "{id}" : "");
	return text;
}
