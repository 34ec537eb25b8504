#pragma once
/*
 * pi - the coding agent pi, kept alive in its rpc mode
 *
 *   pi.c        how pi is started, and what is written to it
 *   events.c    what its lines mean
 *   failure.c   what its failures mean
 *   effort.c    how long the model may think
 *   files.c     the files that it gets: a history, a system prompt
 *   profile.c   what a profile has that is more than a system prompt
 *   tools.c     the caller's tools, and calls of them
 *
 * Written for version 0.87.1.  Each line is a command of ours, a response with
 * the same id, or an event.  Lines end with LF only, and may contain U+2028.
 */
#include "workers/cli/blocks.h"

/* conversation->own */
struct pi {
	char *past;	    /* path of a session file to begin from; or NULL */
	char *instructions; /* path of the file that is added to its system
			       prompt */
	char *instead; /* path of the file that is its system prompt; or NULL */
	char *extension; /* path of the file with the caller's tools; or NULL */
	char *tools_state; /* as the extension has told; NULL: not yet */
	json_t *calls; /* of the caller's tools, without results so far, by id:
			* {"cli","name","arguments","question"}; or NULL */
	json_t *results;   /* that are given once the model is set, and what the
			    * user says beside them is told; or NULL */
	bool is_continued; /* the turn has begun with results */
	bool is_stopped;   /* the turn is to end */
	bool knows_system; /* ours was in that file when pi started */
	bool opened_anew;  /* a new session was begun to read it again */
	json_t *models;	   /* by name: whether it can see images */
	json_t *efforts;   /* by name: what it takes, as bits; or NULL */
	char *usual_level; /* of thinking, at the start; NULL: not told */
	enum effort asked_effort; /* the turn's */
	bool effort_is_set;	  /* it is to be set back */
	char *default_model;	  /* "provider/model" at the start; or NULL */
	char *said_model;	  /* the model that is set; NULL: the default */
	char *asked_model;	  /* the model that is being set; or NULL */
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
void pi_go_on(struct conversation *); /* with results */
void pi_drop_prompt(struct conversation *);
json_t *pi_image(const json_t *part);
void pi_ask(struct conversation *, const char *type, json_t *command);

/* effort.c: what pi says of a model; whether the turn's takes what is asked
 * for; sets that, and sets it back. */
void pi_note_efforts(struct pi *, const char *name, const json_t *model);
must_check bool pi_choose_effort(const struct conversation *, const char *model,
				 struct error *);
void pi_set_effort(struct conversation *);
void pi_reset_effort(struct conversation *);

/* tools.c: the arguments that say which tools there are, and the file of the
 * caller's. */
must_check bool pi_add_tools(struct conversation *, struct words *argv,
			     struct error *);
bool pi_is_callers(const struct conversation *, const char *tool);

/* What the extension says of itself, and when a call has to be run; false: the
 * request is another extension's. */
bool pi_hears_state(struct conversation *, const json_t *line);
bool pi_hears_call(struct conversation *, const json_t *line);
must_check bool pi_has_tools(const struct conversation *, struct error *);

/* As in struct harness. */
void pi_ended(struct conversation *, int status, struct str last_words,
	      struct error *);

/* Calls of the caller's tools begin and end. */
void pi_note_call(struct conversation *, const json_t *line);
void pi_forget_call(struct conversation *, const json_t *line);
void pi_give_results(struct conversation *);

/* failure.c: why the last message failed. */
void pi_explain(const struct pi *, struct error *e);

/* profile.c */
must_check bool pi_add_profile(struct conversation *, struct words *argv,
			       struct error *);

/* files.c: false on failure. */
bool pi_write_past(struct conversation *, struct error *);
bool pi_write_instructions(struct conversation *, struct error *);
void pi_remove_files(struct conversation *);
