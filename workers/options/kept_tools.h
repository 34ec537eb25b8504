#pragma once
/*
 * kept_tools - what a session's text keeps of the caller's tools: whether there
 * were any, and for some CLIs which; see options_had_tools() and
 * options_has_tools_of()
 */
#include "workers/options/options.h"

/* Takes `terms`, which MAY be NULL, and returns them with that noted. */
json_t *kept_tools_note(const struct options *, json_t *terms);
