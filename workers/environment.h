#pragma once
/*
 * environment - what a CLI gets to know of ours
 *
 * An allow-list: what makes up an ordinary environment, what its harness
 * names, and what the user sets for it with <NAME>_ENV_<VARIABLE>.  So no key
 * that would bill another account reaches it, nothing of the bridge's own,
 * and nothing that makes it believe to run inside another one of its kind.
 */
#include "workers/harness.h"

void environment_of(const struct harness *, const char *name, struct words *);
