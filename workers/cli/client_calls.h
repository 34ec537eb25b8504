#pragma once
/*
 * client_calls - the calls of the caller's tools that a model has made in a
 * turn, and that are not answered yet
 *
 * Some CLIs tell of all calls of a message before they ask for the result of
 * the first, and then ask for one after the other; others only ask.  What a CLI
 * tells and what it asks come by different ways, and may be read in any order;
 * and no CLI says which of its calls it is that it asks for.  So a question is
 * matched with a call by the tool and the arguments.
 */
#include "workers/tools/server.h"

struct model_call {
	struct node node;  /* in client_calls.all, as the model made them */
	char *id;	   /* a number of ours */
	char *cli;	   /* its id in the CLI; NULL: not told */
	char *name;	   /* of the tool, as the CLI was told of it */
	json_t *arguments; /* NULL: not known yet */
	struct waiting_call *asks; /* NULL: the CLI does not, for now */
	bool was_told;		   /* to the caller, who has it to answer */
	json_t *result;		   /* as MCP has it, until the CLI asks; NULL:
				    * there is none */
};

struct client_calls {
	struct list all;  /* of struct model_call */
	uint64_t last_id; /* that was given to one */
};

/* The CLI asks for the result of a call. */
struct model_call *client_calls_ask(struct client_calls *,
				    struct waiting_call *);

/* The CLI has told of a call; `arguments` MAY be NULL, if they follow. */
void client_calls_announce(struct client_calls *, const char *cli,
			   const char *name, const json_t *arguments);

/* NULL: there is none. */
struct model_call *client_calls_find(const struct client_calls *,
				     const char *cli);
struct model_call *client_calls_that_asks(const struct client_calls *,
					  const struct waiting_call *);

void client_calls_forget(struct client_calls *, struct model_call *);
void client_calls_forget_all(struct client_calls *);
