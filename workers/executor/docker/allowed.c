#include "workers/executor/docker/allowed.h"

#include <ctype.h>

#define ALLOW "allow:"
#define BELOW "*."

enum {
	MAX_NAME_BYTES = 253, /* of DNS */
	MAX_PORT = 65535,
};

/* Labels that are not empty, with dots between them. */
static bool
is_host(struct str s)
{
	if (!s.len || s.len > MAX_NAME_BYTES)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		bool is_end = i == 0 || i + 1 == s.len;

		if (s.ptr[i] == '.' ? is_end || s.ptr[i - 1] == '.'
				    : !isalnum((unsigned char)s.ptr[i]) &&
					      !strchr("_-", s.ptr[i]))
			return false;
	}
	return true;
}

static bool
read_port(struct str s, unsigned *port)
{
	if (!s.len || s.len > 5)
		return false;
	*port = 0;
	for (size_t i = 0; i < s.len; i++) {
		if (!isdigit((unsigned char)s.ptr[i]))
			return false;
		*port = *port * 10 + (unsigned)(s.ptr[i] - '0');
	}
	return *port >= 1 && *port <= MAX_PORT;
}

static bool
read_host(struct allowed *a, struct str text)
{
	struct str port, name = str_cut(text, ':', &port);
	struct allowed_host *h = &a->of[a->count];

	*h = (struct allowed_host){ .is_below = str_starts(name, STR(BELOW)) };
	if (h->is_below)
		name = str_from(name, strlen(BELOW));
	if (!is_host(name) || (port.ptr && !read_port(port, &h->port)))
		return false;
	h->name = copy(name);
	for (char *c = h->name; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	a->count++;
	return true;
}

bool
allowed_read(struct allowed *a, const char *value)
{
	struct str rest = str_of(value);

	*a = (struct allowed){ 0 };
	if (!value)
		return true;
	if (!str_starts(rest, STR(ALLOW)))
		return false;
	rest = str_from(rest, strlen(ALLOW));
	a->of = xcalloc(MAX_ALLOWED, sizeof *a->of);
	do {
		struct str host = str_cut(rest, ',', &rest);

		if (a->count == MAX_ALLOWED || !read_host(a, str_trim(host)))
			return false;
	} while (rest.ptr);
	return true;
}

void
allowed_fini(struct allowed *a)
{
	for (size_t i = 0; i < a->count; i++)
		free(a->of[i].name);
	free(a->of);
	*a = (struct allowed){ 0 };
}

unsigned
allowed_port(const struct allowed_host *h)
{
	return h->port ? h->port : HTTPS_PORT;
}

bool
allowed_has_port(const struct allowed *a, unsigned port)
{
	for (size_t i = 0; i < a->count; i++)
		if (allowed_port(&a->of[i]) == port)
			return true;
	return false;
}

static void
print_name(const struct allowed_host *h, struct buf *to)
{
	if (h->is_below)
		buf_print(to, "([a-z0-9_-]+\\.)+");
	for (const char *c = h->name; *c; c++)
		buf_print(to, *c == '.' ? "\\%c" : "%c", *c);
}

/* A port that a request need not name is optional. */
static void
print_port(unsigned port, unsigned usual, struct buf *to)
{
	buf_print(to, port == usual ? "(:%u)?" : ":%u", port);
}

/* A request is "host:port" for a tunnel, or "http://host:port/path". */
void
allowed_print_filter(const struct allowed *a, struct buf *to)
{
	for (size_t i = 0; i < a->count; i++) {
		const struct allowed_host *h = &a->of[i];

		buf_print(to, "^");
		print_name(h, to);
		print_port(allowed_port(h), HTTPS_PORT, to);
		buf_print(to, "$\n^http://");
		print_name(h, to);
		print_port(h->port ? h->port : HTTP_PORT, HTTP_PORT, to);
		buf_print(to, "(/|$)\n");
	}
}

bool
allowed_is_direct(const struct allowed *a, const char *name)
{
	for (size_t i = 0; i < a->count; i++)
		if (!a->of[i].is_below && !strcmp(a->of[i].name, name))
			return false;
	return true;
}

void
allowed_print_direct(const struct allowed *a, struct buf *to)
{
	static const char *const names[] = { "localhost", "127.0.0.1", "::1" };
	const char *comma = "";

	for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
		if (!allowed_is_direct(a, names[n]))
			continue;
		buf_print(to, "%s%s", comma, names[n]);
		comma = ",";
	}
}
