#pragma once
/*
 * spawn - starts a program and reports its end
 *
 * Daemons and CLIs are started alike.  Each program gets a session of its own,
 * and with it a process group and no terminal: if it asks for a password there
 * it fails at once, as nobody would answer.  It gets only the descriptors that
 * it is given, the limit of descriptors that we were started with, no blocked
 * signal, and a signal when its parent dies.  posix_spawn() can't do all of
 * this, and after NNG has started threads nothing else may be used.  So a small
 * program of ours, cli-bridge-launch, does the rest and then becomes the
 * program.
 */
#include <sys/types.h>

#include "proto/exit_code.h"
#include "proto/loop.h"

/* The pid of a process on a machine, or in a container, that gives it no number
 * here. */
#define PROCESS_ELSEWHERE ((pid_t)-1)

struct process {
	struct loop *loop;
	pid_t pid;	     /* 0: not running */
	struct watch exited; /* a pidfd */
	int status;	     /* as from waitpid(), once the process has ended */
	void (*ended)(struct process *);
};

#define PROCESS_INIT ((struct process){ .exited = WATCH_INIT })

struct spawn {
	const char *const *argv; /* argv[0] is the program, with its path */
	char *const *env;
	const char *cwd;  /* NULL: ours */
	int in, out, err; /* -1: /dev/null; err may be STDERR_FILENO: ours */
	int pass;	  /* becomes descriptor 3; -1: none */
	int death_signal; /* the signal that it gets when we die */
};

must_check bool process_start(struct process *, struct loop *,
			      const struct spawn *,
			      void (*ended)(struct process *), struct error *);

/* Sends a signal to the whole process group. */
void process_signal(const struct process *, int signal);

/* Kills and reaps a process that still runs, without calling `ended`. */
void process_fini(struct process *);

/* "exit code 3", "signal 9 (Killed)": for people; good until the next call. */
const char *process_status_text(int status);

/*
 * The path of a program of the bridge: beside the running one, or in libexec.
 * Never NULL; the caller frees it.
 */
char *program_of_ours(const char *name);

/*
 * Finds a program as a shell would: in PATH, unless its name has a slash.  The
 * result is absolute, so that it holds in any working directory.  NULL: there
 * is no such program, or it can't be run; the caller frees the result.
 */
char *program_in_path(const char *name, const char *path);
