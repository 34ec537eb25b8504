#pragma once
/*
 * forge - ForgeCode's CLI, one process a turn, read as a terminal shows it
 *
 *   forge.c     the start, the input and the end of the process
 *   lines.c     what its lines mean
 *
 * forge has no output for programs.  This is written from its documentation and
 * its source of April 2026: a prompt on standard input is answered on standard
 * output, rendered for a terminal of 80 columns.  Lines about what forge does
 * stand between, and the last of them says that it has finished.
 */
#include "workers/cli/harness.h"

/* conversation->own */
struct forge {
	json_t *preface; /* parts before the first message; NULL: none */
	char failure[MAX_DETAIL]; /* its last complaint */
	bool is_dim;		  /* the text that follows is a thought */
	bool owes_newline; /* before the next text: one that may be the last
			    */
	bool has_text;
	bool has_finished;
	bool has_forgotten; /* the conversation that it was to go on with */
	unsigned tools;
};

/* lines.c */
bool forge_line(struct conversation *, struct str line, struct error *);

/* A copy without escape sequences, which the caller frees. */
char *forge_plain(struct str);
