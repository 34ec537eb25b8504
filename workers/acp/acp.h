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
 *   effort.c       how long the model may think
 *   prompt.c       a turn is said, stopped, and ends
 *   updates.c      the answer of a turn
 *   alone.c        turns that an agent begins by itself
 *   repeats.c      text that an agent says twice
 *   servers.c      the MCP servers of the caller's
 *   tools.c        the tools of the caller's
 *   permission.c   what the agent may do, and what it asks for
 *   safe.c         the mode hosted-safe
 *   usage.c        tokens, which each agent tells in its own way
 *   failure.c      what its failures mean
 *   profile.c      a system prompt in place of the agent's own
 *   record.c       how a turn ended, and which turns the agent began by itself,
 *                  where only the agent's own records say so
 *
 * We offer the agent neither our file system nor our terminals: it has its own.
 */
#include "workers/cli/blocks.h"
#include "workers/cli/rpc.h"

/* What names the tool in a request for a permission. */
enum acp_sign {
	ACP_SIGN_NONE,	/* nothing that we know of */
	ACP_SIGN_ID,	/* the id of the call */
	ACP_SIGN_TITLE, /* its title */
	ACP_SIGN_TOOL,	/* "_meta.toolName" */
	ACP_SIGN_CALL,	/* the title with which the call was told before */
	ACP_SIGN_ANY,	/* one of these: see tools.c */
};

/* How an agent can be asked what became of the MCP servers of a session. */
enum acp_telling {
	ACP_TELLS_NOTHING,
	ACP_TELLS_RESOURCES,  /* qwen's own method */
	ACP_TELLS_BY_COMMAND, /* "/mcp" */
};

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

	/* Its system prompt is in the file that this variable names; NULL: it
	 * has no such variable. */
	const char *instead_variable;

	/* What reasoning_effort can be, as bits; and how it is said, if it
	 * belongs to the process: an argument, or settings, with "*" for the
	 * word, in a file that a variable names.  Otherwise it is an option of
	 * the session, whose words count. */
	unsigned efforts;
	bool keeps_effort; /* as struct harness has it */
	const char *effort_argument, *effort_setting, *overrides_variable;

	/* The same as the defaults, for a process whose conversations have MCP
	 * servers of a request; NULL: it needs none of its own. */
	const char *server_defaults;

	/* The same, without tools of its own: it cannot read a file to which it
	 * would write a long result.  NULL: as those with servers. */
	const char *alone_defaults;

	/* How an ask for a permission shows that it is about a tool of a
	 * server: by a text that begins with these, and the server's name
	 * between. */
	enum acp_sign server_sign;
	const char *server_begin, *server_end;

	/* How it tells what became of the servers. */
	enum acp_telling servers_tell;

	/* It expands "$NAME" in the variables and headers of a server: what
	 * stands for "$"; NULL: it does not. */
	const char *dollar;
	bool expands_urls; /* and in their addresses */

	/* What holds it to the mode hosted-safe: further arguments, NAME=value,
	 * and one of `modes`, in which what it asks for is rejected.  "%"
	 * stands for the path of a file with the text `safe_file`.  NULL: it
	 * cannot be held to it. */
	const char *safe_arguments, *safe_environment, *safe_mode, *safe_file;

	/* What takes its own tools from it, and leaves those of MCP servers:
	 * as above.  NULL: nothing does. */
	const char *alone_arguments, *alone_environment, *alone_file;

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

	/* When it opens a session again it tells each result of a tool twice,
	 * which its vendor refuses. */
	bool doubles_results;

	/* As struct harness has it. */
	size_t max_result;
	uint64_t max_tool_wait_ms;

	/* It tells in an update that a background command has ended. */
	bool tells_of_background;

	/* Its row in capabilities.def.  Without CAN_CWD, a session that is
	 * opened again in another working directory is not found, or goes on in
	 * the old one. */
	uint64_t can;

	/* Its row in profile_parts.def. */
	enum profile_taker takes;

	/* A method that closes a session, if it does not tell of one. */
	const char *closes_by;

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
	char *instead; /* path of its system prompt; NULL: its own */

	/* See session.c. */
	unsigned openings, closings; /* under way */
	struct list waiting; /* struct acp; its session must be opened */
	json_t *leaving;     /* sessions that must be closed */

	/* What it can do, as it has told. */
	bool loads, resumes, closes, deletes, sees_images, takes_files;
	bool takes_http, takes_sse; /* MCP servers of these types */
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

	/* Until its MCP servers are there: see servers.c. */
	unsigned server_tries; /* to open the session, so that they are */
	struct timer servers_look;
	bool is_asking_for_report;
	struct buf report; /* of kimi's */

	/* Until the first good turn: the parts before its messages. */
	json_t *preface; /* parts, as in conversation.h; NULL: nothing */

	/* Of the session. */
	enum acp_choice choice;
	json_t *models;	     /* the agent's ids, by ours */
	char *model_option;  /* the id of that option; or NULL */
	char *default_model; /* NULL: not known */
	char *model;	     /* that it has now; NULL: as it was opened */
	struct usage sum;    /* of all turns, as the agent counts */
	struct amount spent; /* in all turns, as it has told last */
	struct amount spent_before; /* the turn, of that */
	json_t *thought;    /* its option for how long to think; NULL: none */
	char *effort;	    /* that option's value; NULL: not known... */
	char *usual_effort; /* ...and as it was when the session was opened */

	/* See alone.c. */
	bool is_alone;	     /* the agent has a turn of its own under way */
	bool said_alone;     /* it has said something outside of our turns */
	bool may_speak;	     /* its last turn for us ended well */
	unsigned background; /* commands that run in the background */

	/* Of the turn. */
	json_t *prompt;	   /* that was not sent yet; or NULL */
	char *asked_model; /* that is being set before; NULL: none */
	enum effort asked_effort;
	bool is_held;	/* the prompt waits for the agent's own turn to end */
	bool is_asked;	/* the prompt was sent, and not yet answered */
	bool was_heard; /* an update told something of the turn */
	struct paragraphs paragraphs; /* of this turn */
	json_t *background_calls; /* of tools, which go on behind; or NULL */
	json_t *tools; /* titles of the calls that were told, by id; or NULL */
	json_t *client_calls; /* tools of the caller's, by id of the call; or
			       * NULL */
	struct error why;     /* why the turn is being stopped */
	unsigned tries;	      /* of the same request, as far as known */
	char *complaint;      /* text that may be a failure, held back */
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
void acp_open(struct conversation *); /* asks for the session */
void acp_close(struct conversation *);
void acp_clear(struct conversation *);
void acp_drop_sessions(struct acp_agent *);

/* profile.c: what the process is started with. */
must_check bool acp_add_options(struct instance *, struct words *env,
				struct error *);
void acp_remove_options(struct instance *);

/* acp.c: whether the operator has named models. */
bool acp_names_models(void);

/* models.c: from the answer that opened the session. */
void acp_read_models(struct conversation *, const json_t *opened);
void acp_forget_models(struct acp *);

/* Asks for the turn's model.  False if the session has it already. */
bool acp_ask_model(struct conversation *);

/* effort.c: adds it to the process; reads the answer that opened a session;
 * whether the turn's is one of the session's; asks for it, and false: the
 * session has it already. */
must_check bool acp_add_effort(const struct instance *, const struct acp_kind *,
			       struct words *argv, struct words *env,
			       struct error *);
void acp_read_efforts(struct acp *, const json_t *opened);
must_check bool acp_choose_effort(struct conversation *, struct error *);
bool acp_ask_effort(struct conversation *);

/* The turn is over: the session goes back to what is usual. */
void acp_reset_effort(struct conversation *);

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

/*
 * servers.c: the MCP servers as session/new has them; whether the agent takes
 * them; what shows in a call whose tool it is of, NULL: nothing; whether it is
 * of one of them; conversation_ready() once they
 * are there, or conversation_fail(); an answer to what they are asked.
 */
json_t *acp_servers(const struct conversation *);
must_check bool acp_check_servers(const struct conversation *, struct error *);
const char *acp_sign_of(const struct conversation *, const json_t *call);
bool acp_is_of_server(const struct conversation *, const json_t *call);
void acp_await_servers(struct conversation *);
void acp_hear_report(struct conversation *, const json_t *update);
void acp_forget_servers(struct conversation *);

/* tools.c: whether an update, or the call in an ask, is about a tool of the
 * caller's, and is heard; whether one that was heard is; harness->park and
 * harness->answer. */
bool acp_hear_client_call(struct conversation *, const json_t *update);
bool acp_is_client_call(const struct conversation *, const json_t *call);
void acp_park(struct conversation *, json_t *calls);
void acp_answer(struct conversation *);

/* safe.c: appends what holds the process to the mode hosted-safe, and what
 * takes its own tools from it; whether it can be asked for both. */
must_check bool acp_safe_add(const struct instance *, const struct acp_kind *,
			     struct words *argv, struct words *env,
			     struct error *);
must_check bool acp_alone_add(const struct instance *, const struct acp_kind *,
			      struct words *argv, struct words *env,
			      struct error *);
must_check bool acp_check_options(const struct options *, struct error *);

/* usage.c: what an update tells of the session's cost; the prompt is sent; its
 * turn has ended well. */
void acp_count_spent(struct acp *, const json_t *update);
void acp_begin_to_count(struct conversation *);
void acp_count_cost(struct acp *);
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
