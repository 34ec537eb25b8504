#pragma once
/* model_list - what a provider's answer to GET /models says, in our words */
#include "proto/buf.h"

/*
 * Adds a row for each model, with commas between them: its id with the
 * provider's name before it.  One bad value costs no more than what it stands
 * in: a field that makes no sense is left out, a row without an id as well, and
 * what has no room in `rows`.  `answer` may be cut: what is whole counts.
 *
 * Returns false if there is no list at all.  `left_out` counts the rows that
 * were.
 */
must_check bool model_list_read(struct buf *rows, const char *provider,
				struct str answer, unsigned *left_out,
				struct error *);
