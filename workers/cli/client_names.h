#pragma once
/*
 * client_names - the names under which a CLI is told of the caller's tools
 *
 * A CLI puts the name of a server before that of a tool, and may then have too
 * little room, or make one of several underscores.  So a name may be another
 * than the caller's; whatever a CLI does to them, no two are the same.
 */
#include <jansson.h>

enum { MAX_CLIENT_TOOL = 44 /* of a name, as the CLI knows it */ };

/* Of the tool at that place, as tools.h has them; the caller frees it. */
char *client_name(const json_t *tools, size_t i);

/* The tool of that name; as the CLI was told of it, or as it may show it to
 * its model.  NULL: there is none. */
const json_t *client_named(const json_t *tools, const char *name);
const json_t *
client_shown(const json_t *tools, const char *shown,
	     char **name); /* as it was told: the caller frees it */
