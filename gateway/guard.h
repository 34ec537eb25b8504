#pragma once
/*
 * guard - who may send requests
 *
 * A web page must not be able to start an agent.  A page whose name was pointed
 * at this machine (DNS rebinding) shows in Host; a page that calls another
 * origin shows in Origin; a request that a browser sends without a preflight
 * can't have the type of JSON.  And if there is a bearer, a request must carry
 * it.
 */
#include "proto/settings.h"
#include "proto/str.h"

struct guard {
	const struct settings *settings;
	char bound[64];	  /* the address we listen on */
	bool is_loopback; /* no other machine reaches it */
};

/* `fd` is the listening socket.  ERR_INVALID: other machines reach it, and
 * there is no bearer. */
must_check bool guard_init(struct guard *, const struct settings *, int fd,
			   struct error *);

/* Would other settings allow listening where we listen?  ERR_INVALID if not. */
must_check bool guard_allows(const struct guard *, const struct settings *,
			     struct error *);

/* An absent string is a header that was not sent. */
must_check bool guard_host(const struct guard *, struct str host,
			   struct error *);
must_check bool guard_origin(const struct guard *, struct str origin,
			     struct error *);
/* One header with the key is enough; if both are there both must be right. */
must_check bool guard_key(const struct guard *, struct str authorization,
			  struct str x_api_key, struct error *);
must_check bool guard_type(struct str content_type, struct str encoding,
			   struct error *);
