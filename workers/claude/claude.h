#pragma once
/*
 * claude - the Claude Code CLI, kept alive over stream-json on its stdin
 *
 *   claude.c    how the CLI is started, and what is written to it
 *   claudish.c  the same CLI with a proxy for its vendor, as another harness
 *   control.c   its replies to our requests, and its requests
 *   events.c    what its lines mean
 *   whose.c     whose turn the CLI has under way
 *   inert.c     the caller's text, which the CLI must not act on
 *   failure.c   what its failures mean
 *   history.c   a conversation that began elsewhere, as a file to resume
 *
 * Written for version 2.1.330.  Lines of an unknown type are counted and passed
 * over.
 */
#include "workers/cli/blocks.h"

enum { MAX_UUID = 36 };

/* The id of the request that sets the model, with its number. */
#define CLAUDE_MODEL_REQUEST "model-%ju"

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
	char *said_model; /* the model that is set; NULL: the default */
	char *asked_model;	 /* the model that was asked for last... */
	bool is_asked_for_model; /* ...and whether the reply is still missing */
	char *prompt; /* a line that waits until the model is set; or NULL */
	char uuid[MAX_UUID + 1]; /* of the turn's prompt */
	enum claude_turn under_way;
	bool announced; /* the conversation knows of the CLI's own turn */
	bool was_said;	/* the prompt was sent, and its turn is not over */
	bool marks;	/* the CLI tells which turn a prompt is in */
	bool recalled;	/* the prompt is not wanted any more */
	bool is_ready;	/* the handshake is over */
	bool honours_composed;		   /* known to pass text on as it is */
	char last_assistant[MAX_UUID + 1]; /* uuid of its last good line */
	char model[MAX_MODEL];	      /* who answers, as the vendor calls it */
	struct paragraphs paragraphs; /* of this turn */
	bool gave_up;		      /* the CLI gave up the answer under way */
	bool needs_model;  /* there is no default: a turn must name one */
	char *usual_model; /* that the CLI begins with and does not go back to
			    * by itself; NULL: not known */
	char failure[MAX_NAME +
		     1];   /* the CLI's word for what went wrong; "": none */
	int64_t resets_at; /* Unix seconds; 0: not told */
	uint64_t asked;	   /* how many models were asked for */
};

/* history.c: the caller frees the path.  NULL on failure. */
char *history_write(const struct conversation *, struct error *);

/* Removes the file: it has been read, or is not needed. */
void history_remove(struct conversation *);

/* Anthropic's blocks for the parts of a message. */
json_t *history_blocks(const json_t *parts);

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

/* claude.c: sends the prompt that waits. */
void claude_send_prompt(struct conversation *);

/* Asks the CLI to stop the turn that the prompt is in. */
void claude_stop_turn(struct conversation *);

/* Whether the CLI may use all tools without being asked. */
bool claude_may_do_all(const struct conversation *);

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
