#pragma once
/*
 * host - the executor that runs programs on this machine, as our own user
 */
#include "workers/executor/executor.h"

/* The name of a conversation's directory ends so. */
#define PROFILE_ENDING ".profile"

/* Without a directory for files. */
extern const struct executor host_executor;

/* Removes the files of conversations that an earlier process of this worker had
 * no time to remove. */
void host_clear_scratch(const char *scratch);

/* Copies `scratch`, which is an existing directory.  Never NULL. */
struct executor *host_new(const char *scratch);
