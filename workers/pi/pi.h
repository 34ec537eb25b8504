#pragma once
/*
 * pi - the coding agent pi, kept alive in its rpc mode
 *
 *   pi.c        how it is started, what is said to it
 *   events.c    what its lines mean
 *   failure.c   what its failures mean
 *   files.c     what it is given in files: a past, a system prompt
 *
 * Written for version 0.87.1.  A line is a command of ours, its response with
 * the same id, or an event.  Lines end with LF only: U+2028 may be in them.
 */
#include "workers/harness.h"

/* talk->state */
struct pi {
	char *past;	    /* path of a session file it begins from; or NULL */
	char *instructions; /* path of what it adds to its system prompt */
	bool knows_system;  /* the system prompt was in there when it started */
	bool opened_anew;   /* it was, to read it again */
	json_t *models;	    /* names: whether it can see images */
	char *default_model; /* "provider/model", as it started; or NULL */
	char *said_model;    /* that it was told last; NULL: its default */
	char *asked_model;   /* that it is told now; or NULL */
	unsigned asking; /* how many models it was told, and has not answered */
	json_t *prompt;	 /* a command that waits for the model; or NULL */
	char model[MAX_MODEL]; /* that answers */
	bool used_tool;	       /* since the last text */
	bool has_text;	       /* in this turn */
	bool has_said;	       /* something in the message under way */
	bool is_busy;	       /* with our prompt, until it has settled */
	json_int_t input, output, cached, reasoned; /* tokens of the turn */
	char stop[MAX_NAME + 1]; /* reason of the last message; "": none yet */
	char words[MAX_ERROR_TEXT]; /* what went wrong with it; or "" */
	struct error why; /* we have stopped the turn because of that */
};

extern const struct harness pi;

/* events.c */
bool pi_line(struct talk *, struct str line, struct error *);

/* pi.c: sends what has waited, or drops it. */
void pi_send_prompt(struct talk *);
void pi_drop_prompt(struct talk *);
void pi_ask(struct talk *, const char *type, json_t *command);

/* failure.c: the last message was not a good one. */
void pi_explain(const struct pi *, bool has_spoken, struct error *e);

/* files.c: false on failure. */
bool pi_write_past(struct talk *, struct error *);
bool pi_write_instructions(struct talk *, struct error *);
void pi_remove_files(struct talk *);
