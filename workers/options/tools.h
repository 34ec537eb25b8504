#pragma once
/*
 * tools - functions that the caller's program runs for the model
 *
 * A request offers them in `tools`.  A harness with CAN_TOOLS offers them to
 * its CLI; a call of one ends the response, and the request with its result
 * goes on in the same process (workers/cli/parked.h).
 *
 * https://platform.openai.com/docs/api-reference/chat/create has the shapes.
 */
#include <jansson.h>

#include "workers/options/options.h"

/* A CLI is offered them as the tools of an MCP server of that name. */
#define CLIENT_SERVER "client"

enum {
	MAX_TOOL_NAME = 128, /* bytes */
};

/*
 * Each becomes {"name":N,"description":D,"parameters":S}, and S is a JSON
 * Schema of the type object: the caller json_decref()s the array.  Those that
 * are no functions are left out, and become members of `others`, by their
 * places.  NULL: ERR_INVALID.
 */
json_t *tools_read(const char *where, const json_t *value, json_t *others,
		   struct error *);

/* Reads tool_choice; *name is lent. */
must_check bool tools_read_choice(const char *where, const json_t *value,
				  enum tool_choice *, const char **name,
				  struct error *);

/*
 * The name by which a CLI knows a tool: the tool's own, or, if it has other
 * characters than A-Z, a-z, 0-9, "_" and "-" or more than `max`, another that
 * no other tool has.  The caller frees it.
 */
char *tool_told_name(const char *name, size_t max);

/* The other name in any case. */
char *tool_marked_name(const char *name, size_t max);

/* What a call is made with, as text: JSON of any kind, and an object if there
 * is nothing.  The caller frees it. */
char *call_arguments(const json_t *);

/* The tool with that name; NULL: there is none. */
const json_t *tools_find_told(const json_t *tools, const char *told,
			      size_t max);

/* What the MCP server that offers them answers to "initialize", whose `params`
 * these are; the caller json_decref()s it. */
json_t *tools_greeting(const json_t *params);
