#pragma once
/*
 * exec - one program that is executed in a container that runs
 *
 * The program is created, started and connected with three pipes (stream.h),
 * and its exit status is asked for when its output has ended, or when the
 * owner learns from elsewhere that it has exited.  The engine has no way to
 * end such a program, and it survives its stream: who drops an exec must have
 * killed the program by other means.
 *
 * A program that can't be started, an engine that goes away and a stream that
 * breaks are errors.  That an engine is killed looks like the end of the
 * output; then the question for the exit status fails.
 */
#include "proto/spawn.h"
#include "workers/executor/docker/stream.h"

struct docker_exec;

/*
 * Of the spawn it looks at argv, env, cwd (a path in the container; NULL: the
 * container's own), in, out and err, which are pipes, see stream.h.  Copies
 * everything.
 *
 * `opened` MAY be NULL.  `ended` is called once, and last, but not before this
 * returns: `status` is as from waitpid(), or `e` is not NULL, and there is no
 * status.  The exec must be dropped in any case; this may be done in `ended`.
 */
struct docker_exec *
docker_exec_start(struct docker_api *, const char *container,
		  const struct spawn *, void (*opened)(void *arg),
		  void (*ended)(void *arg, int status, const struct error *e),
		  void *arg);

/*
 * The program may have exited although its output is still open, as in the
 * hands of a program that it has started: asks for its exit status now, and
 * from time to time from now on.  `ended` may then come before the end of the
 * output, which goes on until the exec is dropped.  Does nothing before the
 * program is created.
 */
void docker_exec_look(struct docker_exec *);

/* Was the engine asked to start it?  Then it may do so even now, or later. */
bool docker_exec_may_start(const struct docker_exec *);

/* Nothing of it is called any more. */
void docker_exec_drop(struct docker_exec *);
