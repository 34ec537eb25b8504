#pragma once
/*
 * amp - Amp's CLI, one process a turn, its lines like those of Claude Code
 *
 *   amp.c       the start, the input and the end of the process
 *   events.c    what its lines mean
 *   failure.c   what its failures mean
 *
 * Amp's agent runs in its vendor's cloud, which cannot be reached without an
 * account.  So this is written from amp's manual, the types of its SDK and the
 * options of version 0.0.1790142911.  The manual says that the process ends
 * after the end of its input and of the answer, but not how an answer ends
 * while the input is open.  So each turn has a process, whose input ends with
 * the turn, and the next turn continues the thread in the cloud.
 */
#include "workers/cli/blocks.h"

/* conversation->own */
struct amp {
	json_t *preface;       /* parts before the first message; NULL: none */
	char model[MAX_MODEL]; /* who answers, as the vendor calls it */
	bool has_begun;	       /* it has the thread, and begins with it */
	struct paragraphs paragraphs; /* of this turn */
	bool is_cut;	    /* the last answer was as long as it may be */
	struct usage usage; /* of all answers of the turn */
};

/* events.c */
bool amp_line(struct conversation *, struct str line, struct error *);

/* failure.c: finds out from amp's words what went wrong. */
void amp_explain(struct str words, struct error *);
