#pragma once
/*
 * factory - Factory's droid, over JSON-RPC on its stdin
 *
 *   factory.c   the process is started, and a conversation opened
 *   servers.c   the MCP servers of the caller's
 *   tools.c     the tools of the caller's
 *   turn.c      a turn is said: the model, the messages
 *   effort.c    how long the model may think
 *   events.c    what droid tells, and what it asks for
 *   failure.c   what its failures mean
 *
 * Written for version 0.225.2.  Its messages have two members more than
 * JSON-RPC has, and its ids are text.  One process holds one conversation:
 * droid would send the history of the first to the model in a second one.
 */
#include "workers/cli/blocks.h"
#include "workers/cli/rpc.h"

/* The version of the protocol, not of the program. */
#define FACTORY_API "1.0.0"

enum { MAX_UUID = 36 };

/* conversation->own */
struct factory {
	struct rpc rpc;
	struct conversation *conversation;
	char *home;		  /* of the CLI; NULL: it has none */
	bool has_login;		  /* for the models that its vendor hosts */
	json_t *models;		  /* id: whether it can see images */
	json_t *efforts;	  /* id: what it takes, and what is usual */
	char *effort;		  /* of the session; NULL: not known */
	char *usual_effort;	  /* of the default model; NULL: not known */
	const char *asked_effort; /* the turn's; NULL: whatever it is */
	char *default_model;	  /* droid's own choice; or NULL */
	char *said_model;	  /* the model that is set; NULL: none */
	json_t *preface;	  /* parts before the first message; or NULL */
	json_t *waiting; /* the message that waits for the model; or NULL */
	char turn[MAX_UUID + 1];      /* our id of the turn's message */
	char model[MAX_MODEL];	      /* who answers */
	struct paragraphs paragraphs; /* of this turn */
	bool has_said;	      /* the message under way has said something */
	json_t *client_calls; /* ids of calls of the caller's tools; or NULL */
	bool is_parked;	      /* the turn waits for their results... */
	json_t *kept;	      /* ...and this was heard meanwhile; or NULL */
	char *settings; /* the file of those for this process alone; or NULL */
	void (*then)(struct factory *); /* once the servers are there */
	struct error why;		/* why we have stopped the turn */
	char words[MAX_ERROR_TEXT]; /* droid's words for what went wrong; or ""
				     */
};

extern const struct harness factory;

/* turn.c */
void factory_say(struct conversation *);
void factory_interrupt(struct conversation *);

/* What a message to droid says, from the blocks of factory_blocks(). */
void factory_set_content(json_t *message, const json_t *blocks);

/* Appends droid's blocks for parts that are text, images or files. */
must_check bool factory_blocks(json_t *blocks, const json_t *parts,
			       struct error *e);

/* safe.c: what droid may do without asking, and the only tools that it has:
 * none in the list, if it has all. */
const char *factory_autonomy(const struct conversation *);
json_t *factory_tools(const struct conversation *);

/* safe.c: writes settings for this process alone: what keeps droid from running
 * what is not ours, and how long it waits for the caller's tools; and removes
 * them. */
bool factory_add_settings(const struct conversation *, struct words *env,
			  struct error *);
void factory_drop_settings(struct conversation *);

/* events.c; what a notification tells. */
void factory_told(struct instance *, const char *method, const json_t *params);
void factory_asked(struct instance *, const json_t *id, const char *method,
		   const json_t *params);
void factory_hear(struct factory *, const json_t *notification);

/*
 * tools.c: whether a call, or the id of a result, is of a tool of the caller's,
 * and is heard; harness->park and harness->answer; whether a notification is
 * kept until the results are there.
 */
bool factory_hear_client_call(struct factory *, const json_t *block);
bool factory_hear_client_result(struct factory *, const char *id);
void factory_park(struct conversation *, json_t *calls);
void factory_answer(struct conversation *);
bool factory_keep(struct factory *, const char *type, const json_t *);

/* servers.c: what a server is called in droid; its entry in droid's settings.
 * Adds the servers to the parameters of a session that is opened.
 * Then `then` is called, once droid has told which of them it has found, or
 * conversation_fail().  Whether a request for a permission is about their tools
 * alone. */
const char *factory_server_name(const char *name);
json_t *factory_server_settings(const json_t *server);
void factory_add_servers(const struct conversation *, json_t *params);
void factory_await_servers(struct conversation *,
			   void (*then)(struct factory *));
bool factory_is_of_server(const struct conversation *, const json_t *params);

/* failure.c: why a turn failed that ended for `reason`. */
void factory_explain(const struct factory *, const char *reason,
		     struct error *e);

/* droid is about to ask the vendor again.  False: it may do so. */
bool factory_gives_up(const struct factory *, const json_t *retry,
		      struct error *e);

/* The state of the only conversation in the agent's process. */
struct factory *factory_of(struct instance *);

/* Whether droid may do what it asks for. */
static inline bool
factory_allows(const struct conversation *c)
{
	return c->options.mode != MODE_SAFE &&
	       !strcmp(c->permission_mode, "high");
}

/* effort.c: what droid says of a model, and of a session; whether the turn's
 * model takes what is asked for; what droid must be told, NULL: nothing. */
void factory_note_efforts(struct factory *, const char *id,
			  const json_t *model);
void factory_note_effort(struct factory *, const json_t *settings);
must_check bool factory_choose_effort(const struct conversation *,
				      const char *model, struct error *);
const char *factory_take_effort(struct factory *);
