#pragma once
/*
 * codex - the Codex CLI: one `codex app-server` for many conversations
 *
 *   codex.c     the process: its start and its messages
 *   home.c      a home that keeps it from the user's configuration
 *   thread.c    a conversation is opened, and closed
 *   rollout.c   whether a thread's file has lost the end of a turn
 *   settings.c  the settings of a conversation
 *   profile.c   what of them a profile forbids
 *   servers.c   the MCP servers of the caller's
 *   safe.c      the mode hosted-safe
 *   tools.c     the caller's tools
 *   model.c     which models there are, and which one a turn means
 *   effort.c    how long the model may think
 *   structured.c  an answer that is to be JSON
 *   input.c     messages as Codex reads them
 *   turn.c      a turn is said, stopped, and ends
 *   items.c     the answer of a turn
 *   failure.c   what its failures mean
 *   exec.c      `codex exec --json`, for a version without an app-server
 *
 * Written for version 0.169.0.  `codex app-server generate-ts` prints all
 * messages.
 */
#include "workers/cli/rpc.h"

enum { MAX_CODEX_ID = 63 }; /* of its own ids; they are UUIDs */

/* instance->own */
struct codex_agent {
	struct rpc rpc;
	struct list openings;
	uint64_t id; /* random: no other process has it */
};

/* A request to open a thread; its conversation may be closed before the answer.
 */
struct opening {
	struct node node;
	struct instance *instance;
	struct conversation *conversation; /* NULL: closed meanwhile */
};

/* conversation->own */
struct codex {
	/* Until it is open. */
	struct opening *opening; /* NULL: not asked for, or answered */
	unsigned unread;	 /* answers about the CLI that are missing */
	json_t *config, *models, *account; /* those answers */
	json_t *history;		   /* items to be put into the thread */
	char last[MAX_CODEX_ID + 1];	   /* the turn at which the thread must
					      be forked; "": none */
	bool is_forked;			   /* that was asked for */
	bool is_running;   /* a turn that is not ours is under way */
	bool is_told_anew; /* it was begun with other instructions */

	/* Of the thread. */
	bool is_open;
	json_t *providers;     /* all that are configured */
	uint64_t instructions; /* a hash of our system prompt */
	char provider[MAX_NAME + 1];
	char *default_model; /* NULL: not known */
	char *effort;	     /* the thread's; NULL: none is named */
	char *usual_effort;  /* of the settings; NULL: none is named */
	char *model;	     /* the thread's; NULL: not known */

	/* Of the turn. */
	bool is_asked;		      /* for a turn that has not ended */
	bool is_alone;		      /* Codex has begun a turn by itself */
	bool is_started, is_stopping; /* as Codex says; as we want it */
	char turn[MAX_CODEX_ID + 1];  /* "": not told yet */
	json_t *input;		      /* that waits to be sent; or NULL */
	char *asked_model;	      /* the turn's */
	enum effort asked_effort;     /* the turn's */
	char *answering;	      /* who answers instead; or NULL */
	unsigned retries;	      /* it has told of */
	json_t *items;		      /* what was heard of each item, by id */
	char reasoning[2 * MAX_CODEX_ID]; /* the item whose reasoning is being
					     said */
	bool has_text, has_reasoning;
	json_t *calls;	  /* of the caller's tools that wait for a result, each
			   * with its "request"; or NULL */
	bool is_parked;	  /* they were told */
	bool is_raw;	  /* the thread tells the vendor's answers as they are:
			   */
	json_t *expected; /* ids of the calls of them in the answer under way,
			   * in order; or NULL... */
	bool is_complete; /* ...which has ended */
	struct timer settle; /* until the calls that have come are told */
	struct conversation *caller; /* whose timer that is */
	struct usage usage;	     /* of all requests of the turn */
	json_int_t thread_tokens;    /* as told last; 0: not told */

	json_t *commands; /* of the thread that run now, by id */
};

static inline struct str
codex_system(const struct conversation *c)
{
	return (struct str){ c->system, c->system ? c->system_len : 0 };
}

static inline struct rpc *
codex_rpc(const struct conversation *c)
{
	return &((struct codex_agent *)c->instance->own)->rpc;
}

/* A hash of text that comes in pieces: begin with CODEX_NOTHING. */
#define CODEX_NOTHING UINT64_C(0xcbf29ce484222325)
uint64_t codex_hash(uint64_t so_far, struct str text);

/* home.c: a CODEX_HOME with nothing but the login and the conversations. */
must_check bool codex_private_home(const struct instance *, struct words *env,
				   struct error *);

/* rollout.c: whether the end of a turn that Codex knows to be completed is not
 * in the file of its thread. */
bool codex_rollout_is_cut(struct executor *, const char *path,
			  const char *turn);

/* settings.c: params of thread/start and thread/resume. */
json_t *codex_settings(const struct conversation *);

/* profile.c: the settings that a profile makes stricter. */
void codex_add_rules(const struct conversation *, json_t *settings);
const char *codex_sandbox(const struct conversation *);

/* safe.c: what holds a process, and a thread, to the mode hosted-safe: adds to
 * the params of a request to open it, and to the settings in them; whether
 * Codex has said what that needs. */
void codex_safe_arguments(const struct instance *, struct words *argv);
void codex_add_safe(const struct conversation *, json_t *params,
		    json_t *settings);
must_check bool codex_can_be_safe(const struct conversation *, struct error *);

/* servers.c: whether their names are free; needs the answer to config/read. */
must_check bool codex_check_servers(const struct conversation *,
				    struct error *);

/* The servers as settings; NULL: there are none.  Whether the answer to a
 * request to open a thread says that one of them did not start, and that error.
 */
json_t *codex_servers(const struct conversation *);
bool codex_has_failed_for_server(const struct conversation *,
				 const json_t *error, struct error *);

/* tools.c: in the parameters of a thread; in its settings. */
void codex_add_tools(const struct conversation *, json_t *params);
void codex_set_up_tools(const struct conversation *, json_t *settings);
bool codex_on_call(struct instance *, const json_t *id, const json_t *params);
void codex_on_raw_item(struct conversation *, const json_t *params);
void codex_on_raw_response(struct conversation *, const json_t *params);

/* Forgets all calls. */
void codex_drop_calls(struct conversation *);
void codex_answer(struct conversation *);

/* thread.c */
void codex_greet(struct conversation *);
void codex_close(struct conversation *);
void codex_clear(struct conversation *);
void codex_drop_openings(struct codex_agent *);

/* model.c: the default model in Codex's answers; NULL if there is none.  The
 * caller frees it. */
char *codex_default_model(const struct codex *);
json_t *codex_model_ids(const struct codex *);
bool codex_lacks_login(const struct conversation *);

/* "provider/model" if there is such a provider, else a model of the default
 * one; copies, NULL where nothing is said. */
void codex_read_model(const json_t *providers, const char *id, char **provider,
		      char **model);

/*
 * input.c: the turn's messages as input; whether that may name a skill; the
 * same input, which is taken, so that it names none, where `skills` is the
 * answer to skills/list or NULL; whether the input must become an item for
 * that.  Then the history as items, and an item of an input.
 */
char *codex_image_url(const json_t *part); /* the caller frees it */
json_t *codex_input(const struct conversation *);
bool codex_may_name_skills(const json_t *input);
json_t *codex_make_inert(json_t *input, const json_t *skills, bool *as_item);
json_t *codex_items(const json_t *messages);
json_t *codex_item_of_input(const json_t *input);

/* turn.c */
void codex_say(struct conversation *);
void codex_interrupt(struct conversation *);
void codex_interrupt_own(struct conversation *);
void codex_stop_turn(struct conversation *);
bool codex_is_turn(const struct codex *, const json_t *params);
void codex_on_turn_started(struct conversation *, const json_t *params);
void codex_on_turn_completed(struct conversation *, const json_t *params);
void codex_on_error(struct conversation *, const json_t *params);
void codex_on_usage(struct conversation *, const json_t *params);
void codex_add_usage(struct codex *, const json_t *breakdown);
void codex_on_rerouted(struct conversation *, const json_t *params);

/* effort.c: what the answer that opened the thread says; whether the model of
 * the turn takes what is asked for; says so in turn/start. */
enum {
	CODEX_EFFORTS = EFFORT_BIT(EFFORT_NONE) | EFFORT_BIT(EFFORT_MINIMAL) |
			EFFORT_BIT(EFFORT_LOW) | EFFORT_BIT(EFFORT_MEDIUM) |
			EFFORT_BIT(EFFORT_HIGH) | EFFORT_BIT(EFFORT_XHIGH)
};
void codex_note_effort(struct codex *, const json_t *opened);
must_check bool codex_choose_effort(struct conversation *, struct error *);
void codex_add_effort(struct codex *, json_t *params);

/* structured.c: whether a turn can say what its answer must be; says so. */
bool codex_takes_format(const struct options *);
void codex_add_format(const struct conversation *, json_t *params);

/* items.c */
void codex_on_text(struct conversation *, const json_t *params);
void codex_on_reasoning(struct conversation *, const json_t *params);
void codex_on_item_started(struct conversation *, const json_t *params);
void codex_on_item_completed(struct conversation *, const json_t *params);

/* Counts the commands that run, also those that a turn has left behind in the
 * background; any notification about an item may be given. */
void codex_note_command(struct conversation *, const char *method,
			const json_t *params);

/* failure.c: what a TurnError means, an answer to a request of ours, and words
 * alone. */
void codex_explain(const json_t *error, struct error *);
void codex_explain_refusal(const json_t *error, struct error *);
enum error_code codex_code_of_words(const char *words);
int codex_status_of(const json_t *error); /* HTTP; 0: none */

/* exec.c */
extern const struct harness codex_exec;
