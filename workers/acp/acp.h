#pragma once
/*
 * acp - any agent that speaks the Agent Client Protocol, version 1
 *
 * See https://agentclientprotocol.com.  One process holds many sessions, and
 * each is a conversation.  The agents that are known by name are in agents.def;
 * any other agent is a line of configuration.
 *
 *   kinds.c        which agents there are, and how they differ
 *   acp.c          the process: its arguments, its handshake, its lines
 *   session.c      a session is opened, opened again, and closed
 *   models.c       which models there are, and which one a turn means
 *   prompt.c       a turn is said, stopped, and ends
 *   updates.c      the answer of a turn
 *   alone.c        turns that an agent begins by itself
 *   repeats.c      text that an agent says twice
 *   permission.c   what the agent may do, and what it asks for
 *   usage.c        tokens, which each agent tells in its own way
 *   failure.c      what its failures mean
 *   record.c       how a turn ended, and which turns the agent began by itself,
 *                  where only the agent's own records say so
 *
 * We offer the agent neither our file system nor our terminals: it has its own.
 */
#include "workers/cli/blocks.h"
#include "workers/cli/rpc.h"

/* Of an agent; lists are words with white space between them. */
struct acp_kind {
	const char *name;
	const char *arguments;
	const char *bare; /* further ones for LOADS_NOTHING; NULL: impossible */
	const char *log_in;
	const char *tested;
	const char *may_see;
	const char *environment;

	/* The values of <NAME>_PERMISSION_MODE, the most permissive first:
	 * WORD=MODE sets a session mode of the agent's, WORD=@OPTION=VALUE a
	 * configuration option, WORD= sets nothing, and WORD alone sets the
	 * mode of that name.  With the first value, all that the agent asks
	 * for is allowed. */
	const char *modes;

	/* Settings that its user's override, in a file that this variable
	 * names; NULL: there is no such variable. */
	const char *defaults_variable, *defaults;

	/* Put before a text that looks like one of its commands; NULL: words
	 * that work with any agent. */
	const char *before_commands;

	/* The longest text of a prompt that it takes, in bytes; 0: not known.
	 */
	size_t max_text;

	/* Its failures and retries come as if they were its answer. */
	bool says_its_failures;

	/* "[MODE_UPDATE] <mode>" comes as if that were its answer. */
	bool says_its_modes;

	/* A session must have another name to be opened again: session.c. */
	bool loads_by_alias;

	/* It tells in an update that a background command has ended. */
	bool tells_of_background;

	/* Its row in capabilities.def.  Without CAN_CWD, a session that is
	 * opened again in another working directory is not found, or goes on in
	 * the old one. */
	unsigned can;

	/* A failed turn looks like a good one: see record.c.  The directory of
	 * its records is in this variable, or has this name in the home. */
	const char *records_variable, *records;
};

/* Lends it for the life of the process.  NULL on failure. */
const struct acp_kind *acp_kind_of(const char *name, struct error *);

/* instance->own */
struct acp_agent {
	struct rpc rpc;
	const struct acp_kind *kind;
	char *records; /* a directory; NULL: it has none */

	/* See session.c. */
	unsigned openings, closings; /* under way */
	struct list waiting; /* struct acp; its session must be opened */
	json_t *leaving;     /* sessions that must be closed */

	/* What it can do, as it has told. */
	bool loads, resumes, closes, deletes, sees_images;
};

/* How a model of the agent's can be chosen; not at all if it does not say. */
enum acp_choice {
	ACP_NO_CHOICE,
	ACP_SET_MODEL,	/* session/set_model */
	ACP_SET_OPTION, /* session/set_config_option */
	/* session/set_model, because the operator has named models: the agent
	 * may not know that method */
	ACP_TRY_MODEL,
};

/* Whose turn is under way, by the agent's records. */
enum acp_owner {
	ACP_NOBODY,
	ACP_OURS,    /* it answers our prompt */
	ACP_ITS_OWN, /* the agent has begun it by itself */
};

/* What was read of the agent's records: see record.c. */
struct acp_record {
	char *path;	   /* NULL: there is none */
	int64_t read;	   /* bytes of it */
	struct timer look; /* until more is written */
	unsigned looks;	   /* in a row that found nothing new */
	enum acp_owner owner;
	json_t *tasks;	/* that run in the background, by id; NULL: never any */
	json_t *answer; /* the prompt's, until its turn has ended; or NULL */
	json_t *end;	/* the line that says how our turn ended; or NULL */
};

/* conversation->own */
struct acp {
	struct conversation *conversation; /* whose state this is */

	/* Until it is open. */
	struct node waits; /* in acp_agent.waiting, or nowhere */
	bool is_opening;   /* its session was asked for */

	/* Until the first good turn: the parts before its messages. */
	json_t *preface; /* parts, as in conversation.h; NULL: nothing */

	/* Of the session. */
	enum acp_choice choice;
	json_t *models;	     /* the agent's ids, by ours */
	char *model_option;  /* the id of that option; or NULL */
	char *default_model; /* NULL: not known */
	char *model;	     /* that it has now; NULL: as it was opened */
	struct usage sum;    /* of all turns, as the agent counts */

	/* See alone.c. */
	bool is_alone;	     /* the agent has a turn of its own under way */
	bool said_alone;     /* it has said something outside of our turns */
	bool may_speak;	     /* its last turn for us ended well */
	unsigned background; /* commands that run in the background */

	/* Of the turn. */
	json_t *prompt;	   /* that was not sent yet; or NULL */
	char *asked_model; /* that is being set before; NULL: none */
	bool is_held;	/* the prompt waits for the agent's own turn to end */
	bool is_asked;	/* the prompt was sent, and not yet answered */
	bool was_heard; /* an update told something of the turn */
	struct paragraphs paragraphs; /* of this turn */
	json_t *background_calls; /* of tools, which go on behind; or NULL */
	json_t *tools;		  /* ids of tools that were told; or NULL */
	struct error why;	  /* why the turn is being stopped */
	unsigned tries;		  /* of the same request, as far as known */
	char *complaint;	  /* text that may be a failure, held back */
	struct usage usage;
	char answering[MAX_MODEL]; /* who answers, as told; "": not told */

	/* See repeats.c. */
	struct buf said;   /* the beginning of the text since a tool */
	struct buf held;   /* text that repeats it so far, held back */
	uint64_t heard_at; /* in ms */

	struct acp_record record;
};

static inline struct str
str_in(const json_t *string)
{
	return (struct str){ json_string_value(string),
			     json_string_length(string) };
}

static inline struct acp_agent *
acp_agent_of(const struct conversation *c)
{
	return c->instance->own;
}

/* {"sessionId":<the conversation's>, `key`: `value`}.  Takes `value`; NULL
 * leaves it out. */
json_t *acp_params(const struct conversation *, const char *key, json_t *value);

enum { ACP_NO_LOGIN = -32000, ACP_NO_METHOD = -32601 }; /* errors of its */

/* session.c */
void acp_greet(struct conversation *);
void acp_close(struct conversation *);
void acp_clear(struct conversation *);
void acp_drop_sessions(struct acp_agent *);

/* acp.c: whether the operator has named models. */
bool acp_names_models(void);

/* models.c: from the answer that opened the session. */
void acp_read_models(struct conversation *, const json_t *opened);

/* Asks for the turn's model.  False if the session has it already. */
bool acp_ask_model(struct conversation *);

/* prompt.c */
void acp_say(struct conversation *);
void acp_send_prompt(struct conversation *);
void acp_interrupt(struct conversation *);

/* Ends the turn by the answer to its prompt. */
void acp_conclude(struct conversation *, const json_t *result);

/* Stops the turn, which then fails with this error. */
void acp_stop_for(struct conversation *, const struct error *);

void acp_fail(struct conversation *, struct error *);

/* updates.c */
void acp_on_update(struct conversation *, const json_t *update);
void acp_on_permission(struct conversation *, const json_t *params);
void acp_forget_turn(struct acp *);

/*
 * alone.c: the agent begins and ends a turn for which nobody has asked.  What
 * is said between belongs to no turn of ours, whether one is under way or not.
 */
void acp_begin_alone(struct conversation *);
void acp_end_alone(struct conversation *);
void acp_say_alone(struct conversation *, struct str text);

/* Whether the agent marks the update as of its own turn; hears such a one. */
bool acp_is_alone(const json_t *update);
void acp_hear_alone(struct conversation *, const json_t *update);

/* Whether the agent may begin a turn of its own now; NULL: no conversation. */
bool acp_may_begin_alone(const struct conversation *);

/* A call of a tool that may go on in the background has begun, or is over. */
void acp_note_call(struct conversation *, const json_t *update);
void acp_note_result(struct conversation *, const char *id, bool failed);

/* repeats.c: hears text; says the text that is held back. */
enum { ACP_MAX_REPEAT = 200 /* bytes after which a repeat is certain */ };
void acp_hear_text(struct conversation *, struct str);
void acp_say_held(struct conversation *);

/* permission.c: sets the mode of the conversation, and `then` follows; the
 * answer to a request for permission. */
void acp_set_mode(struct conversation *, rpc_answer_fn *then);
bool acp_may_all(const struct conversation *);
json_t *acp_decide(const struct conversation *, const json_t *params);
char *acp_mode_words(const struct acp_kind *);

/* usage.c */
void acp_count_update(struct acp *, const json_t *update);
void acp_count_answer(struct acp *, const json_t *result);

/* failure.c: what an error means that answers a request, and words alone. */
void acp_explain(const struct conversation *, const json_t *error,
		 struct error *);
void acp_explain_words(const struct conversation *, json_int_t status,
		       const char *words, struct error *);

/* record.c: reads what the agent has done since, before a prompt is sent. */
void acp_record_begin(struct conversation *);

/* The prompt was answered: acp_conclude(), or acp_fail(), follows. */
void acp_record_end(struct conversation *, const json_t *result);
void acp_record_clear(struct conversation *);
