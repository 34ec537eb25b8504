#include "gateway/routes.h"

#include <ctype.h>
#include <stdio.h>

#include "proto/buf.h"
#include "proto/log.h"
#include "proto/utf8.h"

static const struct route routes[] = {
#define ROUTE(METHOD, path, handler, key, body) \
	{ #METHOD, path, handle_##handler, key, body },
#include "gateway/routes.def"
};

enum { ROUTES = sizeof routes / sizeof *routes };

/* The path in "http://host/path", the form in which proxies are asked. */
static struct str
without_origin(struct str target)
{
	struct str rest, scheme = str_cut(target, ':', &rest);
	const char *slash;

	if ((!str_same(scheme, STR("http")) &&
	     !str_same(scheme, STR("https"))) ||
	    !rest.ptr || !str_starts(rest, STR("//")))
		return target;
	rest = str_from(rest, 2);
	slash = rest.len ? memchr(rest.ptr, '/', rest.len) : NULL;
	return slash ? str_from(rest, (size_t)(slash - rest.ptr)) : STR("/");
}

/* Clients that join a base URL and a path badly send one slash too many. */
static struct str
with_one_slash(struct str path)
{
	while (str_starts(path, STR("//")))
		path = str_from(path, 1);
	return path;
}

/*
 * "/v1/models/" is "/models", "/v1" is "/".  The slashes within an id are its
 * own.
 */
static struct str
plain(struct str path)
{
	const struct str version = STR("/v1");

	path = with_one_slash(without_origin(path));
	if (str_eq(path, version))
		return STR("/");
	if (str_starts(path, STR("/v1/")))
		path = with_one_slash(str_from(path, version.len));
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

static int
digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* The next byte, decoded; -1: the escape is malformed. */
static int
take_byte(struct str *s)
{
	int c = (unsigned char)*s->ptr, high, low;

	*s = str_from(*s, 1);
	if (c != '%')
		return c;
	high = s->len >= 2 ? digit(s->ptr[0]) : -1;
	low = high >= 0 ? digit(s->ptr[1]) : -1;
	if (low < 0)
		return -1;
	*s = str_from(*s, 2);
	return high << 4 | low;
}

bool
route_tail(const struct route *r, struct str path, char **tail, struct error *e)
{
	struct str rest = str_from(plain(path), strlen(r->path));
	char *bytes auto_free = xcalloc(1, rest.len + 1);
	size_t n = 0;

	while (rest.len) {
		int c = take_byte(&rest);

		if (c < ' ' || c == 0x7f)
			return fail_with(e, ERR_INVALID,
					 "%s has an escape that is none, or a "
					 "control character",
					 log_quote(path));
		bytes[n++] = (char)c;
	}
	if (!utf8_valid((struct str){ bytes, n }))
		return fail_with(e, ERR_INVALID, "%s is not UTF-8",
				 log_quote(path));
	*tail = bytes;
	bytes = NULL;
	return true;
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
