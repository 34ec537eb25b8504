#pragma once
/*
 * harness - what the CLI engine must know about one coding CLI
 *
 * To add a harness, define harness_of() in a folder of its own and name the
 * folder in workers/CMakeLists.txt and harnesses.def.  A harness turns
 * requests into what its CLI wants to read, and what its CLI says into calls
 * of the functions below.  It never blocks, never exits, keeps no state
 * outside talk->state and agent->state, and knows nothing of messages,
 * sockets or processes.
 *
 * An agent is one process of the CLI; a talk is one conversation with it,
 * kept warm between turns.  With most CLIs each talk has an agent of its own:
 *
 *      command, greet -> talk_ready      it has started
 *      say -> talk_text... talk_finish   a turn; then the next one
 *
 * Where one process can hold many conversations they share it:
 *
 *      agent_command, agent_greet -> agent_ready    the process has started
 *      greet -> talk_name_it, talk_ready            a conversation is open
 *      say -> talk_text... talk_finish
 *      close                                        it is not needed any more
 */
#include "proto/buf.h"
#include "proto/error.h"
#include "proto/loop.h"
#include "proto/str.h"
#include "workers/json.h"
#include "workers/words.h"

/* What of the user's own configuration a CLI may load beside its login. */
enum loads {
	LOADS_NOTHING = 1,    /* none: it is as its makers ship it */
	LOADS_PROJECT = 2,    /* what lies in the working directory */
	LOADS_EVERYTHING = 4, /* what it would load for its user */
};

struct agent {
	const char *name;	     /* of the harness: "claude" */
	const char *workspace;	     /* where it runs if it serves many */
	const char *scratch;	     /* a directory for files of its own */
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
	bool resumed;	    /* the CLI knows it already... */
	/* ...up to here, where its last good turn ended; NULL: all of it */
	const char *position;
	bool kept; /* it is to be resumed later; else leave nothing */
	const char *cwd;
	const char *permission_mode; /* as the agent's */
	const char *scratch;	     /* as the agent's */
	const char *system;	     /* system prompt; NULL: none */
	size_t system_len;
	const json_t *history; /* messages that begin the conversation, as in
				* conversation.h; NULL: none.  Gone once
				* greet() has returned. */

	/* For the turn that is to be said; the model also before. */
	const char *model;	/* NULL: the default */
	const json_t *messages; /* all that the caller has sent... */
	/* ...of which the CLI is to hear from here on: all the user's */
	size_t from;
	uint64_t turn; /* counts the turns of this talk from 1 */

	void *state; /* harness->state bytes, zeroed */
};

struct harness {
	const char *program; /* looked up in PATH, unless <NAME>_BIN is set */
	const char *install; /* what to do if it is not there */
	const char *tested;  /* MAY be NULL: the version it was tested with */
	size_t state;	     /* sizeof *talk->state */

	/* MAY be NULL: variables of ours that the CLI may see: names, or
	 * beginnings of names that end with "_". */
	const char *const *may_see;

	/* MAY be NULL: NAME=value that its CLI gets unless the user says
	 * otherwise with <NAME>_ENV_<NAME>. */
	const char *const *environment;

	/* MUST be set, ending with NULL: what <NAME>_PERMISSION_MODE may be;
	 * the first is what it is if nobody says. */
	const char *const *permission_modes;

	/* MUST be set: the enum loads that it can keep to, or'ed. */
	unsigned loads;

	/*
	 * How to find out whether it is logged in without asking its vendor;
	 * all MAY be NULL.  Arguments that make it print its version, and that
	 * make it exit with 0 if it is logged in.  What shows that it is, of
	 * which one is enough: "$NAME", a variable that is set; "~/file" in
	 * its home, "$NAME/file" in a directory, which is never read.  A
	 * variable with the URL of something that must answer.  And what to
	 * do if it is not logged in.
	 */
	const char *const *version, *const *logged_in, *const *credentials;
	const char *needs_url;
	const char *log_in;

	/* MAY be NULL: arguments that its program exits with 0 from, unless it
	 * is an older one, which can be talked with as `fallback` says. */
	const char *const *needs;
	const struct harness *fallback;

	/* A talk becomes ready without its vendor, and tells of its models by
	 * then: one is begun, and ended, to see that it works. */
	bool has_trial;

	/* Its process reads one turn, to the end of its input, and exits. */
	bool one_shot;

	/* MUST be set if it has an agent of its own: appends arguments, in
	 * which nothing of the caller's may be but a model that
	 * is_plain_model(), and NAME=value.  What it fails with fails the
	 * turn. */
	bool (*command)(struct talk *, struct words *argv, struct words *env,
			struct error *);

	/* MAY be NULL: writes what leads to talk_ready(); without it the CLI
	 * says by itself that it is ready. */
	void (*greet)(struct talk *);

	/* MUST be set: writes the turn's messages. */
	void (*say)(struct talk *);

	/* MAY be NULL: asks it to stop the turn, which must then lead to
	 * talk_fail() or talk_finish().  Without it the process is killed. */
	void (*interrupt)(struct talk *);

	/* MUST be set if it has an agent of its own: hears one line.  What it
	 * fails with ends the process and the turn. */
	bool (*line)(struct talk *, struct str line, struct error *);

	/* MAY be NULL: the talk is over, or was never begun; frees what
	 * talk->state has, removes what command() has made. */
	void (*clear)(struct talk *);

	/* MAY be NULL: makes sense of a CLI that ended on its own; otherwise
	 * it has CRASHED.  One that is one_shot may talk_finish() here. */
	void (*ended)(struct talk *, int status, struct str last_words,
		      struct error *);

	/* MUST be set: model ids without the harness's name, ending with
	 * NULL; what talk_models() says replaces them. */
	const char *const *models;

	/*
	 * Of a CLI whose process holds many talks; else 0 and NULL.  As above,
	 * but of the process: how many it may hold, what it keeps, its
	 * arguments, its handshake up to agent_ready(), its lines.
	 */
	unsigned shares;
	size_t agent_state;
	bool (*agent_command)(struct agent *, struct words *argv,
			      struct words *env, struct error *);
	void (*agent_greet)(struct agent *); /* MAY be NULL, as greet */
	bool (*agent_line)(struct agent *, struct str line, struct error *);
	void (*agent_clear)(struct agent *);

	/* MUST be set if it shares: the talk is over.  If a turn is under way
	 * it is to stop; no more of the talk is heard, and it is cleared next:
	 * nothing may point at it any more.  Without this where the process
	 * itself has ended: it is only cleared then. */
	void (*close)(struct talk *);
};

/* The harness that the worker `name` is; NULL on failure.  To be defined by
 * each harness; what it returns lives as long as the process. */
const struct harness *harness_of(const char *name, struct error *);

/* For the harness to call, of a talk. */
void talk_write(struct talk *, struct str);

/* One JSON value on a line of its own.  Takes `json`. */
void talk_write_json(struct talk *, json_t *json);

/* There is no more to be read: of one that is one_shot. */
void talk_end_input(struct talk *);

/* It is open, and the CLI calls it so: before talk_ready(). */
void talk_name_it(struct talk *, const char *cli_id);
void talk_ready(struct talk *);

/*
 * It is at work on something long, of which it has done so many parts, and has
 * just shown that it goes on: the deadline of its start, or of its silence,
 * begins anew.  A client may be shown "<what>: <done> of <all>".
 */
void talk_working(struct talk *, const char *what, size_t done, size_t all);
void talk_text(struct talk *, struct str);
void talk_reasoning(struct talk *, struct str);

/* Takes `json`: {"id","name","arguments"}, or {"id","result"}. */
void talk_tool(struct talk *, json_t *json);

/* The CLI does not know cli_id: may be called as long as a turn has said
 * nothing. */
void talk_lost(struct talk *);

/*
 * The turn ended well, or not; the talk can go on in both cases.  `usage` is
 * OpenAI's object, which is taken, or NULL; `model` who answered, or NULL.
 * Before talk_ready() a failure ends the talk.
 */
void talk_finish(struct talk *, const char *reason, json_t *usage,
		 const char *model);
void talk_fail(struct talk *, const struct error *);

/* The turn failed in a way that the talk had better not go on from. */
void talk_abort(struct talk *, const struct error *);

/* Where in the CLI's own records the turn that is to finish ended. */
void talk_mark(struct talk *, const char *position);

/*
 * Takes `models`, an array of all that the CLI can address: ids, or objects of
 * an "id" and of what else is known: "name", for people; "context_length", in
 * tokens; "created", in Unix time.
 */
void talk_models(struct talk *, json_t *models);

/* "claude": for error texts. */
const char *talk_name(const struct talk *);

/* Whether the turn has already said something that can't be taken back. */
bool talk_has_spoken(const struct talk *);

/* For the harness to call, of an agent. */
void agent_write(struct agent *, struct str);
void agent_write_json(struct agent *, json_t *); /* as talk_write_json() */
void agent_ready(struct agent *);

/* It can't be used: its talks fail, and it is ended. */
void agent_fail(struct agent *, const struct error *);

/* The talk that the CLI calls so, of which this is a sign of life; or NULL. */
struct talk *agent_talk(struct agent *, const char *cli_id);

/*
 * It said something of a kind that we do not know, such as "event foo": that
 * is counted, and logged once.
 */
void agent_unknown(struct agent *, const char *kind, const char *what);

/* As an argument it is a name and nothing else. */
bool is_plain_model(const char *model);

/* A random UUID, as RFC 4122, section 4.4 has it.  The caller frees it. */
char *new_uuid(void);
