#pragma once
/*
 * claude - the Claude Code CLI, kept alive over stream-json on its stdin
 *
 *   claude.c    how the CLI is started, and what is written to it
 *   claudish.c  the same CLI with a proxy for its vendor, as another harness
 *   control.c   its replies to our requests, and its requests
 *   servers.c   the MCP servers of the caller's
 *   events.c    what its lines mean
 *   whose.c     whose turn the CLI has under way
 *   inert.c     the caller's text, which the CLI must not act on
 *   safe.c      the mode hosted-safe
 *   failure.c   what its failures mean
 *   effort.c    how long the model may think
 *   history.c   a conversation that began elsewhere, as a file to resume
 *   structured.c  an answer that is to be JSON
 *   tools.c     the caller's tools
 *   profile.c   what a profile has that is more than a system prompt
 *
 * Written for version 2.1.330.  Lines of an unknown type are counted and passed
 * over.
 */
#include "workers/cli/blocks.h"

enum { MAX_UUID = 36 };

/* The id of the request that sets the model, with its number. */
#define CLAUDE_MODEL_REQUEST "model-%ju"

/* The same, of one that sets how long it may think. */
#define CLAUDE_EFFORT_REQUEST "effort-%ju"
/* The same, of the request that sets the MCP servers. */
#define CLAUDE_SERVERS_REQUEST "servers-%ju"

/* The id of the request that takes a prompt back, which is still queued. */
#define CLAUDE_RECALL_REQUEST "recall"

/* Whose turn the CLI has under way; see whose.c. */
enum claude_turn {
	CLAUDE_NO_TURN,
	CLAUDE_OUR_TURN,
	CLAUDE_OWN_TURN, /* nobody has asked for it */
};

/* conversation->own */
struct claude {
	char *history;	  /* path of a file to resume, until the CLI is ready */
	char *settings;	  /* path of a file of settings; or NULL */
	char *said_model; /* the model that is set; NULL: the default */
	char *asked_model;	 /* the model that was asked for last... */
	bool is_asked_for_model; /* ...and whether the reply is still missing */
	char *prompt;	       /* a line that waits until all is set; or NULL */
	bool offers_all;       /* tools of servers are not hidden */
	json_t *said_servers;  /* that the CLI has; JSON's null: not known */
	json_t *asked_servers; /* that were asked for last... */
	bool is_asked_for_servers; /* ...and whether the reply is still missing
				    */
	uint64_t servers_request;  /* its number */
	char uuid[MAX_UUID + 1];   /* of the turn's prompt */
	enum claude_turn under_way;
	bool announced; /* the conversation knows of the CLI's own turn */
	bool was_said;	/* the prompt was sent, and its turn is not over */
	bool marks;	/* the CLI tells which turn a prompt is in */
	bool recalled;	/* the prompt is not wanted any more */
	bool is_ready;	/* the handshake is over */
	bool is_open;	/* and a turn can be said */
	bool honours_composed;		   /* known to pass text on as it is */
	char last_assistant[MAX_UUID + 1]; /* uuid of its last good line */
	char model[MAX_MODEL];	      /* who answers, as the vendor calls it */
	struct paragraphs paragraphs; /* of this turn */
	struct usage prompts;	      /* of its requests */
	bool gave_up;		      /* the CLI gave up the answer under way */
	bool needs_model;  /* there is no default: a turn must name one */
	char *usual_model; /* that the CLI begins with and does not go back to
			    * by itself; NULL: not known */
	char failure[MAX_NAME +
		     1];   /* the CLI's word for what went wrong; "": none */
	int64_t resets_at; /* Unix seconds; 0: not told */
	uint64_t asked; /* how many models and sets of servers were asked for */
	json_t *efforts;    /* what each model takes, as bits; NULL: not told */
	enum effort effort; /* that was asked for last... */
	uint64_t asked_efforts;	  /* ...requests for that... */
	unsigned missing_efforts; /* ...and the replies that are missing */
	uint64_t model_request;	  /* the number of the last for a model */
	json_t *said_tools; /* of the caller's, as the CLI has them; or NULL */
	json_t *offered;    /* those that its model is offered; or NULL */
	bool is_listing;    /* it is to ask for them again */
	json_t *calls;	    /* of these, in the turn under way, as
			     * conversation_park()      takes them; or NULL */
	char format_call[MAX_NAME + 1]; /* id of the call that is the answer */
};

/* history.c: the caller frees the path.  NULL on failure. */
char *history_write(const struct conversation *, struct error *);

/* Removes the file: it has been read, or is not needed. */
void history_remove(struct conversation *);

/* Anthropic's blocks for the parts of a message. */
json_t *history_blocks(const json_t *parts);

/* profile.c: a file of these settings and of what the profile forbids, if there
 * is any; takes `settings`. */
must_check bool claude_add_settings(struct conversation *, struct words *argv,
				    json_t *settings, struct error *);
void claude_remove_settings(struct conversation *);
must_check bool claude_add_plugin(const struct conversation *,
				  struct words *argv, struct error *);

/* inert.c: Anthropic's blocks for what the user says in the turn. */
json_t *inert_blocks(const struct conversation *);

/* events.c */
bool claude_line(struct conversation *, struct str line, struct error *);

/* whose.c: hears of every line, before anything else does, whose it is. */
void whose_hear(struct conversation *, const json_t *line);

/* Whether a `result` is that of our prompt's turn. */
bool whose_is_ours(const struct claude *, const json_t *result);

/* The turn under way is over. */
void whose_end(struct conversation *);

/* control.c: a reply to a request of ours, and a request of the CLI's. */
bool claude_on_reply(struct conversation *, const json_t *line, struct error *);
bool claude_on_request(struct conversation *, const json_t *line,
		       struct error *);

/* effort.c */
void claude_note_efforts(struct claude *, const json_t *model);
must_check bool claude_choose_effort(const struct conversation *, enum effort *,
				     struct error *);
void claude_ask_effort(struct conversation *, enum effort);

/* Whether the reply with this id was about that. */
bool claude_on_effort(struct conversation *, const char *id, const char *error);

/* structured.c: whether the CLI can be told what the answer must be; tells it
 * so, in the handshake. */
bool claude_takes_format(const struct options *);
void claude_add_format(const struct conversation *, json_t *initialize);

/* Whether a call, or a result, is not a tool's but the answer's. */
bool claude_is_format_call(struct conversation *, const json_t *block);

/* True, with the error: the turn has ended because there was no such answer. */
bool claude_has_no_format(const struct conversation *, const json_t *result,
			  struct error *);

/* tools.c: in the handshake; in the arguments; among the servers. */
void claude_add_hook(json_t *initialize);
void claude_expect_tools(const struct conversation *, struct words *argv,
			 struct words *env);
void claude_add_tools(const struct conversation *, json_t *servers);

/* Tells the CLI that they are others now, if they are. */
void claude_tell_tools(struct conversation *);
bool claude_takes_tools(const struct conversation *,
			const struct options *wanted);

/* What a control request of the CLI's is answered with: a message for our
 * server, and the question whether a tool may be called. */
json_t *claude_on_message(struct conversation *, const json_t *request);
json_t *claude_on_hook(struct conversation *, const json_t *request);

/* Whether a tool with this name is the caller's. */
bool claude_is_call(const char *name);

/* Whether the turn has ended with calls. */
bool claude_is_deferred(const struct claude *, const json_t *result);

/* The results of the turn, and what the user says beside them. */
json_t *claude_result_blocks(const struct conversation *);

/* claude.c: sends the prompt that waits, if nothing is being set for it. */
void claude_send_prompt(struct conversation *);

/* servers.c: adds variables to those that the process is started with. */
void claude_expect_servers(struct conversation *, struct words *env);
unsigned claude_takes_anew(const struct conversation *);

/* Whether the CLI has the servers of the turn, or asks for them; the reply. */
bool claude_has_servers(const struct conversation *);
void claude_ask_for_servers(struct conversation *);
must_check bool claude_on_servers(struct conversation *, const json_t *response,
				  struct error *);

/* Takes `request`. */
void claude_ask(struct conversation *, const char *id, json_t *request);

/* Asks the CLI to stop the turn that the prompt is in. */
void claude_stop_turn(struct conversation *);

/* Whether the CLI may use all tools without being asked. */
bool claude_may_do_all(const struct conversation *);

/* safe.c: appends what keeps it from all but reading. */
void safe_add(const struct conversation *, struct words *argv,
	      struct words *env);

/* failure.c: reads a `result` line with is_error. */
void claude_explain(const struct conversation *, const json_t *result,
		    struct error *);

/* claudish.c: whether this is the harness with the proxy. */
bool is_claudish(const struct conversation *);

/* Appends arguments and variables that make it talk to the proxy only. */
bool claudish_add(struct conversation *, struct words *argv, struct words *env,
		  struct error *);

/* Fails a turn that names no model. */
void claudish_ask_for_model(struct conversation *);

extern const char *const claudish_environment[];

/* Names as in harness.h, until the next call. */
const char *const *claudish_models(void);
