#pragma once
/*
 * attach - the files that a request names by their paths become parts
 *
 * A path leads to a file in the session's directory, as the executor opens it
 * (executor.h).  It is read when its message is about to be told, so a request
 * that waits for its turn costs no memory, and what a conversation has heard
 * before is not read again.  Then its bytes decide what it becomes, as with
 * those that are sent (message_file.h).
 *
 * The prompt keeps the paths, by which its messages are found again later,
 * whatever has become of the files.
 */
#include "workers/cli/prompt.h"
#include "workers/executor/executor.h"

struct attach {
	struct recipient recipient;
	struct executor *executor;
	const char *cwd;
};

/* Reads the files of the messages from `from` on, for prompt_told().  Fails
 * with the place and the path of one that cannot be sent. */
must_check bool attach_files(struct prompt *, size_t from,
			     const struct attach *, struct error *);

/* The same, and forgets what was read. */
must_check bool attach_check(struct prompt *, size_t from,
			     const struct attach *, struct error *);
