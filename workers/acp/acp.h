#pragma once
/*
 * acp - any agent that speaks the Agent Client Protocol, version 1
 *
 * https://agentclientprotocol.com.  One process holds many sessions, each of
 * which is a talk.  The agents that are known by name are in agents.def; any
 * other is a line of configuration.
 *
 *   kinds.c        which agents there are, what is special about each
 *   acp.c          the process: its arguments, its handshake, its lines
 *   session.c      a session is opened, or opened again, and closed
 *   models.c       which models there are, and which one is meant
 *   prompt.c       what is said to it, and how that ends
 *   updates.c      what it says meanwhile
 *   repeats.c      what it says twice
 *   permission.c   what it may do, and what it asks about
 *   usage.c        tokens, of which each agent tells in its own way
 *   failure.c      what its failures mean
 *   record.c       how a turn ended, where only the agent's own records say
 *
 * We offer it neither our file system nor our terminals: it uses its own.
 */
#include "workers/rpc.h"

/* Of an agent; lists are words with white space between them. */
struct acp_kind {
	const char *name;
	const char *arguments;
	const char *bare; /* further ones for LOADS_NOTHING; NULL: it can't */
	const char *log_in;
	const char *tested;
	const char *may_see;
	const char *environment;

	/* What <NAME>_PERMISSION_MODE may be, the most permissive first:
	 * WORD=MODE, a session mode of the agent's; WORD=@OPTION=VALUE, a
	 * configuration option; WORD=, nothing that it is told; WORD, the mode
	 * of that name.  What it asks for is allowed with the first. */
	const char *modes;

	/* Settings below those of its user, in a file that this variable
	 * names; NULL: it reads none. */
	const char *defaults_variable, *defaults;

	/* Goes before a text that looks like one of its commands; NULL: words
	 * that keep any agent from taking it for one. */
	const char *before_commands;

	/* It tells of its failures and retries as if they were its answer. */
	bool says_its_failures;

	/* It says "[MODE_UPDATE] <mode>" as if that were its answer. */
	bool says_its_modes;

	/* A session that it opens again needs another name: see session.c. */
	bool loads_by_alias;

	/* A failed turn looks like a good one: see record.c.  Its directory
	 * is in this variable, or has this name in its user's home. */
	const char *records_variable, *records;
};

/* Lends it for the life of the process.  NULL on failure. */
const struct acp_kind *acp_kind_of(const char *name, struct error *);

/* agent->state */
struct acp_agent {
	struct rpc rpc;
	const struct acp_kind *kind;
	char *records; /* a directory; NULL: it has none */

	/* See session.c. */
	unsigned openings, closings; /* under way */
	struct list waiting;	     /* talks that are to be opened */
	json_t *doomed;		     /* sessions that are to be closed */

	/* As it has told. */
	bool loads, resumes, closes, deletes, sees_images;
};

/* Tokens. */
struct acp_usage {
	json_int_t input, output, cached, reasoning;
};

/* How the agent's models can be chosen; none if it does not say. */
enum acp_choice {
	ACP_NO_CHOICE,
	ACP_SET_MODEL,	/* session/set_model */
	ACP_SET_OPTION, /* session/set_config_option */
	/* session/set_model, on the word of who has named its models: it may
	 * not know that method */
	ACP_TRY_MODEL,
};

/* talk->state */
struct acp {
	/* Until it is open. */
	struct talk *talk; /* whose state this is */
	struct node waits; /* in acp_agent.waiting, or nowhere */
	bool is_opening;   /* its session was asked for */

	/* Until the first good turn: what goes before its words. */
	json_t *preface; /* parts, as in conversation.h; NULL: nothing */

	/* Of the session. */
	enum acp_choice choice;
	json_t *models;	      /* the agent's ids, by ours */
	char *model_option;   /* the id of that option; or NULL */
	char *default_model;  /* NULL: not known */
	char *model;	      /* that it has now; NULL: as it was opened */
	struct acp_usage sum; /* of all its turns, as it counts them */

	/* Of the turn. */
	json_t *prompt;	   /* that waits for the model to be set; or NULL */
	char *asked_model; /* meanwhile; NULL: none */
	bool is_asked;	   /* the prompt was sent, and not yet answered */
	bool has_text, used_tool; /* said something; and a tool since then */
	json_t *tools;	  /* the ids of those that were told of; or NULL */
	struct error why; /* it was told to stop because of this */
	unsigned tries;	  /* of the same request, as far as it shows */
	char *complaint;  /* what may be its own failure, not yet said */
	struct acp_usage usage;
	bool has_usage;
	char answering[MAX_MODEL]; /* who answers, as told; "": not told */

	/* See repeats.c. */
	struct buf said;   /* since a tool was used, the beginning */
	struct buf held;   /* what repeats that so far */
	uint64_t heard_at; /* in ms */

	/* What its records say: see record.c. */
	char *record;	   /* path; NULL: there is none */
	int64_t recorded;  /* bytes of it that were read */
	struct timer look; /* for what is not written yet */
	unsigned looks;
	json_t *answer; /* the prompt's, which waits for that */
};

static inline struct str
str_in(const json_t *string)
{
	return (struct str){ json_string_value(string),
			     json_string_length(string) };
}

static inline struct acp_agent *
acp_agent_of(const struct talk *t)
{
	return t->agent->state;
}

/* {"sessionId": that of the talk, `key`: `value`}; takes `value`, which is
 * left out if it is NULL. */
json_t *acp_params(const struct talk *, const char *key, json_t *value);

enum { ACP_NO_LOGIN = -32000, ACP_NO_METHOD = -32601 }; /* errors of its */

/* session.c */
void acp_greet(struct talk *);
void acp_close(struct talk *);
void acp_clear(struct talk *);
void acp_drop_sessions(struct acp_agent *);

/* acp.c: whether models of an agent of one's own were named. */
bool acp_names_models(void);

/* models.c: from the answer that opened the session. */
void acp_read_models(struct talk *, const json_t *opened);

/* Asks for the turn's model, if it is another: false if it is not. */
bool acp_ask_model(struct talk *);

/* prompt.c */
void acp_say(struct talk *);
void acp_send_prompt(struct talk *);
void acp_interrupt(struct talk *);

/* The prompt's answer is all there is: the turn ends. */
void acp_conclude(struct talk *, const json_t *result);

/* Has it stop: the turn fails with this when it has. */
void acp_stop_for(struct talk *, const struct error *);

void acp_fail(struct talk *, struct error *);

/* updates.c */
void acp_on_update(struct talk *, const json_t *update);
void acp_on_permission(struct talk *, const json_t *params);
void acp_forget_turn(struct acp *);

/* repeats.c: takes its words; says what it holds back. */
enum { ACP_MAX_REPEAT = 200 /* bytes that are enough to be sure */ };
void acp_hear_text(struct talk *, struct str);
void acp_say_held(struct talk *);

/* permission.c: tells it the talk's mode, `then` follows; what it asks for is
 * allowed; and its answer to that. */
void acp_set_mode(struct talk *, rpc_answer_fn *then);
bool acp_may_all(const struct talk *);
json_t *acp_decide(const struct talk *, const json_t *params);
char *acp_mode_words(const struct acp_kind *);

/* usage.c */
void acp_count_update(struct acp *, const json_t *update);
void acp_count_answer(struct acp *, const json_t *result);
void acp_add_usage(struct acp *, const struct acp_usage *);
json_t *acp_usage(const struct acp *); /* OpenAI's object, or NULL */

/* failure.c: of an error that answers a request; of words. */
void acp_explain(const struct talk *, const json_t *error, struct error *);
void acp_explain_words(const struct talk *, json_int_t status,
		       const char *words, struct error *);

/* record.c */
void acp_record_begin(struct talk *);

/* The prompt was answered: acp_conclude(), or acp_fail(), follows. */
void acp_record_end(struct talk *, const json_t *result);
void acp_record_clear(struct talk *);
