#pragma once
/*
 * harness - what the CLI engine must know about one coding CLI
 *
 * To add a harness, define harness_of() in a folder of its own and name the
 * folder in workers/CMakeLists.txt and harnesses.def.  A harness turns
 * requests into the input of its CLI, and the CLI's output into calls of the
 * functions below.  It never blocks, never exits, keeps no state outside
 * conversation->own and instance->own, and knows nothing of messages, sockets
 * or processes.  It asks conversation->executor for files, and never touches
 * the machine itself.
 *
 * An instance is one process of the CLI.  A conversation takes place in it, and
 * is kept warm between turns.  With most CLIs each conversation has an instance
 * of its own:
 *
 *      command, handshake     -> conversation_ready
 *      say                    -> conversation_text..., conversation_finish
 *
 * Where one process can hold many conversations, they share an instance:
 *
 *      instance_command, instance_handshake -> instance_ready
 *      handshake              -> conversation_name_it, conversation_ready
 *      say                    -> conversation_text..., conversation_finish
 *      close                     the conversation is over
 */
#include "proto/buf.h"
#include "proto/error.h"
#include "proto/loop.h"
#include "proto/str.h"
#include "workers/capabilities.h"
#include "workers/cli/parts.h"
#include "workers/cli/usage.h"
#include "workers/io/json.h"
#include "workers/options/effort.h"
#include "workers/options/options.h"
#include "workers/options/profile.h"
#include "workers/executor/program.h"
#include "workers/io/uuid.h"
#include "workers/io/words.h"

/* Which of its user's configuration a CLI may load beside the login. */
enum loads {
	LOADS_NOTHING = 1,    /* none: the CLI works as its makers ship it */
	LOADS_PROJECT = 2,    /* the files in the working directory */
	LOADS_EVERYTHING = 4, /* all that it would load for its user */
};

#define HOUR_MS (60ull * 60 * 1000)
#define DAY_MS (24 * HOUR_MS)

enum { EXIT_UNWELL = 2 }; /* see harness->reach */

struct client_tools;
struct continuation;
struct pool;
struct turn;

enum instance_state {
	INSTANCE_STARTING, /* the handshake is not over */
	INSTANCE_UP,
	INSTANCE_CLOSED,      /* gets no further conversation */
	INSTANCE_ENDING,      /* its input is closed: it should end */
	INSTANCE_TERMINATING, /* it has got SIGTERM, too */
	INSTANCE_KILLED,
	INSTANCE_ENDED, /* the process is gone, or could not be started */
	INSTANCE_STATES
};

/* One process of the CLI. */
struct instance {
	const char *name;	     /* of the harness: "claude" */
	const char *workspace;	     /* where a shared instance runs */
	struct executor *executor;   /* where its program and files are */
	const char *scratch;	     /* a directory for the harness's files */
	const char *permission_mode; /* one of harness->permission_modes */
	enum loads loads;	     /* one of harness->loads */
	struct options options;	     /* those in harness->process_binds */
	struct loop *loop;
	void *own; /* harness->instance_own bytes, zeroed */

	/* instance.c's own. */
	struct node node; /* in pool->instances */
	struct pool *pool;
	struct program program;
	enum instance_state state;
	uint64_t number;	   /* counts the instances of the pool from 1 */
	struct list conversations; /* that are in it */
	unsigned joined;	   /* conversations that it ever had */
	unsigned references;	   /* conversations that still point to it */
	unsigned generation;	 /* of the settings that it was started with */
	uint64_t began;		 /* loop_now() */
	uint64_t last_use;	 /* loop_now() of the last turn */
	struct timer clock;	 /* the time of the state: until it has been
				  * idle for long, or has had its time to end */
	struct timer free_later; /* when no callback of it is under way */
};

enum conversation_state {
	CONVERSATION_SPARE,    /* started ahead; belongs to no session yet */
	CONVERSATION_STARTING, /* the CLI has not said that it is ready */
	CONVERSATION_IDLE,     /* ready, without a turn under way */
	CONVERSATION_BUSY,     /* its turn is under way */
	CONVERSATION_QUEUED,   /* its turn was said, but the CLI has a turn of
				* its own under way first */
	CONVERSATION_STOPPING, /* a turn that is over for us still ends in the
				* CLI; the next turn may wait here */
	CONVERSATION_ALONE,    /* the CLI has a turn of its own under way; a
				* turn of ours may wait here */
	CONVERSATION_PARKED,  /* the CLI, or its model, waits for results of the
			       * caller's tools; a turn may bring them */
	CONVERSATION_LEAVING, /* over: it has no turn; no session finds it */
	CONVERSATION_STATES
};

/* How a turn has ended.  Strings are lent. */
struct outcome {
	bool lost;	/* the CLI does not know the conversation */
	bool not_begun; /* the conversation ended before the turn was said */
	bool at_start;	/* it did so before the CLI was ready for the turn */
	const struct error *error; /* NULL: it ended well */

	/* Of a good end, as conversation_finish() has them. */
	enum finish_reason reason;
	const struct usage *usage;
	const char *model;
};

/* One conversation with the CLI. */
struct conversation {
	struct instance *instance; /* NULL: never had one */

	/* For the whole life of the conversation; not the harness's to change.
	 */
	const char
		*cli_id; /* the CLI's id of the conversation: a new UUID
			  * unless it is resumed; see conversation_name_it() */
	bool resumed;	 /* the CLI knows the conversation already... */
	/* ...up to here, where one of its answers ended: its last, unless the
	 * harness rewinds; NULL: all of it */
	const char *position;
	bool is_rewound; /* what came after the position was taken back */
	bool kept; /* it is resumed later; otherwise nothing may be left */
	const char *cwd;
	const char *permission_mode; /* as the instance's */
	struct executor *executor;   /* as the instance's */
	const char *scratch;	     /* as the instance's */
	const char *system;	     /* system prompt; NULL: none */
	size_t system_len;
	/* It was told this very system prompt before: a harness that tells it
	 * as text does not repeat it. */
	bool knows_system;
	/* A system prompt that takes the place of the CLI's own; NULL: none.  A
	 * harness without TAKES_SYSTEM never gets one. */
	const char *instead;
	/* It had one, and has none any more. */
	bool drops_instead;
	/* Where the files of its profile are, as profile_files() has them;
	 * NULL: there are none. */
	const char *directory;
	const json_t *history; /* messages that begin the conversation, as in
				* prompt.h, which end with an answer or with
				* results; NULL: none.  Gone once handshake()
				* has returned. */

	/* What is asked for beside the messages.  Those that the harness binds,
	 * and those of the scope TERMS, stay as they are for the whole life of
	 * the conversation; the others are those of the turn. */
	struct options options;

	/* For say(); the model is also there before. */
	const char *model;	/* NULL: the default; never "default" */
	const json_t *messages; /* all that the caller has sent... */
	/* ...of which the CLI must hear those from here on, all the user's */
	size_t from;
	/* For answer(): results of the calls that its last turn ended with, as
	 * parts with the CLI's ids, in the order of the calls; `messages` is
	 * what the user says beside them. */
	const json_t *results;
	uint64_t turns; /* counts the turns of this conversation from 1 */

	void *own; /* harness->own bytes, zeroed */

	/* conversation.c's own. */
	struct node node;	 /* in pool->conversations */
	struct node in_instance; /* in instance->conversations */
	struct pool *pool;
	enum conversation_state state;
	struct turn *turn;   /* NULL: none */
	char *session;	     /* the caller's id; NULL: stands alone */
	bool holds_place;    /* its executor's, for a turn that is stopped */
	unsigned number;     /* of the conversation in the session */
	uint64_t unanswered; /* hash of the messages of the last turn, which
			      * failed; 0: the last turn ended well */
	uint64_t answer;     /* hash of what the turn has answered so far, as in
			      * prompt.h */
	bool was_starting;   /* the turn was given before the CLI was ready */
	bool was_said;	     /* the turn was */
	bool broke_in;	     /* the CLI was asked to stop the turn of its own */
	bool said_something;
	bool is_trial; /* begun to see that the CLI works; nobody's turn is
			* ever said in it, and how it went is not told yet */
	bool holds;    /* the answer is kept back until the turn has ended... */
	struct buf held;   /* ...and this is what there is of it */
	bool is_dismissed; /* it ends when its turn has stopped */
	bool had_handshake;
	bool was_ready; /* a spare whose CLI was ready without handshake() */
	const struct outcome *outcome; /* of the event; while it is handled */
	json_t *calls; /* {"id","cli","name"} that wait for results while it is
			* parked; otherwise NULL */
	struct client_tools *client_tools; /* see client_tools.h; NULL: none */
	struct continuation *parked; /* where it goes on then: the job's */
	struct buf meanwhile;	     /* what the CLI has said between turns */
	unsigned background;	     /* commands and agents that run in it */
	uint64_t last_turn; /* loop_now() of the beginning or the end of the
			     * last turn of a client's */
	struct timer clock; /* the deadline of the state */
	struct timer free_later; /* when no callback of it is under way */
};

struct harness {
	const char *tested; /* MAY be NULL: the version it was tested with */
	size_t own;	    /* sizeof *conversation->own */

	/* MAY be NULL: variables of ours that the CLI may see: names, or
	 * beginnings of names that end with "_". */
	const char *const *may_see;

	/* MAY be NULL: NAME=value that the CLI gets; <NAME>_ENV_<VARIABLE>
	 * overrides it. */
	const char *const *environment;

	/* MUST be set, ending with NULL: the values of <NAME>_PERMISSION_MODE;
	 * the first is the default. */
	const char *const *permission_modes;

	/* MUST be set: every enum loads that the CLI can be held to, or'ed. */
	unsigned loads;

	/* MUST be set: its row in capabilities.def.  The engine itself goes by
	 * these; the others are promises to callers, which the harness keeps.
	 *
	 * CAN_IMAGES, ...  the parts of messages that say() takes beside text,
	 *                  calls and results; a request with others is refused
	 * CAN_CWD          a conversation can be resumed in another working
	 *                  directory; otherwise such a turn is refused
	 * CAN_REWIND       a conversation can be resumed at the position of any
	 *                  of its answers, and knows nothing of what came after
	 * CAN_WARMTH       otherwise the process reads one turn, up to the end
	 *                  of its input, and exits
	 * CAN_RECALL       while the CLI has a turn of its own under way,
	 *                  interrupt() takes the turn that was said back and
	 *                  lets the CLI's go on.  What follows is
	 *                  conversation_fail(), or conversation_speaks_alone()
	 *                  if the CLI's turn still is under way
	 * CAN_MODELS       a conversation becomes ready without the vendor, and
	 *                  has listed its models by then: a trial is begun, and
	 *                  ended, to see that the CLI works
	 */
	uint64_t can;

	/* MAY be NULL: its row in profile_parts.def: the parts of a profile
	 * that it takes in its CLI's own way, as a whole and at the start of
	 * each conversation.  One that takes all of them gets the profile
	 * itself, in its options: nothing is made of it before.  Its models are
	 * the profiles of the catalogue. */
	const struct profile_takes *takes;

	/* The options of the scope TURN that the CLI takes only when a
	 * conversation begins, a set of BINDS_...: a turn that asks for others
	 * resumes the conversation in another process. */
	unsigned binds;

	/* What reasoning_effort can be, as bits (effort.h); 0 without
	 * CAN_EFFORT. Whether the model of the turn takes it is for say() to
	 * see. */
	unsigned efforts;

	/* A conversation keeps the tools of the caller's that it was begun
	 * with, in whatever process: one with other tools begins anew, with the
	 * messages of the request. */
	bool keeps_tools;

	/* The CLI keeps the effort of a process with the conversations in it,
	 * and cannot be told to forget it: what is usual is said as "medium"
	 * when such a conversation is resumed. */
	bool keeps_effort;

	/* MAY be NULL: whether say() tells the CLI itself what the answer must
	 * be, for options with a format other than text.  Otherwise that is
	 * told in words at the end of the question. */
	bool (*takes_format)(const struct options *);

	/* MAY be NULL: whether the CLI can be told of the caller's tools in the
	 * options instead of those that it has; one that waits for results is
	 * told in any case.  Without it, it can. */
	bool (*takes_tools)(const struct conversation *,
			    const struct options *);

	/* MAY be NULL: the options of the scope TERMS that say() can change in
	 * this conversation, a set of BINDS_...: a turn that asks for others of
	 * the rest resumes the conversation in another process. */
	unsigned (*takes_anew)(const struct conversation *);

	/* The work is done by a service, on machines of its own: the program
	 * here only asks it.  Such a turn has no working directory, and is in a
	 * sandbox whatever its mode. */
	bool is_remote;

	/* Nobody keeps the conversation: each turn begins it with all messages
	 * of the request, under the id that the session has. */
	bool forgets;

	/* MAY be NULL: what else must be right before a request is accepted. */
	bool (*check)(const struct options *, struct error *);

	/* MAY be NULL: arguments with which the program exits with 0 if what
	 * the variable of NEEDS_URL names is well, with EXIT_UNWELL if that
	 * says itself that it is not, and else with 1, and says why.  Without
	 * it whatever answers there is well. */
	const char *const *reach;

	/*
	 * How to find out whether the CLI is logged in without asking its
	 * vendor; all MAY be NULL.
	 *
	 * version      arguments that make it print its version
	 * logged_in    arguments that make it exit with 0 if it is logged in
	 * credentials  signs of a login, of which one is enough: a variable
	 *              that is set ("$NAME"), or a file that is there
	 *              ("~/file", "$NAME/file"); it is never read
	 * log_in       what to do if it is not logged in
	 *
	 * What it needs besides, such as its program, is in harnesses.def.
	 */
	const char *const *version, *const *logged_in, *const *credentials;
	const char *log_in;

	/* MAY be NULL: the files that the CLI writes when it renews its login,
	 * named as credentials are and never read, and how long a login of its
	 * vendor's lasts; 0: not known.  See login_gate.h. */
	const char *const *renewed;
	uint64_t login_ms;

	/* MAY be NULL: arguments with which the program exits with 0, unless
	 * it is an older version, which `fallback` can talk with. */
	const char *const *needs;
	const struct harness *fallback;

	/* MUST be set if each conversation has an instance: appends arguments
	 * and NAME=value.  Nothing of the caller's may be in the arguments,
	 * except a model that is_plain_model().  If this fails, so does the
	 * turn. */
	bool (*command)(struct conversation *, struct words *argv,
			struct words *env, struct error *);

	/* MAY be NULL: writes the input that leads to conversation_ready();
	 * without it the CLI says by itself that it is ready. */
	void (*handshake)(struct conversation *);

	/* MUST be set: writes the turn's messages. */
	void (*say)(struct conversation *);

	/* With CAN_TOOLS: the CLI is told of the caller's tools as of an MCP
	 * server, and answer() is client_tools_answer(). */
	bool tools_by_mcp;

	/* With tools_by_mcp, of a CLI that asks for the result of a call as
	 * soon as its model has made it, and tells of calls that are still
	 * being made: so long after the last sign of one the model is taken to
	 * make no other.  0: the CLI asks when all of them are made. */
	uint32_t settle_ms;

	/* With tools_by_mcp: bytes of a result that the CLI tells its model
	 * whole, or that it does beside tools of its own.  0: of any. */
	size_t max_result;
	bool cuts_beside_own;

	/* How long the CLI waits for the result of a call, if it cannot be
	 * told to wait longer: tool_wait_ms counts only as far as that.  0: as
	 * long as it takes. */
	uint64_t max_tool_wait_ms;

	/* MAY be NULL, with tools_by_mcp: ends the response with the calls, by
	 * conversation_park(), which takes them.  A harness that knows what
	 * the model has used so far tells it there. */
	void (*park)(struct conversation *, json_t *calls);

	/* MUST be set with CAN_TOOLS: gives the CLI the results of the calls
	 * that the conversation was parked with. */
	void (*answer)(struct conversation *);

	/* MAY be NULL: asks the CLI to stop the turn, which must then lead to
	 * conversation_fail() or conversation_finish().  Without it the process
	 * is killed. */
	void (*interrupt)(struct conversation *);

	/* MAY be NULL: asks the CLI to stop the turn of its own that is under
	 * way, and nothing else, which must then lead to
	 * conversation_falls_silent().  Called at most once for each such turn,
	 * before the turn that waits for it is said.  Without it that turn
	 * waits. */
	void (*interrupt_own)(struct conversation *);

	/* MUST be set if each conversation has an instance: hears one line.  If
	 * this fails, the process is killed and the turn fails. */
	bool (*line)(struct conversation *, struct str line, struct error *);

	/* MAY be NULL: the conversation is over, or was never begun: frees what
	 * is in conversation->state, and removes files that command() has made.
	 */
	void (*clear)(struct conversation *);

	/* MAY be NULL: the CLI has ended by itself: explains why, if it was no
	 * crash.  One without CAN_WARMTH may call conversation_finish() here.
	 */
	void (*ended)(struct conversation *, int status, struct str last_words,
		      struct error *);

	/* MUST be set: model ids without the harness's name, ending with
	 * NULL; what conversation_models() says replaces them. */
	const char *const *models;

	/*
	 * For a CLI whose conversations share instances; otherwise 0 and NULL.
	 * `shares` is how many conversations an instance can hold.  The rest is
	 * as above, but of the instance.
	 */
	unsigned shares;

	/* The options of the scope TERMS, and the effort, that belong to the
	 * process and not to a conversation in it, a set of BINDS_...: only
	 * conversations with the same share one, which finds them in
	 * instance->options.  What is of the scope TURN is in `binds`, too. */
	unsigned process_binds;
	size_t instance_own;
	bool (*instance_command)(struct instance *, struct words *argv,
				 struct words *env, struct error *);
	void (*instance_handshake)(
		struct instance *); /* MAY be NULL, as handshake */
	bool (*instance_line)(struct instance *, struct str line,
			      struct error *);
	void (*instance_clear)(struct instance *);

	/* MUST be set if conversations share instances: the conversation is
	 * over.  Tells the CLI to stop a turn that is under way.  clear()
	 * follows, so nothing may point at the conversation any more.  Not
	 * called if the process has ended. */
	void (*close)(struct conversation *);
};

/* The harness of the worker `name`; NULL on failure.  Every harness defines
 * this; the result lives as long as the process. */
const struct harness *harness_of(const char *name, struct error *);

/* What a harness calls, of a conversation. */
void conversation_write(struct conversation *, struct str);

/* One JSON value on a line of its own.  Takes `json`. */
void conversation_write_json(struct conversation *, json_t *json);

/* Closes the input, for a CLI without CAN_WARMTH. */
void conversation_end_input(struct conversation *);

/* The conversation is open, and has this id at the CLI: before
 * conversation_ready(). */
void conversation_name_it(struct conversation *, const char *cli_id);
void conversation_ready(struct conversation *);

/*
 * The CLI is at work on something long, and has just finished another part of
 * it: the deadline of the start, or of silence, begins anew.  A client may see
 * "<what>: <done> of <all>".
 */
void conversation_working(struct conversation *, const char *what, size_t done,
			  size_t all);

/*
 * The CLI has begun a turn of its own, for which nobody has asked: a background
 * command has ended, a timer has fired.  What it says until it falls silent
 * belongs to no turn of ours: it is kept, and told beside the next answer.  A
 * turn that comes meanwhile waits.
 */
void conversation_speaks_alone(struct conversation *);
void conversation_falls_silent(struct conversation *);

/* So many commands or agents of the conversation's run in the background. As
 * long as there are any, it is not idle. */
void conversation_background(struct conversation *, unsigned count);

void conversation_text(struct conversation *, struct str);
void conversation_reasoning(struct conversation *, struct str);

/* The answer as JSON, from a CLI that was told what it must be: instead of the
 * text of the turn. */
void conversation_structured(struct conversation *, const json_t *);

/* The turn may have done something that is not told. */
void conversation_acts(struct conversation *);

/* Takes `json`: {"id","name","arguments"}, or {"id","result"}. */
void conversation_tool(struct conversation *, json_t *json);

/* The CLI does not know cli_id.  May be called while the turn has said
 * nothing. */
void conversation_lost(struct conversation *);

/*
 * The turn ended well, or failed; the conversation can go on in both cases.
 * `usage` is what the turn has used (see usage.h), `model` who has answered;
 * NULL: not known.  Before conversation_ready() a failure ends the
 * conversation.
 */
void conversation_finish(struct conversation *, enum finish_reason,
			 const struct usage *usage, const char *model);
void conversation_fail(struct conversation *, const struct error *);

/*
 * The model has called tools of the caller's, and waits for their results:
 * answer() follows, or the end of the conversation.  Takes `calls`, an array of
 * {"cli":the CLI's id,"name":N,"arguments":TEXT}.
 */
void conversation_park(struct conversation *, json_t *calls,
		       const struct usage *usage, const char *model);

/* answer() of a harness whose CLI is told of the tools as of an MCP server. */
void client_tools_answer(struct conversation *);

/*
 * For a harness whose CLI tells of its model's calls before it asks for their
 * results.  `cli` is the CLI's id of the call, `name` that by which the CLI was
 * told of the tool; `arguments` MAY be NULL, if they follow.  May be called
 * again for the same call.
 */
void client_tools_announce(struct conversation *, const char *cli,
			   const char *name, const json_t *arguments);

/* The CLI has ended that call, whether it has asked or not. */
void client_tools_withdraw(struct conversation *, const char *cli);

/* Whether the CLI has asked which tools there are; true if there are none. */
bool client_tools_are_heard(const struct conversation *);

/* The model's message is complete: it makes no calls beside those that were
 * announced. */
void client_tools_complete(struct conversation *);

/* The turn failed, and the conversation cannot go on after that. */
void conversation_abort(struct conversation *, const struct error *);

/* Where in the CLI's own records the turn that is to finish ended. */
void conversation_mark(struct conversation *, const char *position);

/*
 * Takes `models`, an array of all that the CLI can address: ids, or objects of
 * an "id" and of what else is known: "name", for people; "context_length", in
 * tokens; "created", in Unix time.
 */
void conversation_models(struct conversation *, json_t *models);

/* The name of the harness, such as "claude", for error texts. */
const char *conversation_name(const struct conversation *);

/* Whether the client may have seen something of the turn. */
bool conversation_has_spoken(const struct conversation *);

/* What a harness calls, of an instance. */
void instance_write(struct instance *, struct str);
void instance_write_json(struct instance *,
			 json_t *); /* as conversation_write_json() */
void instance_ready(struct instance *);

/* The process is not trusted any more: turns that are under way in it may end,
 * and no other begins. */
void instance_close(struct instance *);

/* The instance cannot be used: its conversations fail, and it is killed. */
void instance_fail(struct instance *, const struct error *);

/* The conversation with this id at the CLI, which has just shown a sign of
 * life; NULL: there is none. */
struct conversation *instance_conversation(struct instance *,
					   const char *cli_id);

/*
 * The CLI has said something of a kind that the harness does not know, such as
 * "event foo": that is counted, and logged once.
 */
void instance_unknown(struct instance *, const char *kind, const char *what);

/* As an argument, `model` cannot be taken for anything but a name. */
bool is_plain_model(const char *model);
