#pragma once
/*
 * guard - who may ask
 *
 * A web page must not be able to start an agent.  A page that has had its
 * name pointed at us says so in Host; one that calls across says so in
 * Origin; one that does without a preflight can't send JSON.  And if there is
 * a bearer, whoever asks must know it.
 */
#include "proto/settings.h"
#include "proto/str.h"

struct guard {
	const struct settings *settings;
	char bound[64];	  /* the address we listen on */
	bool is_loopback; /* and nobody else reaches it */
};

/* `fd` listens.  ERR_INVALID: others reach it, and there is no bearer. */
must_check bool guard_init(struct guard *, const struct settings *, int fd,
			   struct error *);

/* May we listen where we do, by other settings?  ERR_INVALID if not. */
must_check bool guard_allows(const struct guard *, const struct settings *,
			     struct error *);

/* Absent strings are headers that were not sent. */
must_check bool guard_host(const struct guard *, struct str host,
			   struct error *);
must_check bool guard_origin(const struct guard *, struct str origin,
			     struct error *);
/* One header with the key is enough; if both are there both must be right. */
must_check bool guard_key(const struct guard *, struct str authorization,
			  struct str x_api_key, struct error *);
must_check bool guard_type(struct str content_type, struct str encoding,
			   struct error *);
