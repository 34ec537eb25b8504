#pragma once
/*
 * terms - what a conversation keeps of its requests' options, as one JSON
 * object
 *
 * Its members are those of options.def that hold until others are given, under
 * the names that a request has for them, and a few that no request has.
 */
#include "workers/options/options.h"

/*
 * What `terms` says, where the rest of the program looks for it.  Takes them;
 * NULL: none.
 */
void terms_settle(struct options *, json_t *terms);
