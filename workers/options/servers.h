#pragma once
/*
 * servers - the MCP servers that a request wants its conversation to have
 *
 *   {"mcpServers": {"files": {"command": "npx", "args": [], "env": {}},
 *                   "web": {"type": "http", "url": "https://...",
 *                           "headers": {}}}}
 *
 * Each becomes an object with all that its kind has, so that a harness need
 * not look for defaults:
 *
 *   {"type":"stdio","command":C,"args":[...],"env":{...}}
 *   {"type":"http","url":U,"headers":{...}}         "sse" likewise
 *
 * and "timeout", in ms, if it was said.  Secrets may be in `env` and `headers`:
 * they belong into no argument, and into no file that others can read.
 */
#include <jansson.h>

#include "proto/error.h"

/*
 * The servers by their names, which the caller json_decref()s.  NULL:
 * ERR_INVALID, or ERR_UNSUPPORTED for what no harness has; `where` is what the
 * value was found in.  One with "enabled": false is left out.
 */
json_t *servers_read(const char *where, const json_t *value, struct error *);

/* The same, of the object of servers itself, which is found at `where`. */
json_t *servers_of(const char *where, const json_t *specs, struct error *);
