#pragma once
/*
 * program - a program whose input is written and whose output is read by lines
 *
 * It runs in an executor.  Standard input is written as fast as the program
 * reads it, standard output is cut into lines, and the end of standard error is
 * kept.  The program gets a process group and a mark (proto/sweep.h) of its
 * own, so that every process that it starts can be found and killed with it.
 *
 * The output of a program that floods it is read slowly, so that the program
 * has to wait, and its neighbours get their share of the machine.
 *
 * The program has ended when it has exited and its output was read to the end,
 * or a moment after it has exited, because a grandchild may hold the pipe.
 * `ended` is then called, once, and is the last callback.  Callbacks may call
 * any function here, also program_fini(); the memory of the struct must outlive
 * the callback.
 */
#include "proto/buf.h"
#include "workers/executor/executor.h"
#include "workers/io/lines.h"

struct program {
	struct loop *loop; /* NULL: not started, or ended with program_fini() */
	struct executor *executor;
	struct process process;
	int in, out, err; /* our ends of its pipes; -1: closed */
	struct watch writable, readable, complaining;
	struct buf to_write;   /* for its standard input... */
	size_t written;	       /* ...of which so many bytes are written */
	struct lines lines;    /* output that was not passed on yet */
	struct buf last_words; /* the end of its standard error */
	struct timer resume, give_up;
	int64_t credit;	     /* bytes that may be read before a rest... */
	uint64_t counted_at; /* ...as of this loop_now() */
	bool paused, close_input, was_ended;
	void (*heard)(struct program *, struct str line);
	void (*failed)(struct program *,
		       const struct error *); /* a line too long */
	void (*ended)(struct program *);
};

/* `in`, `out`, `err` and `pass` of the spawn are not looked at. */
must_check bool program_start(struct program *, struct executor *,
			      struct loop *, const struct spawn *,
			      struct error *);

/* To the whole process group. */
void program_signal(const struct program *, int signal);

/* Kills its process group; a sweep finds processes that have left the group.
 * `ended` follows. */
void program_kill(struct program *);

/* Kills and forgets it; `ended` is not called. */
void program_fini(struct program *);

/* Writes to standard input.  Copies. */
void program_write(struct program *, struct str);

/* Closes standard input, once everything is written. */
void program_close_input(struct program *);

/* While it is paused nothing is read or passed on, so the program has to wait.
 */
void program_pause(struct program *, bool paused);

/* The last line or two of its standard error, for people; may be empty. */
struct str program_last_words(const struct program *);
