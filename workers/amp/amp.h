#pragma once
/*
 * amp - Amp's CLI, one process a turn, its lines like those of Claude Code
 *
 *   amp.c       how it is started, what is said to it, and how it ends
 *   events.c    what its lines mean
 *   failure.c   what its failures mean
 *
 * Amp's agent runs in its vendor's cloud, which nothing but an account can
 * reach: what stands here is from its manual, the types of its own SDK and the
 * options of version 0.0.1790142911.  The manual says that it ends when its
 * input has ended and its answer too, but not how an answer ends before that:
 * so each turn has a process of its own, whose input ends with it, and a
 * thread in the cloud that the next one continues.
 */
#include "workers/harness.h"

/* talk->state */
struct amp {
	json_t *preface; /* what goes before the first message; NULL: nothing */
	char model[MAX_MODEL]; /* that answers, as the vendor calls it */
	bool used_tool;	       /* since the last text */
	bool has_text;	       /* in this turn */
	bool is_cut;	       /* the last answer was as long as it may be */
	json_int_t fresh, cached, written, output; /* tokens of all answers */
};

/* events.c */
bool amp_line(struct talk *, struct str line, struct error *);

/* failure.c: what it has said for people, to be told from its words. */
void amp_explain(const struct talk *, struct str words, struct error *);
