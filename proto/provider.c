#include "proto/provider.h"

#include <ctype.h>

#include "proto/address.h"

bool
provider_read_name(char name[MAX_NAME + 1], struct str variable,
		   const char *suffix)
{
	struct str s = variable, end = str_of(suffix);
	size_t around = sizeof PROVIDER_PREFIX - 1 + end.len;

	if (s.len <= around || s.len - around > MAX_NAME ||
	    !str_starts(s, STR(PROVIDER_PREFIX)) ||
	    !str_eq(str_from(s, s.len - end.len), end))
		return false;
	s = str_from(s, sizeof PROVIDER_PREFIX - 1);
	s.len -= end.len;
	for (size_t i = 0; i < s.len; i++)
		if (!isalnum((unsigned char)s.ptr[i]) && s.ptr[i] != '_')
			return false;
	for (size_t i = 0; i < s.len; i++)
		name[i] = (char)tolower((unsigned char)s.ptr[i]);
	name[s.len] = '\0';
	return true;
}

static bool
starts_with_scheme(struct str *url)
{
	if (str_starts(*url, STR("https://")))
		*url = str_from(*url, sizeof "https://" - 1);
	else if (str_starts(*url, STR("http://")))
		*url = str_from(*url, sizeof "http://" - 1);
	else
		return false;
	return true;
}

/* The part before the path, without what is before an "@". */
static struct str
host_of(struct str after_scheme)
{
	struct str path, host = str_cut(after_scheme, '/', &path);
	const char *at = host.len ? memrchr(host.ptr, '@', host.len) : NULL;

	return at ? str_from(host, (size_t)(at - host.ptr) + 1) : host;
}

struct str
provider_host(struct str url)
{
	struct str rest = url;

	return starts_with_scheme(&rest) ? host_of(rest)
					 : (struct str){ NULL, 0 };
}

static bool
is_port(struct str port)
{
	unsigned n = 0;

	for (size_t i = 0; i < port.len; i++) {
		if (!isdigit((unsigned char)port.ptr[i]) || i == 5)
			return false;
		n = 10 * n + (unsigned)(port.ptr[i] - '0');
	}
	return n > 0 && n <= UINT16_MAX;
}

static struct str
port_of(struct str host)
{
	const char *end = host.len ? memrchr(host.ptr, ']', host.len) : NULL;
	struct str port;

	if (end)
		host = str_from(host, (size_t)(end - host.ptr));
	(void)str_cut(host, ':', &port);
	return port;
}

/* NULL: nothing is wrong. */
static const char *
wrong_with(struct str url)
{
	struct str rest = url, host;

	if (!starts_with_scheme(&rest))
		return "must begin with http:// or https://";
	for (size_t i = 0; i < url.len; i++) {
		if (url.ptr[i] == '?')
			return "must have no query: leave out what begins "
			       "with \"?\"";
		if (url.ptr[i] == '#')
			return "must have no fragment: leave out what begins "
			       "with \"#\"";
		if (!isgraph((unsigned char)url.ptr[i]))
			return "must have no white space and no other "
			       "characters than those of ASCII";
	}
	if (url.len >= MAX_URL)
		return "must have less than 2048 characters";
	host = host_of(rest);
	if (!host.len || *host.ptr == ':')
		return "must name a host";
	if (port_of(host).ptr && !is_port(port_of(host)))
		return "must have a port from 1 to 65535, or none";
	return NULL;
}

_Static_assert(MAX_URL == 2048, "a message says so");

bool
provider_check_url(const char *variable, struct str url, struct error *e)
{
	const char *wrong = wrong_with(url);

	return !wrong ||
	       fail_with(e, ERR_INVALID, "%s is \"%.*s\", but a base URL %s",
			 variable, (int)(url.len < 200 ? url.len : 200),
			 url.ptr, wrong);
}

bool
provider_check_key(const char *variable, struct str key, struct error *e)
{
	for (size_t i = 0; i < key.len; i++)
		if (!isgraph((unsigned char)key.ptr[i]))
			return fail_with(e, ERR_INVALID,
					 "%s has white space or another "
					 "character in it that a key can't "
					 "have: copy the key again",
					 variable);
	return true;
}

/* "[::1]:80" is "[::1]", "localhost:80" is "localhost". */
static struct str
without_port(struct str host)
{
	const char *end = host.len && *host.ptr == '['
				  ? memchr(host.ptr, ']', host.len)
				  : NULL;
	struct str port;

	if (!end)
		return str_cut(host, ':', &port);
	return (struct str){ host.ptr, (size_t)(end - host.ptr) + 1 };
}

bool
provider_is_local(struct str url)
{
	return host_is_loopback(without_port(provider_host(url)));
}
