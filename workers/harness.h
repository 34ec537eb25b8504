#pragma once
/*
 * harness - what the CLI engine must know about one coding CLI
 *
 * To add a harness, define harness_of() in a folder of its own and name the
 * folder in workers/CMakeLists.txt and harnesses.def.  A harness turns
 * requests into the input of its CLI, and the CLI's output into calls of the
 * functions below.  It never blocks, never exits, keeps no state outside
 * talk->state and agent->state, and knows nothing of messages, sockets or
 * processes.
 *
 * An agent is one process of the CLI.  A talk is one conversation with it, and
 * is kept warm between turns.  With most CLIs each talk has an agent of its
 * own:
 *
 *      command, greet -> talk_ready      the process has started
 *      say -> talk_text... talk_finish   a turn; then the next one
 *
 * Where one process can hold many conversations, talks share an agent:
 *
 *      agent_command, agent_greet -> agent_ready    the process has started
 *      greet -> talk_name_it, talk_ready            a conversation is open
 *      say -> talk_text... talk_finish              a turn; then the next one
 *      close                                        the conversation is over
 */
#include "proto/buf.h"
#include "proto/error.h"
#include "proto/loop.h"
#include "proto/str.h"
#include "workers/json.h"
#include "workers/words.h"

/* Which of its user's configuration a CLI may load beside the login. */
enum loads {
	LOADS_NOTHING = 1,    /* none: the CLI works as its makers ship it */
	LOADS_PROJECT = 2,    /* the files in the working directory */
	LOADS_EVERYTHING = 4, /* all that it would load for its user */
};

struct agent {
	const char *name;	     /* of the harness: "claude" */
	const char *workspace;	     /* where a shared agent runs */
	const char *scratch;	     /* a directory for the harness's files */
	const char *permission_mode; /* one of harness->permission_modes */
	enum loads loads;	     /* one of harness->loads */
	struct loop *loop;
	void *state; /* harness->agent_state bytes, zeroed */
};

struct talk {
	struct agent *agent;

	/* For the whole life of the talk. */
	const char *cli_id; /* the CLI's id of the conversation: a new UUID
			     * unless it is resumed; see talk_name_it() */
	bool resumed;	    /* the CLI knows the conversation already... */
	/* ...up to here, where its last good turn ended; NULL: all of it */
	const char *position;
	bool kept; /* it is resumed later; otherwise nothing may be left */
	const char *cwd;
	const char *permission_mode; /* as the agent's */
	const char *scratch;	     /* as the agent's */
	const char *system;	     /* system prompt; NULL: none */
	size_t system_len;
	const json_t *history; /* messages that begin the conversation, as in
				* conversation.h; NULL: none.  Gone once
				* greet() has returned. */

	/* For say(); the model is also there before. */
	const char *model;	/* NULL: the default */
	const json_t *messages; /* all that the caller has sent... */
	/* ...of which the CLI must hear those from here on, all the user's */
	size_t from;
	uint64_t turn; /* counts the turns of this talk from 1 */

	void *state; /* harness->state bytes, zeroed */
};

struct harness {
	const char *tested; /* MAY be NULL: the version it was tested with */
	size_t state;	    /* sizeof *talk->state */

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

	/* MAY be NULL: arguments with which the program exits with 0, unless
	 * it is an older version, which `fallback` can talk with. */
	const char *const *needs;
	const struct harness *fallback;

	/* A talk becomes ready without the vendor, and has listed its models
	 * by then: a trial is begun, and ended, to see that the CLI works. */
	bool has_trial;

	/* The process reads one turn, up to the end of its input, and exits. */
	bool one_shot;

	/* MUST be set if each talk has an agent: appends arguments and
	 * NAME=value.  Nothing of the caller's may be in the arguments, except
	 * a model that is_plain_model().  If this fails, so does the turn. */
	bool (*command)(struct talk *, struct words *argv, struct words *env,
			struct error *);

	/* MAY be NULL: writes the input that leads to talk_ready(); without it
	 * the CLI says by itself that it is ready. */
	void (*greet)(struct talk *);

	/* MUST be set: writes the turn's messages. */
	void (*say)(struct talk *);

	/* MAY be NULL: asks the CLI to stop the turn, which must then lead to
	 * talk_fail() or talk_finish().  Without it the process is killed. */
	void (*interrupt)(struct talk *);

	/* MUST be set if each talk has an agent: hears one line.  If this
	 * fails, the process is killed and the turn fails. */
	bool (*line)(struct talk *, struct str line, struct error *);

	/* MAY be NULL: the talk is over, or was never begun: frees what is in
	 * talk->state, and removes files that command() has made. */
	void (*clear)(struct talk *);

	/* MAY be NULL: the CLI has ended by itself: explains why, if it was no
	 * crash.  One that is one_shot may call talk_finish() here. */
	void (*ended)(struct talk *, int status, struct str last_words,
		      struct error *);

	/* MUST be set: model ids without the harness's name, ending with
	 * NULL; what talk_models() says replaces them. */
	const char *const *models;

	/*
	 * For a CLI whose talks share agents; otherwise 0 and NULL.  `shares`
	 * is how many talks an agent can hold.  The rest is as above, but of
	 * the agent.
	 */
	unsigned shares;
	size_t agent_state;
	bool (*agent_command)(struct agent *, struct words *argv,
			      struct words *env, struct error *);
	void (*agent_greet)(struct agent *); /* MAY be NULL, as greet */
	bool (*agent_line)(struct agent *, struct str line, struct error *);
	void (*agent_clear)(struct agent *);

	/* MUST be set if talks share agents: the talk is over.  Tells the CLI
	 * to stop a turn that is under way.  clear() follows, so nothing may
	 * point at the talk any more.  Not called if the process has ended. */
	void (*close)(struct talk *);
};

/* The harness of the worker `name`; NULL on failure.  Every harness defines
 * this; the result lives as long as the process. */
const struct harness *harness_of(const char *name, struct error *);

/* What a harness calls, of a talk. */
void talk_write(struct talk *, struct str);

/* One JSON value on a line of its own.  Takes `json`. */
void talk_write_json(struct talk *, json_t *json);

/* Closes the input, for a CLI that is one_shot. */
void talk_end_input(struct talk *);

/* The conversation is open, and has this id at the CLI: before talk_ready(). */
void talk_name_it(struct talk *, const char *cli_id);
void talk_ready(struct talk *);

/*
 * The CLI is at work on something long, and has just finished another part of
 * it: the deadline of the start, or of silence, begins anew.  A client may see
 * "<what>: <done> of <all>".
 */
void talk_working(struct talk *, const char *what, size_t done, size_t all);
void talk_text(struct talk *, struct str);
void talk_reasoning(struct talk *, struct str);

/* Takes `json`: {"id","name","arguments"}, or {"id","result"}. */
void talk_tool(struct talk *, json_t *json);

/* The CLI does not know cli_id.  May be called while the turn has said
 * nothing. */
void talk_lost(struct talk *);

/*
 * The turn ended well, or failed; the talk can go on in both cases.  `usage` is
 * OpenAI's object, which is taken, or NULL; `model` is who has answered, or
 * NULL.  Before talk_ready() a failure ends the talk.
 */
void talk_finish(struct talk *, const char *reason, json_t *usage,
		 const char *model);
void talk_fail(struct talk *, const struct error *);

/* The turn failed, and the talk cannot go on after that. */
void talk_abort(struct talk *, const struct error *);

/* Where in the CLI's own records the turn that is to finish ended. */
void talk_mark(struct talk *, const char *position);

/*
 * Takes `models`, an array of all that the CLI can address: ids, or objects of
 * an "id" and of what else is known: "name", for people; "context_length", in
 * tokens; "created", in Unix time.
 */
void talk_models(struct talk *, json_t *models);

/* The name of the harness, such as "claude", for error texts. */
const char *talk_name(const struct talk *);

/* Whether the client may have seen something of the turn. */
bool talk_has_spoken(const struct talk *);

/* What a harness calls, of an agent. */
void agent_write(struct agent *, struct str);
void agent_write_json(struct agent *, json_t *); /* as talk_write_json() */
void agent_ready(struct agent *);

/* The agent cannot be used: its talks fail, and it is killed. */
void agent_fail(struct agent *, const struct error *);

/* The talk with this id at the CLI, which has just shown a sign of life; NULL:
 * there is none. */
struct talk *agent_talk(struct agent *, const char *cli_id);

/*
 * The CLI has said something of a kind that the harness does not know, such as
 * "event foo": that is counted, and logged once.
 */
void agent_unknown(struct agent *, const char *kind, const char *what);

/* As an argument, `model` cannot be taken for anything but a name. */
bool is_plain_model(const char *model);

/* A random UUID, as RFC 4122, section 4.4 has it.  The caller frees it. */
char *new_uuid(void);
