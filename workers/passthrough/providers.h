#pragma once
/*
 * providers - whose APIs there are, where, and with which keys
 *
 * Those of providers.def, and those that the environment adds or moves:
 *
 *   BRIDGE_PROVIDER_<NAME>_BASE_URL   where it is
 *   BRIDGE_PROVIDER_<NAME>_API_KEY    in place of the vendor's own variable
 *
 * One that the environment has given an address needs no key: it may be a
 * server on this machine.  The others can't be used without one.
 */
#include "proto/buf.h"

struct provider {
	char *name;	    /* "openai"; in lower case */
	char *base_url;	    /* without a slash at its end */
	char *host;	    /* "api.openai.com:8080", for messages */
	char *key;	    /* NULL: none is sent */
	char *key_variable; /* which would give the key */
	bool is_local;	    /* loopback: no proxy leads there */
	bool usable;
};

struct providers {
	struct provider *rows;
	size_t count;
};

/* fini is needed even if it failed: ERR_INVALID, naming the variable. */
must_check bool providers_read(struct providers *, struct error *);
void providers_fini(struct providers *);

/* In any case, and with '-' for '_'.  NULL: there is none. */
const struct provider *providers_find(const struct providers *,
				      const char *name);

/* False: nothing can be used.  `detail` then says what to set. */
bool providers_describe(const struct providers *, struct buf *detail);
