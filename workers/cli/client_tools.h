#pragma once
/*
 * client_tools - the caller's tools, for a CLI that takes them as an MCP server
 *
 * A harness with TOOLS_BY_MCP need not know of them: a conversation whose
 * options have tools has one MCP server more among its servers (../tools/), and
 * calls of that are calls of the caller's tools.
 *
 * A model may make several calls in one message.  All that are known when the
 * CLI asks for the first result, and those that come within moments, end the
 * response together: a CLI may ask for all of them at once, or its harness may
 * know of them (client_tools_announce).  Their results are kept until the CLI
 * asks.  A call that is known only later ends a response of its own.
 */
#include "workers/cli/conversation.h"

/* Of a conversation that is made; false: with an error.  Nothing, if there are
 * no tools. */
must_check bool client_tools_open(struct conversation *, struct error *);
void client_tools_close(struct conversation *);

/* The doors of conversations that have just been over. */
void client_tools_fini(struct pool *);

/* The options of the conversation are others: adds the server to them, and
 * tells the CLI of other tools. */
void client_tools_take(struct conversation *);

/* A turn begins: calls of an earlier one that are left are over. */
void client_tools_begin(struct conversation *);
