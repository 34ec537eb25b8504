#pragma once
/*
 * provider - what a vendor's address and key may be, and what its variables
 *            are called
 *
 *   BRIDGE_PROVIDER_<NAME>_BASE_URL   where it is
 *   BRIDGE_PROVIDER_<NAME>_API_KEY    in place of the vendor's own variable
 *
 * The supervisor checks them before it starts anything, and the worker for
 * providers uses them: both by the same rules.
 */
#include "proto/buf.h"

#define PROVIDER_PREFIX "BRIDGE_PROVIDER_"
#define PROVIDER_BASE_URL "_BASE_URL"
#define PROVIDER_API_KEY "_API_KEY"

/*
 * The <NAME> of a variable that ends with `suffix`, in lower case.  False, and
 * `name` is untouched: it is no such variable, or its name is too long or has
 * other characters than letters, digits and underscores.
 */
bool provider_read_name(char name[MAX_NAME + 1], struct str variable,
			const char *suffix);

/* ERR_INVALID, which says what is wrong and names the variable. */
must_check bool provider_check_url(const char *variable, struct str url,
				   struct error *);

/* A key becomes part of a header; the error does not show it. */
must_check bool provider_check_key(const char *variable, struct str key,
				   struct error *);

/* Of a URL that was checked: what stands between "//" and the path, without a
 * password: "api.openai.com:8080". */
struct str provider_host(struct str url);
