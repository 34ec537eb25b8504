#pragma once
/*
 * forge - ForgeCode's CLI, one process a turn, its terminal's text
 *
 *   forge.c     how it is started, what is said to it, and how it ends
 *   lines.c     what its lines mean
 *
 * It has no output for programs.  What stands here is from its documentation
 * and its source of April 2026: a prompt on its standard input is answered on
 * its standard output, rendered for a terminal of 80 columns, between lines
 * that tell what it does, the last of which tells that it has finished.
 */
#include "workers/harness.h"

/* talk->state */
struct forge {
	json_t *preface; /* what goes before the first message; NULL: nothing */
	char failure[MAX_DETAIL]; /* what it has complained of last */
	bool is_dim;		  /* what comes is a thought */
	bool owes_newline; /* before the next text: one that may be the last
			    */
	bool has_text;
	bool has_finished;
	bool has_forgotten; /* the conversation that it was to go on with */
	unsigned tools;
};

/* lines.c */
bool forge_line(struct talk *, struct str line, struct error *);

/* Without what only a terminal understands.  Copies; gives a copy. */
char *forge_plain(struct str);
