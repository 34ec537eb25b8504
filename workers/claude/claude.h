#pragma once
/*
 * claude - the Claude Code CLI, kept alive over stream-json on its stdin
 *
 *   claude.c    how it is started, what is said to it
 *   claudish.c  how it is made to talk to a proxy, under another name
 *   control.c   what it replies to us, and asks us
 *   events.c    what its lines mean
 *   failure.c   what its failures mean
 *   history.c   a conversation that began elsewhere, as a file it resumes
 *
 * Written for version 2.1.330; lines of types that are not known here are
 * counted, and otherwise none of our business.
 */
#include "workers/harness.h"

enum { MAX_UUID = 36 };

/* The id of the request that sets the model, with its number. */
#define CLAUDE_MODEL_REQUEST "model-%ju"

/* talk->state */
struct claude {
	char *history; /* path of a file that it resumes, until it is ready */
	char *said_model;	 /* that it has taken; NULL: its default */
	char *asked_model;	 /* that it was asked for last... */
	bool is_asked_for_model; /* ...to which it has not replied */
	char *prompt; /* a line that waits until the model is set; or NULL */
	char uuid[MAX_UUID + 1];	   /* of the turn's message */
	char last_assistant[MAX_UUID + 1]; /* uuid of its last good line */
	char model[MAX_MODEL];	    /* that answers, as the vendor calls it */
	bool used_tool;		    /* since the last text */
	bool has_text;		    /* in this turn */
	bool gave_up;		    /* the answer that it was hearing */
	bool needs_model;	    /* it has no default */
	char failure[MAX_NAME + 1]; /* its word for what went wrong; "": none */
	int64_t resets_at;	    /* Unix seconds; 0: not told */
	uint64_t asked;		    /* how often it was asked for a model */
};

/* history.c: the caller frees the path.  NULL on failure. */
char *history_write(const struct talk *, struct error *);

/* It has been read, or never will be. */
void history_remove(struct talk *);

/* One message's content, from our parts to Anthropic's blocks. */
json_t *history_blocks(const json_t *parts);

/* events.c */
bool claude_line(struct talk *, struct str line, struct error *);

/* control.c: lines of a reply to what we asked, and of a request. */
bool claude_on_reply(struct talk *, const json_t *line, struct error *);
bool claude_on_request(struct talk *, const json_t *line, struct error *);

/* claude.c: sends what has waited. */
void claude_send_prompt(struct talk *);

/* Whether it may use any tool without asking anybody. */
bool claude_may_do_all(const struct talk *);

/* failure.c: reads a `result` line with is_error. */
void claude_explain(const struct talk *, const json_t *result, struct error *);

/* claudish.c: it talks to a proxy for other vendors' models. */
bool is_claudish(const struct talk *);

/* Appends what makes it talk to the proxy, and to nobody else. */
bool claudish_add(struct talk *, struct words *argv, struct words *env,
		  struct error *);

/* Fails the turn, of which it must be told. */
void claudish_ask_for_model(struct talk *);

extern const char *const claudish_environment[], *const claudish_models[];
