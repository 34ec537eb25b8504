#pragma once
/*
 * allowed - which hosts the programs of a container may reach
 *
 * The value of <NAME>_NET is "allow:" and names of hosts, with commas; a name
 * that begins with "*." means all names below it, and a port may follow.  The
 * proxy that lets them through is told so by patterns that match the whole
 * address in a request: a name, and its port.
 */
#include "proto/buf.h"

enum {
	MAX_ALLOWED = 256,
	HTTPS_PORT = 443,
	HTTP_PORT = 80,
};

struct allowed_host {
	char *name;    /* in lower case; of those below it if is_below */
	bool is_below; /* "*.name" */
	unsigned port; /* 0: tunnels to HTTPS_PORT, plain requests to
			  HTTP_PORT */
};

struct allowed {
	struct allowed_host *of;
	size_t count; /* 0: there is no such setting */
};

/* What a right value is, for people. */
#define ALLOWED_RIGHT                                                    \
	"allow: and names of hosts with commas, each of which may have " \
	"*. before it and a port behind it: "                            \
	"allow:api.example.com,*.example.org,localhost:8080"

/* False: the value is not right.  NULL is, and allows nothing.  The caller
 * needs allowed_fini() even if reading failed. */
must_check bool allowed_read(struct allowed *, const char *value);
void allowed_fini(struct allowed *);

/* The port of a tunnel to it. */
unsigned allowed_port(const struct allowed_host *);

/* May a tunnel lead to that port of some host? */
bool allowed_has_port(const struct allowed *, unsigned port);

/* The proxy's patterns, as extended regular expressions, one on a line. */
void allowed_print_filter(const struct allowed *, struct buf *);

/* The names of loopback that programs reach without the proxy: all but those
 * that are allowed, which are the machine's. */
void allowed_print_direct(const struct allowed *, struct buf *);

/* Whether a name of loopback is one of them. */
bool allowed_is_direct(const struct allowed *, const char *name);
