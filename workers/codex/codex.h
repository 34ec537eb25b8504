#pragma once
/*
 * codex - the Codex CLI: one `codex app-server` for many conversations
 *
 *   codex.c     how it is started, who hears its messages
 *   home.c      what of the user's it is kept from
 *   thread.c    a conversation is opened, and closed
 *   settings.c  with what settings
 *   model.c     which models there are, and which one is meant
 *   input.c     messages, as it wants to read them
 *   turn.c      what is said to it, and how that ends
 *   items.c     what it says meanwhile
 *   failure.c   what its failures mean
 *   exec.c      `codex exec --json`, where there is no app-server
 *
 * Written for version 0.169.0, whose `codex app-server generate-ts` prints
 * all that it may say.
 */
#include "workers/rpc.h"

enum { MAX_CODEX_ID = 63 }; /* of its own ids; they are UUIDs */

/* agent->state */
struct codex_agent {
	struct rpc rpc;
	struct list openings;
};

/* A thread that it was asked to open, also when nobody waits for it. */
struct opening {
	struct node node;
	struct agent *agent;
	struct talk *talk; /* NULL: closed meanwhile */
};

/* What a turn has used, in tokens; its requests added up. */
struct codex_usage {
	json_int_t input, cached, output, reasoning;
	json_int_t seen; /* of the thread, when it was last told; 0: not yet */
};

/* talk->state */
struct codex {
	/* Until it is open. */
	struct opening *opening; /* NULL: not asked for, or answered */
	unsigned unread;	 /* answers about the CLI that are to come */
	json_t *config, *models, *account; /* those answers */
	json_t *history;		   /* items to be put into the thread */
	char bad[MAX_CODEX_ID + 1];	   /* a turn that is to be taken back */
	bool is_running;   /* a turn that is not ours is under way */
	bool is_told_anew; /* its instructions were others */

	/* Of the thread. */
	bool is_open;
	json_t *providers;     /* that there are */
	uint64_t instructions; /* a hash of our system prompt */
	char provider[MAX_NAME + 1];
	char *default_model; /* NULL: not known */
	char *model;	     /* that it has now; NULL: not known */

	/* Of the turn. */
	bool is_asked;		      /* for a turn that has not ended */
	bool is_started, is_stopping; /* as we were told; as we want it */
	char turn[MAX_CODEX_ID + 1];  /* "": not told yet */
	json_t *input;		      /* that waits to be sent; or NULL */
	char *asked_model;	      /* the turn's */
	char *answering;	      /* who answers instead; or NULL */
	unsigned retries;	      /* it has told of */
	json_t *items; /* what was heard of each, by its id; see items.c */
	char reasoning[2 * MAX_CODEX_ID]; /* whose part is being said */
	bool has_text, has_reasoning;
	struct codex_usage usage;
};

static inline struct str
codex_system(const struct talk *t)
{
	return (struct str){ t->system, t->system ? t->system_len : 0 };
}

static inline struct rpc *
codex_rpc(const struct talk *t)
{
	return &((struct codex_agent *)t->agent->state)->rpc;
}

/* A hash of text that comes in pieces: begin with CODEX_NOTHING. */
#define CODEX_NOTHING UINT64_C(0xcbf29ce484222325)
uint64_t codex_hash(uint64_t so_far, struct str text);

/* home.c: a CODEX_HOME with nothing but the login and the conversations. */
must_check bool codex_private_home(const struct agent *, struct words *env,
				   struct error *);

/* settings.c: params of thread/start and thread/resume. */
json_t *codex_settings(const struct talk *);

/* thread.c */
void codex_greet(struct talk *);
void codex_close(struct talk *);
void codex_clear(struct talk *);
void codex_drop_openings(struct codex_agent *);

/* model.c: from what it has answered; the caller frees the text, which is
 * NULL if there is none. */
char *codex_default_model(const struct codex *);
json_t *codex_model_ids(const struct codex *);
bool codex_lacks_login(const struct talk *);

/* "provider/model" if there is such a provider, else a model of the default
 * one; copies, NULL where nothing is said. */
void codex_read_model(const json_t *providers, const char *id, char **provider,
		      char **model);

/*
 * input.c: the turn's messages as input; whether that may name skills; it,
 * which is taken, so that it does not, where `skills` is what skills/list
 * answers, or NULL; whether it has to be made an item of for that.  And the
 * conversation before, as items; and such an item.
 */
json_t *codex_input(const struct talk *);
bool codex_may_name_skills(const json_t *input);
json_t *codex_make_inert(json_t *input, const json_t *skills, bool *as_item);
json_t *codex_items(const json_t *messages);
json_t *codex_item_of_input(const json_t *input);

/* turn.c */
void codex_say(struct talk *);
void codex_interrupt(struct talk *);
void codex_stop_turn(struct talk *);
bool codex_is_turn(const struct codex *, const json_t *params);
void codex_on_turn_started(struct talk *, const json_t *params);
void codex_on_turn_completed(struct talk *, const json_t *params);
void codex_on_error(struct talk *, const json_t *params);
void codex_on_usage(struct talk *, const json_t *params);
void codex_on_rerouted(struct talk *, const json_t *params);

/* items.c */
void codex_on_text(struct talk *, const json_t *params);
void codex_on_reasoning(struct talk *, const json_t *params);
void codex_on_item_started(struct talk *, const json_t *params);
void codex_on_item_completed(struct talk *, const json_t *params);

/* failure.c: from a TurnError of its; from an answer to a request of ours;
 * and from words alone. */
void codex_explain(const json_t *error, bool has_spoken, struct error *);
void codex_explain_refusal(const json_t *error, struct error *);
enum error_code codex_code_of_words(const char *words);
int codex_status_of(const json_t *error); /* HTTP; 0: none */

/* exec.c */
extern const struct harness codex_exec;
