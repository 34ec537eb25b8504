#pragma once
/*
 * server - the MCP server of a worker, through which its CLIs reach the
 * caller's tools
 *
 * A CLI with no way of its own is told of an MCP server on this machine, whose
 * address has a secret of one conversation in it: that is the conversation's
 * door.  What the CLI finds behind it are the caller's tools.  A call of one
 * stays open, as a stream in which comments are written, until it is answered.
 *
 * https://modelcontextprotocol.io/specification has the protocol, of which this
 * is the part "Streamable HTTP".
 */
#include <jansson.h>

#include "gateway/http/http.h"

struct door;

/* A call that waits for its result. */
struct waiting_call {
	struct node node; /* in door.calls */
	struct door *door;
	struct request *request; /* NULL: the CLI has gone */
	json_t *id;		 /* of the CLI's request */
	json_t *progress;	 /* the CLI's token for progress; NULL: none */
	char *name;		 /* as the CLI calls it */
	json_t *arguments;
};

struct door {
	struct node node; /* in tool_server.doors */
	struct tool_server *server;
	char *host;	     /* by which the CLI reaches it, with its port */
	char *url;	     /* for the CLI */
	char *secret;	     /* at its end */
	struct list calls;   /* that wait */
	struct list streams; /* in which the CLI hears of changes */
	bool was_listed;     /* the CLI has asked for the tools */

	/* The tools as MCP lists them: an array, which the caller
	 * json_decref()s. */
	json_t *(*tools)(struct door *);

	/* A call has come: it is answered later.  It, or the CLI's interest in
	 * it, is gone. */
	void (*called)(struct waiting_call *);
	void (*dropped)(struct waiting_call *);
	void (*listed)(struct door *); /* MAY be NULL */
};

struct tool_server {
	struct loop *loop;
	struct http http;
	uint16_t port;
	bool is_open;
	struct list doors;
	struct timer beat;
};

/* Listens on the loopback, as long as the worker lives. */
must_check bool tool_server_open(struct tool_server *, struct loop *,
				 const struct settings *, struct error *);
void tool_server_fini(struct tool_server *);

/* `door` has its functions set; the rest is filled in.  Takes `host`, as of
 * executor_expose(). */
void door_open(struct tool_server *, struct door *, char *host);

/* Calls that wait are dropped without a word, and the address is good no more.
 */
void door_close(struct door *);

/* The CLI is told that the tools are others. */
void door_tell_change(struct door *);

/* The result of a call, as MCP has it.  Takes `result`; the call is gone. */
void door_answer(struct waiting_call *, json_t *result);
