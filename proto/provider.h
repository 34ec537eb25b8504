#pragma once
/*
 * provider - rules for a provider's address and key, and names of its variables
 *
 *   BRIDGE_PROVIDER_<NAME>_BASE_URL   the address
 *   BRIDGE_PROVIDER_<NAME>_API_KEY    a key in place of the vendor's variable
 *
 * The supervisor checks both before it starts a process, and the worker for
 * providers uses them by the same rules.
 */
#include "proto/buf.h"

#define PROVIDER_PREFIX "BRIDGE_PROVIDER_"
#define PROVIDER_BASE_URL "_BASE_URL"
#define PROVIDER_API_KEY "_API_KEY"

/*
 * Reads the <NAME> of a variable that ends with `suffix`, in lower case.
 * False, and `name` is untouched, if the variable is another one, or if its
 * name is too long or has characters other than letters, digits and
 * underscores.
 */
bool provider_read_name(char name[MAX_NAME + 1], struct str variable,
			const char *suffix);

/* ERR_INVALID; the error names the variable and the fault in its value. */
must_check bool provider_check_url(const char *variable, struct str url,
				   struct error *);

/* A key must fit into an HTTP header; the error does not show it. */
must_check bool provider_check_key(const char *variable, struct str key,
				   struct error *);

/*
 * The host and port of a checked URL, without user and password:
 * "api.openai.com:8080".
 */
struct str provider_host(struct str url);

/* It is on this machine, where no proxy leads to. */
bool provider_is_local(struct str url);
