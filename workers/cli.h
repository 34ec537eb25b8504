#pragma once
/*
 * cli - a program that is fed and heard line by line
 *
 * Standard input is written as the program takes it, standard output is cut
 * into lines, of standard error the end is kept.  The program gets a process
 * group and a mark (sweep.h) of its own, so that all that it starts can be
 * found and ended with it.
 *
 * One that says more than anybody could mean is read slowly, and so has to
 * wait: its neighbours need the machine too.
 *
 * It has ended when it has exited and its output is read to the end - or a
 * moment later, for a grandchild may hold the pipe.  `ended` is then called,
 * once, and last.  Callbacks may call anything here, cli_fini() too, but the
 * memory of the struct must outlive the callback.
 */
#include "proto/buf.h"
#include "proto/spawn.h"
#include "workers/lines.h"

struct cli {
	struct loop *loop; /* NULL: not started, or ended with cli_fini() */
	struct process process;
	int in, out, err; /* our ends of its pipes; -1: closed */
	struct watch writable, readable, complaining;
	struct buf to_write;   /* what it has not taken yet... */
	size_t written;	       /* ...but for so many bytes */
	struct lines lines;    /* what it has said and nobody has heard */
	struct buf last_words; /* the end of its standard error */
	struct timer resume, give_up;
	int64_t credit;	     /* bytes that may be read at once... */
	uint64_t counted_at; /* ...as of this loop_now() */
	bool paused, close_input, was_ended;
	void (*heard)(struct cli *, struct str line);
	void (*failed)(struct cli *,
		       const struct error *); /* a line too long */
	void (*ended)(struct cli *);
};

/* `in`, `out`, `err` and `pass` of the spawn are not looked at. */
must_check bool cli_start(struct cli *, struct loop *, const struct spawn *,
			  struct error *);

/* Kills its process group; what has left that is for sweep.h.  `ended`
 * follows. */
void cli_kill(struct cli *);

/* Kills and forgets it; `ended` is not called. */
void cli_fini(struct cli *);

/* Copies. */
void cli_write(struct cli *, struct str);

/* As if the user had typed the end of the file. */
void cli_close_input(struct cli *);

/* While it is paused nothing is heard or read, so the program itself waits. */
void cli_pause(struct cli *, bool paused);

/* The last line or two of its standard error, for people; may be empty. */
struct str cli_last_words(const struct cli *);
