#include "gateway/guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "proto/address.h"
#include "proto/log.h"

bool
guard_init(struct guard *g, const struct settings *s, int fd, struct error *e)
{
	struct sockaddr_storage a = { 0 };
	socklen_t len = sizeof a;
	const struct sockaddr_in *v4 = (const void *)&a;
	const struct sockaddr_in6 *v6 = (const void *)&a;

	*g = (struct guard){ .settings = s };
	if (getsockname(fd, (struct sockaddr *)&a, &len) < 0)
		return fail_errno(e, "getsockname");
	g->is_loopback = address_is_loopback((struct sockaddr *)&a);
	if (a.ss_family == AF_INET)
		inet_ntop(AF_INET, &v4->sin_addr, g->bound, sizeof g->bound);
	else if (a.ss_family == AF_INET6)
		inet_ntop(AF_INET6, &v6->sin6_addr, g->bound, sizeof g->bound);
	return guard_allows(g, s, e);
}

bool
guard_allows(const struct guard *g, const struct settings *s, struct error *e)
{
	return g->is_loopback || s->bearer ||
	       fail_with(e, ERR_INVALID,
			 "listening on %s, which is not loopback, needs "
			 "BRIDGE_BEARER",
			 g->bound);
}

/* "[::1]:80" is "::1", "localhost:80" is "localhost". */
static struct str
without_port(struct str host)
{
	struct str rest;

	if (!host.len || *host.ptr != '[')
		return str_cut(host, ':', &rest);
	return str_cut(str_from(host, 1), ']', &rest);
}

bool
guard_host(const struct guard *g, struct str host, struct error *e)
{
	const struct settings *s = g->settings;
	struct str name = without_port(host);

	/* HTTP/1.0 needs no Host, and no browser speaks it. */
	if (!host.ptr || (s->bearer && !g->is_loopback))
		return true;
	if (name.len && (str_list_has(STR("127.0.0.1 localhost ::1"), name) ||
			 str_same(name, str_of(g->bound)) ||
			 str_list_has(str_of(s->allowed_hosts), name) ||
			 str_list_has(str_of(s->allowed_hosts), host)))
		return true;
	return fail_with(e, ERR_FORBIDDEN,
			 "the Host %s is not a name of this server; more can "
			 "be named in BRIDGE_ALLOWED_HOSTS",
			 log_quote(host));
}

bool
guard_origin(const struct guard *g, struct str origin, struct error *e)
{
	struct str allowed = str_of(g->settings->allowed_origins);

	if (!origin.ptr || str_list_has(allowed, origin))
		return true;
	if (g->settings->bearer && str_list_has(allowed, STR("*")))
		return true;
	return fail_with(e, ERR_FORBIDDEN,
			 "the Origin %s may not call; those that may are named "
			 "in BRIDGE_ALLOWED_ORIGINS",
			 log_quote(origin));
}

/* The time that it takes depends on the key that was given only.  No key fits
 * an empty secret. */
static bool
is_same_secret(struct str given, struct str secret)
{
	unsigned char different = given.len != secret.len || !secret.len;

	for (size_t i = 0; i < given.len; i++)
		different |=
			(unsigned char)(given.ptr[i] ^
					(i < secret.len ? secret.ptr[i] : 0));
	return !different;
}

static bool
is_bearer(struct str authorization, struct str secret)
{
	struct str key, scheme = str_cut(authorization, ' ', &key);

	return str_same(scheme, STR("Bearer")) && key.ptr &&
	       is_same_secret(str_trim(key), secret);
}

bool
guard_key(const struct guard *g, struct str authorization, struct str x_api_key,
	  struct error *e)
{
	struct str secret = str_of(g->settings->bearer);

	x_api_key = str_trim(x_api_key);
	if (!g->settings->bearer)
		return true;
	if (!authorization.len && !x_api_key.len)
		return fail_with(
			e, ERR_UNAUTHORIZED,
			"a key is needed: send \"Authorization: Bearer "
			"KEY\" or \"x-api-key: KEY\"");
	if (authorization.len && !is_bearer(authorization, secret))
		return fail_with(e, ERR_UNAUTHORIZED,
				 "the bearer in Authorization is wrong");
	return !x_api_key.len || is_same_secret(x_api_key, secret) ||
	       fail_with(e, ERR_UNAUTHORIZED, "the key in x-api-key is wrong");
}

bool
guard_type(struct str type, struct str encoding, struct error *e)
{
	struct str parameters;

	type = str_trim(str_cut(type, ';', &parameters));
	if (!str_same(type, STR("application/json")))
		return fail_with(e, ERR_MEDIA_TYPE,
				 "Content-Type must be application/json");
	if (encoding.len && !str_same(encoding, STR("identity")))
		return fail_with(e, ERR_MEDIA_TYPE,
				 "a body with a Content-Encoding is not read");
	return true;
}
