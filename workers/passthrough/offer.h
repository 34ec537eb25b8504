#pragma once
/* offer - what a provider's answer to GET /models says, in our words */
#include "proto/buf.h"

/*
 * Adds a row for each model, with commas between them: its id with the
 * provider's name before it.  What makes no sense is left out, and what has no
 * room in `rows` as well.
 */
must_check bool offer_read(struct buf *rows, const char *provider,
			   struct str answer, struct error *);
