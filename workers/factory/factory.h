#pragma once
/*
 * factory - Factory's droid, over JSON-RPC on its stdin
 *
 *   factory.c   the process is started, and a conversation opened
 *   turn.c      a turn is said: the model, the messages
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
	char *home;	     /* of the CLI; NULL: it has none */
	bool has_login;	     /* for the models that its vendor hosts */
	json_t *models;	     /* id: whether it can see images */
	char *default_model; /* droid's own choice; or NULL */
	char *said_model;    /* the model that is set; NULL: none */
	json_t *preface;     /* parts before the first message; or NULL */
	json_t *waiting;     /* the message that waits for the model; or NULL */
	char turn[MAX_UUID + 1];      /* our id of the turn's message */
	char model[MAX_MODEL];	      /* who answers */
	struct paragraphs paragraphs; /* of this turn */
	bool has_said;	  /* the message under way has said something */
	struct error why; /* why we have stopped the turn */
	char words[MAX_ERROR_TEXT]; /* droid's words for what went wrong; or ""
				     */
};

extern const struct harness factory;

/* turn.c */
void factory_say(struct conversation *);
void factory_interrupt(struct conversation *);

/* Appends droid's blocks for parts that are text or images. */
must_check bool factory_blocks(json_t *blocks, const json_t *parts,
			       struct error *e);

/* events.c */
void factory_told(struct instance *, const char *method, const json_t *params);
void factory_asked(struct instance *, const json_t *id, const char *method,
		   const json_t *params);

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
	return !strcmp(c->permission_mode, "high");
}
