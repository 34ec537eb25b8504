#pragma once
/*
 * spawn - starts a program and hears of its end
 *
 * Used for daemons and for CLIs alike.  Each gets a session of its own, and
 * with it a process group and no terminal: what asks there for a password
 * fails at once, where nobody would answer.  It gets no descriptor but those
 * it is given, as many more as we were started with, no blocked signal, and a
 * signal when its parent dies.  posix_spawn() cannot do all of this, and after
 * NNG has started threads nothing else may be used, so a program is started
 * through a small one of ours, cli-bridge-launch, which does the rest and
 * becomes it.
 */
#include <sys/types.h>

#include "proto/exit_code.h"
#include "proto/loop.h"

struct process {
	struct loop *loop;
	pid_t pid;	     /* 0: not running */
	struct watch exited; /* a pidfd */
	int status;	     /* as from waitpid(), once it has ended */
	void (*ended)(struct process *);
};

#define PROCESS_INIT ((struct process){ .exited = WATCH_INIT })

struct spawn {
	const char *const *argv; /* argv[0] is the program, with its path */
	char *const *env;
	const char *cwd;  /* NULL: ours */
	int in, out, err; /* -1: /dev/null; err also STDERR_FILENO for ours */
	int pass;	  /* becomes descriptor 3; -1: none */
	int death_signal; /* that it gets when we die */
};

must_check bool process_start(struct process *, struct loop *,
			      const struct spawn *,
			      void (*ended)(struct process *), struct error *);

/* Signals its whole process group. */
void process_signal(const struct process *, int signal);

/* Kills and reaps what still runs; `ended` is not called. */
void process_fini(struct process *);

/* "exit code 3", "signal 9 (Killed)": for people; good until the next call. */
const char *process_status_text(int status);

/*
 * A program of the bridge's own: beside the running one, or in libexec.
 * Never NULL; the caller frees it.
 */
char *program_of_ours(const char *name);

/*
 * Looks a program up as a shell would, in PATH, unless there is a slash in its
 * name; but the result is absolute, and does not depend on where it is started.
 * NULL if there is none that can be run; the caller frees it.
 */
char *program_in_path(const char *name, const char *path);
