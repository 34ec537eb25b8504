#pragma once
/*
 * factory - Factory's droid, over JSON-RPC on its stdin
 *
 *   factory.c   how it is started, how a conversation is opened
 *   turn.c      what is said to it: the model, the messages
 *   events.c    what it tells, and what it asks
 *   failure.c   what its failures mean
 *
 * Written for version 0.225.2, whose messages have two members more than
 * JSON-RPC wants, and whose ids are text.  One process holds one
 * conversation: a second one would be given the history of the first.
 */
#include "workers/rpc.h"

/* The protocol's, which is not the program's. */
#define FACTORY_API "1.0.0"

enum { MAX_UUID = 36 };

/* talk->state */
struct factory {
	struct rpc rpc;
	struct talk *talk;
	char *home;	     /* of the CLI; NULL: it has none */
	bool has_login;	     /* for the models that its vendor hosts */
	json_t *models;	     /* id: whether it can see images */
	char *default_model; /* that it has by itself; or NULL */
	char *said_model;    /* that it was told last; NULL: none */
	json_t *preface;     /* parts before the first message; or NULL */
	json_t *waiting;     /* what is said once it has the model; or NULL */
	char turn[MAX_UUID + 1]; /* our id of the message that it is about */
	char model[MAX_MODEL];	 /* that answers */
	bool used_tool;		 /* since the last text */
	bool has_text;		 /* in this turn */
	bool has_said;		 /* something in the message under way */
	struct error why;	 /* we have stopped the turn because of that */
	char words[MAX_ERROR_TEXT]; /* its own, for what went wrong; or "" */
};

extern const struct harness factory;

/* turn.c */
void factory_say(struct talk *);
void factory_interrupt(struct talk *);

/* One part as a block of theirs; NULL if it can't be passed on: then `e` says
 * why. */
json_t *factory_block(const json_t *part, struct error *e);

/* events.c */
void factory_told(struct agent *, const char *method, const json_t *params);
void factory_asked(struct agent *, const json_t *id, const char *method,
		   const json_t *params);

/* failure.c: a turn ended for `reason`, and not well. */
void factory_explain(const struct factory *, const char *reason,
		     struct error *e);

/* It is about to ask the vendor again.  False: it may. */
bool factory_gives_up(const struct factory *, const json_t *retry,
		      struct error *e);

/* The state of the only conversation in the agent's process. */
struct factory *factory_of(struct agent *);

/* It may do what it asks for. */
static inline bool
factory_allows(const struct talk *t)
{
	return !strcmp(t->permission_mode, "high");
}
