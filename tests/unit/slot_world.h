#pragma once
/*
 * slot_world - the real cli-bridge-slot in a container without an engine
 *
 * unshare(1) makes it PID 1 of a pid namespace, whose /proc it sees, and
 * test-enter brings runs into that from outside, as an engine does.  The rest
 * of the machine is the container's, too: its files and its network.
 *
 * Whatever is waited for comes within LIMIT_MS, or the test has failed.
 */
#include <sys/types.h>

#include "unit.h"

#include "proto/buf.h"

enum {
	LIMIT_MS = 20000, /* a busy machine, not a slow program */
	SKIPPED = 77,	  /* exit code: this system has no such namespaces */
};

/* A program with pipes. */
struct piped {
	pid_t pid;
	int in, out; /* -1: closed */
	struct buf heard;
};

struct slot_world {
	struct piped slot; /* of unshare(1), which waits for it */
	pid_t first;	   /* cli-bridge-slot, as this machine numbers it */
	uid_t user;	   /* of it, and of the runs that begin; 0: ours */
	char program[64];  /* a copy that the user may execute; may be empty */
};

/* Can there be such a world?  If not, says why not. */
bool world_is_possible(void);

void world_begins(struct slot_world *);

/* The same, with another user; only root can do this. */
void world_begins_as(struct slot_world *, uid_t);

/* Ends it, if it has not ended, with all runs in it. */
void world_ends(struct slot_world *);

/* An order, with its newline. */
void says(struct slot_world *, const char *fmt, ...) printf_like(2);

/* The next line that it tells must be this one. */
void hears(struct slot_world *, const char *line);

/* The next line, lent until the next call; absent if there is none, as its
 * output has ended. */
struct str next_line(struct piped *);

/* The slot's exit code, without its input being closed. */
int its_code(struct slot_world *);

/*
 * A script of a shell becomes a run.  Its first line must be "up"; `out` ends
 * when no process has it any more.
 */
void run_begins(struct slot_world *, struct piped *, const char *run,
		const char *script);
void run_says(struct piped *, const char *line);
void run_is_heard(struct piped *, const char *line);

/* Nobody holds its output any more.  Frees it. */
void run_is_over(struct piped *);

/* Starts a program of argv, whose error output is ours. */
void piped_begins(struct piped *, const char *const argv[],
		  const char *const env[]);
int piped_code(struct piped *);

void close_now(int *fd);

/* Looks again and again until it is so. */
#define wait_for(it_is_so)                                                  \
	do {                                                                \
		int looks_ = 0;                                             \
		while (!(it_is_so)) {                                       \
			if (looks_++ == LIMIT_MS)                           \
				fail_msg("%s: not within %d ms", #it_is_so, \
					 LIMIT_MS);                         \
			pause_ms(1);                                        \
		}                                                           \
	} while (0)
void pause_ms(int ms);
