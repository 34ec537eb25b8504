#pragma once
/*
 * environment - which variables a CLI gets
 *
 * This is an allow-list: the variables of an ordinary environment, those that
 * the harness names, and those that the operator sets for it with
 * <NAME>_ENV_<VARIABLE>.  So a CLI gets no key that would bill another
 * account, nothing of the bridge's own, and no sign that makes it believe that
 * it runs inside another CLI.
 */
#include "workers/cli/harness.h"

void environment_of(const struct harness *, const char *name, struct words *);
