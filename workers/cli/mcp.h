#pragma once
/*
 * mcp - the MCP servers of a conversation, as the engine and the harnesses see
 * them
 *
 * options.servers holds them by their names, in the form of servers.h.  What
 * kinds of servers a CLI can use is in capabilities.def; a request with another
 * one is refused before anything was spent.  A CLI that tells that it could not
 * use a server fails the turn with ERR_MCP before the model is asked: a model
 * without the tools that it is to have would do something else.
 */
#include "workers/options/options.h"

/* How long a server may take to be there, and to answer a call, unless its
 * "timeout" says otherwise. */
enum { MCP_START_MS = 20000, MCP_CALL_MS = 600000 };

/* Are there any? */
static inline bool
mcp_is_wanted(const struct options *o)
{
	return json_object_size(o->servers) > 0;
}

/* Does not start a program. */
bool mcp_has_url(const json_t *server);
uint64_t mcp_call_ms(const json_t *server);

/*
 * A copy of a text, or of an array or object of texts, for a CLI that would put
 * its own variables into them: `dollar` stands for each "$".  The variables are
 * not the caller's: one may be the key of the vendor's.
 */
json_t *mcp_quote(const json_t *value, const char *dollar);

/* The texts of an object, quoted, as [{"name":N,"value":V}], which the caller
 * json_decref()s. */
json_t *mcp_pairs(const json_t *texts, const char *dollar);

/* What stands for "$" where "${NAME:-default}" is understood. */
#define MCP_DOLLAR "${CLI_BRIDGE_DOLLAR:-$}"

/* ERR_UNSUPPORTED names the first server that the harness cannot use; `can` is
 * its set of capabilities. */
must_check bool mcp_check(const struct options *, const char *harness,
			  uint64_t can, struct error *);

/*
 * ERR_MCP: the CLI could not use the server `name`.  `why` are its words, or
 * NULL; they are left out if there is a secret of a server's in them, for
 * errors are logged.  Returns false.
 */
bool mcp_fail(const struct options *, const char *harness, const char *name,
	      const char *why, struct error *);

/* Adds to an error, of a CLI that was not ready in time, that it may have
 * waited for a server; nothing if there are none. */
void mcp_explain_wait(const struct options *, struct error *);
