#pragma once
/*
 * fake_executor - an executor whose programs are scripts of the test
 *
 * Nothing is forked: the executor keeps the program's ends of the pipes that
 * program.c has made.  The test says what a CLI writes and when it exits, and
 * its script hears each line that is written to the CLI.  A CLI exits when its
 * input is closed or when it gets a signal, unless it is stubborn; nobody
 * survives SIGKILL.  The end is reported from the loop, as a real one is.
 */
#include "proto/loop.h"
#include "workers/executor/executor.h"
#include "workers/io/lines.h"

enum { MAX_FAKE_CLIS = 16 };

/* One process of a CLI, from its start on. */
struct fake_cli {
	struct fake_executor *of;
	struct process *process; /* NULL: it has ended, or was ended by us */
	int in, out;		 /* what it reads and writes; -1: closed */
	struct watch readable;
	struct timer exit;
	struct lines lines;
	char *cwd;
	char heard[512];   /* the lines that it was told, each with '\n' */
	bool input_closed; /* it has seen the end of its input */
	bool is_stubborn;
	unsigned terms, kills;
};

struct fake_executor {
	struct executor executor;
	struct loop *loop;
	const char *program; /* what find() says; NULL: there is none */
	bool refuses;	     /* start() fails */

	/* MAY be NULL: what a CLI does with a line.  It may call any function
	 * below. */
	void (*script)(struct fake_cli *, struct str line);

	struct fake_cli clis[MAX_FAKE_CLIS]; /* in the order of their starts */
	unsigned starts, ends, sweeps;

	/* For each number of an instance below 16: the last sweep was told that
	 * it is over. */
	bool was_over[MAX_FAKE_CLIS];
};

void fake_executor_init(struct fake_executor *, struct loop *);

/* Ends what still runs. */
void fake_executor_fini(struct fake_executor *);

/* The CLI writes the line. */
void fake_cli_says(struct fake_cli *, const char *line);

/* The CLI exits, with a status as from waitpid(). */
void fake_cli_exits(struct fake_cli *, int status);

/* The number of CLIs that run. */
unsigned fake_executor_count(const struct fake_executor *);
