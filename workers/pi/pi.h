#pragma once
/*
 * pi - the coding agent pi, kept alive in its rpc mode
 *
 *   pi.c        how pi is started, and what is written to it
 *   events.c    what its lines mean
 *   failure.c   what its failures mean
 *   files.c     the files that it gets: a history, a system prompt
 *
 * Written for version 0.87.1.  Each line is a command of ours, a response with
 * the same id, or an event.  Lines end with LF only, and may contain U+2028.
 */
#include "workers/cli/blocks.h"

/* conversation->own */
struct pi {
	char *past;	     /* path of a session file to begin from; or NULL */
	char *instructions;  /* path of the file that is added to its system
				prompt */
	bool knows_system;   /* ours was in that file when pi started */
	bool opened_anew;    /* a new session was begun to read it again */
	json_t *models;	     /* by name: whether it can see images */
	char *default_model; /* "provider/model" at the start; or NULL */
	char *said_model;    /* the model that is set; NULL: the default */
	char *asked_model;   /* the model that is being set; or NULL */
	unsigned asking; /* commands for a model without a response so far */
	json_t *prompt;	 /* a command that waits for the model; or NULL */
	char model[MAX_MODEL];	      /* who answers */
	struct paragraphs paragraphs; /* of this turn */
	bool has_said;	    /* the message under way has said something */
	bool is_busy;	    /* from our prompt until the turn has settled */
	struct usage usage; /* of the turn */
	char stop[MAX_NAME +
		  1]; /* why the last message ended; "": it has not */
	char words[MAX_ERROR_TEXT]; /* what went wrong in it; or "" */
	struct error why;	    /* why we have stopped the turn */
};

extern const struct harness pi;

/* events.c */
bool pi_line(struct conversation *, struct str line, struct error *);

/* pi.c: sends the prompt that waits, or drops it. */
void pi_send_prompt(struct conversation *);
void pi_drop_prompt(struct conversation *);
json_t *pi_image(const json_t *part);
void pi_ask(struct conversation *, const char *type, json_t *command);

/* failure.c: why the last message failed. */
void pi_explain(const struct pi *, struct error *e);

/* files.c: false on failure. */
bool pi_write_past(struct conversation *, struct error *);
bool pi_write_instructions(struct conversation *, struct error *);
void pi_remove_files(struct conversation *);
