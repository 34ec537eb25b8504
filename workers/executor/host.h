#pragma once
/*
 * host - the executor that runs programs on this machine, as our own user
 */
#include "workers/executor/executor.h"

/* Without a directory for files. */
extern const struct executor host_executor;

/* Copies `scratch`, which is an existing directory.  Never NULL. */
struct executor *host_new(const char *scratch);
