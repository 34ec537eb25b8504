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
#include "workers/executor/places.h"
#include "workers/io/words.h"

struct harness_settings;

struct file_facts {
	bool is_directory;
	int64_t bytes;
	uint64_t written_ms; /* in Unix ms */
};

struct executor {
	/* A directory for the harness's own files.  Those that an earlier
	 * process of the worker left for its conversations are gone. */
	char *scratch;

	/* The directory of turns that name none, unless the operator has chosen
	 * one; NULL: any of ours will do. */
	const char *workspace;

	/* A program can work only in the directory in which it was started. */
	bool one_directory;

	/* MAY be NULL: a program, and its arguments, that exits with 0 if the
	 * executor can run programs at all; `advice` says what to do if not. */
	const char *const *trial;
	const char *advice;

	bool has_logins; /* each place has one of its own */

	/* MAY be NULL.  The same machine for programs that must not write: they
	 * can in the folders of their CLI and in a /tmp of their own, whatever
	 * they try, and nowhere else.  It has a trial, and lives as long. */
	struct executor *reader;

	bool is_unfit; /* of a reader: its trial has failed */

	/* Set by the owner.  MAY be NULL: a turn may begin now that could not
	 * before, or the programs can be used now, or no longer, or there is
	 * another warning. */
	void (*changed)(void *owner);
	void *owner;

	void (*free)(struct executor *);

	/* MAY be NULL: the settings of the worker are these from now on; called
	 * before anything else.  True if programs will be started in another
	 * way than before. */
	bool (*configure)(struct executor *, const struct harness_settings *);

	/* MAY be NULL: what is missing to run programs as the settings want it,
	 * and what to do about it: ERR_NOT_SET_UP.  Costs a few system calls.
	 */
	bool (*is_set_up)(struct executor *, struct error *);

	/* MAY be NULL: no.  Whether programs can reach nothing but, at most,
	 * the hosts that the operator has named; if not, ERR_MODE and what to
	 * set. */
	bool (*is_sealed)(struct executor *, struct error *);

	/*
	 * Places
	 *
	 * An executor may have several places, each an executor of its own with
	 * the programs and files of some sessions; their life is that of the
	 * whole.  An executor that leaves all of these NULL has one place:
	 * itself.  What is asked of the whole is done in any of its places.
	 */

	/* The place of the session, which is chosen now if it has none; with
	 * NULL, any.  NULL, and why, if no program can run there. */
	struct executor *(*place)(struct executor *, const char *session,
				  struct error *);

	/* Whether a turn of the session can begin: place() will not have to
	 * wait, also if it fails.  Of a place: whether it can begin there. */
	bool (*is_free)(struct executor *, const char *session);

	/* A turn has begun in this place, and has ended there.  What a turn
	 * that was stopped has left behind must not be there for the next. */
	void (*hold)(struct executor *place, const char *session);
	void (*release)(struct executor *place, bool was_stopped);

	void (*count)(const struct executor *, struct place_counts *);

	/* Who has which place: for a caller who cannot have one. */
	void (*describe)(const struct executor *, struct buf *);

	/* The number of a place, for people. */
	unsigned (*number)(const struct executor *place);

	/* MAY be NULL.  What people should know of it though programs can run;
	 * NULL: nothing.  The caller frees it. */
	char *(*warning)(const struct executor *);

	/* MAY be NULL.  Makes the environment of the worker that of a program,
	 * which may have another home directory. */
	void (*adapt)(struct executor *, struct words *environment);

	/*
	 * MAY be NULL: programs listen on this machine.  Makes a port that a
	 * program of the place listens on reachable by the returned unix
	 * socket, which the caller frees; the socket may be there only a moment
	 * later.  leave() ends that.
	 */
	char *(*reach)(struct executor *place, unsigned port);
	void (*leave)(struct executor *place, unsigned port);

	/*
	 * MAY be NULL: programs reach what listens on 127.0.0.1 of this
	 * machine. Makes a port of that, always the same one, reachable for the
	 * programs of the place, and returns the host and the port by which
	 * they reach it, such as "127.0.0.1:4096", which the caller frees.
	 * NULL, and why, if they cannot.
	 */
	char *(*expose)(struct executor *place, unsigned port, struct error *);

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

	/*
	 * A descriptor to read from, as open(), of the file at `path` in the
	 * directory `cwd`, which must pass check_cwd(); -1, and why, which can
	 * stand behind the file's name.  `path` begins there, or is a whole one
	 * that leads there.  Whatever links there are, and however they change
	 * meanwhile: nothing outside of the directory is opened, and nothing
	 * that is no plain file.
	 */
	int (*open_below)(struct executor *, const char *cwd, const char *path,
			  struct error *);

	/* Makes the file, or replaces it: who reads it meanwhile reads the old
	 * one or the new one.  Nobody but the program's user can read it. */
	bool (*write)(struct executor *, const char *path, struct str text,
		      struct error *);

	/* These are content with what is there already. */
	bool (*make_directory)(struct executor *, const char *path,
			       struct error *);
	bool (*link)(struct executor *, const char *target, const char *path,
		     struct error *);

	/* Are content if there is none. */
	void (*remove)(struct executor *, const char *path);
	/* A directory, with all that is in it; links are not followed. */
	void (*remove_tree)(struct executor *, const char *path);
};

/* What an executor is made from; lent, and must outlive it. */
struct executor_plan {
	const char *name;     /* of the worker, such as "claude" */
	const char *data_dir; /* where the executor has its files */
	const char *mark;     /* what is started carries it: see sweep.h */
	const struct harness_settings *settings;
	const char *docker_host; /* "unix:///var/run/docker.sock" */
	struct loop *loop;
};

/* Ends with executor->free(); NULL on failure. */
struct executor *executor_new(const struct executor_plan *, struct error *);

/* As place() and is_free(), of any executor. */
static inline struct executor *
executor_place(struct executor *x, const char *session, struct error *e)
{
	return x->place ? x->place(x, session, e) : x;
}

/* Where programs of that place run that must not write: where nothing can keep
 * them from it, that is left to the CLI. */
static inline struct executor *
executor_reader(struct executor *place)
{
	struct executor *reader = place ? place->reader : NULL;

	return reader && !reader->is_unfit ? reader : place;
}

/* As expose(), of any place. */
static inline char *
executor_expose(struct executor *place, unsigned port, struct error *e)
{
	return place->expose ? place->expose(place, port, e)
			     : copy_format("127.0.0.1:%u", port);
}

static inline bool
executor_is_free(struct executor *x, const char *session)
{
	return !x->is_free || x->is_free(x, session);
}
