#pragma once
/*
 * slot_proc - the processes of a container, and whose they are
 *
 * A process that the worker starts has RUN_VARIABLE=<run> in its environment,
 * and its descendants inherit that.  The engine starts it from outside, so it
 * is the only kind of process, besides PID 1, whose parent is not in the
 * container: its parent is process 0.  No other process can make this so.
 *
 * A list is a look at /proc at one time, sorted by pid.  What it says can be
 * out of date; proc_open() makes sure that a number still means the process
 * that was listed.
 */
#include <sys/types.h>

#include "proto/buf.h"

#define RUN_VARIABLE "CLI_BRIDGE_RUN"

/* Whose process it is, as far as a proof (see slot_proof.h) knows. */
enum fate {
	FATE_INHERITED, /* as its parent's */
	FATE_SPARED,
	FATE_UNSURE, /* can't be told yet: look again */
	FATE_KILLED,
};

struct proc_entry {
	pid_t pid, parent, session;
	uint64_t start; /* in clock ticks since the machine was booted */
	enum fate fate;
	bool was_killed; /* and has not gone yet */
};

struct proc_list {
	int proc; /* the folder /proc; -1: not open */
	struct proc_entry *entries;
	size_t count, room;
	struct buf scratch;
};

/* What is known of a process from its environment. */
enum proc_mark {
	MARK_GONE,	 /* there is no such process any more */
	MARK_UNREADABLE, /* another user's, or protected */
	MARK_UNSET,	 /* execve() has not set the environment up yet */
	MARK_NONE,
	MARK_RUN,
};

must_check bool proc_init(struct proc_list *, struct error *);
void proc_fini(struct proc_list *);

/*
 * Lists all living processes but PID 1.  False: /proc can't be read, or it took
 * until `until` (as of loop_now(); 0: it may take any time).
 */
must_check bool proc_look(struct proc_list *, uint64_t until);

/* Makes `to` list the same. */
void proc_copy(struct proc_list *to, const struct proc_list *from);

/* NULL: it is not in the list. */
struct proc_entry *proc_find(const struct proc_list *, pid_t);

/* The same process, in another list.  NULL: it is not in that. */
struct proc_entry *proc_same(const struct proc_list *,
			     const struct proc_entry *);

/* `run` is lent until the next call. */
enum proc_mark proc_mark(struct proc_list *, pid_t, struct str *run);

/* Is it the first process of a run, which the engine has started? */
static inline bool
proc_is_leader(const struct proc_entry *p)
{
	return p->parent == 0 && p->session == p->pid;
}

/* A pidfd, which the caller closes.  -1: it is gone. */
int proc_open(struct proc_list *, const struct proc_entry *);
