#pragma once
/*
 * executor - where the programs of a harness run
 *
 * The engine and the harnesses ask an executor for whatever a CLI has to do
 * with a machine: to find its program, to start and end it, to sweep up what it
 * has left behind, and for its files.  None of them touches the machine itself,
 * so none of them knows which machine it is.  host.c is this one.
 *
 * Every path is one that the program sees.  Nothing here waits for a program.
 * What an executor is asked for happens at once, or fails; it keeps no error.
 */
#include "proto/spawn.h"
#include "workers/io/words.h"

struct file_facts {
	bool is_directory;
	int64_t bytes;
	uint64_t written_ms; /* in Unix ms */
};

struct executor {
	/* A directory for the harness's own files.  Those that an earlier
	 * process of the worker left for its conversations are gone. */
	char *scratch;

	void (*free)(struct executor *);

	/* Programs */

	/* The program of a harness such as "claude", with its path; NULL: there
	 * is none.  The caller frees it. */
	char *(*find)(struct executor *, const char *harness);

	/* As process_start(), process_signal() and process_fini() in
	 * proto/spawn.h. */
	bool (*start)(struct executor *, struct process *, struct loop *,
		      const struct spawn *, void (*ended)(struct process *),
		      struct error *);
	void (*signal)(struct executor *, const struct process *, int signal);
	void (*end)(struct executor *, struct process *);

	/* Kills the processes whose mark continues with a number for which
	 * `is_over` returns true, and returns how many it has killed: see
	 * proto/sweep.h. */
	unsigned (*sweep)(struct executor *, const char *mark,
			  bool (*is_over)(void *, uint64_t), void *arg);

	/* Files */

	/* ERR_BAD_CWD, and why, if no program can work in the directory. */
	bool (*check_cwd)(struct executor *, const char *cwd, struct error *);

	/* False if there is nothing at `path`.  `facts` may be NULL. */
	bool (*look)(struct executor *, const char *path,
		     struct file_facts *facts);

	/* Adds the paths below a directory that match a pattern as of glob(7),
	 * in which "%s" stands for `name`, whatever that is. */
	void (*match)(struct executor *, const char *directory,
		      const char *pattern, const char *name,
		      struct words *paths);

	/* A descriptor to read from, which the caller closes; -1: it can't be
	 * read, and errno says why. */
	int (*open)(struct executor *, const char *path);

	/* Makes the file, or replaces it: who reads it meanwhile reads the old
	 * one or the new one.  Nobody but the program's user can read it. */
	bool (*write)(struct executor *, const char *path, struct str text,
		      struct error *);

	/* These are content with what is there already. */
	bool (*make_directory)(struct executor *, const char *path,
			       struct error *);
	bool (*link)(struct executor *, const char *target, const char *path,
		     struct error *);

	/* Is content if there is none. */
	void (*remove)(struct executor *, const char *path);
};

/*
 * The executor of the worker `name`, as its settings say, with its files in
 * `data_dir`.  Ends with executor->free(); NULL on failure.
 */
struct executor *executor_new(const char *name, const char *data_dir,
			      struct error *);
