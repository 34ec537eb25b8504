#pragma once
/*
 * child - keeps one process running
 *
 * The state of a child and the event that happened decide what it does next; a
 * table in child.c says so.  The table calls verbs that its owner provides:
 * real processes in service.c, counters in the tests.
 *
 * A child is up when it has said READY, not when exec() has succeeded.  It must
 * keep saying READY, or at least be at work: a child that reads a large request
 * answers later.  A child that dies, or is killed because it fell silent, is
 * started again: the first time at once, later after a pause that doubles from
 * MIN_PAUSE_MS to MAX_PAUSE_MS and is reset once the child was up for
 * STEADY_MS.  A child that dies max_deaths times in a row without having been
 * up for ALIVE_MS is given up until ON_START.
 *
 * A child is stopped in three steps: it is asked to drain, then gets SIGTERM,
 * then SIGKILL.
 */
#include "proto/loop.h"

enum { /* milliseconds */
       MIN_PAUSE_MS = 100,
       MAX_PAUSE_MS = 30000,
       START_MS = 10000,
       END_MS = 2000,  /* from SIGTERM to SIGKILL */
       KILL_MS = 1000, /* from SIGKILL to the next one */
       DOUBT_MS = 250, /* lest a pause of this process count as silence */
       STEADY_MS = 60000,
       ALIVE_MS = 1000,
};

enum {
	MAX_DEATHS = 10,
	MAX_FIRST_DEATHS = 5, /* of the gateway: all else waits for it */
	/*
	 * While a child is at work without answering, it may use MAX_WORK times
	 * hung_ms of processor time, and MAX_SILENCE times hung_ms on the
	 * clock.
	 */
	MAX_WORK = 10,
	MAX_SILENCE = 60,
};

enum child_state {
	CHILD_STOPPED,	/* not running, and not wanted */
	CHILD_STARTING, /* running, has not said READY yet */
	CHILD_RUNNING,	/* running, has said READY */
	CHILD_SILENT,	/* running, READY is overdue: at work, or hung? */
	CHILD_FAILING,	/* killed, will be started again */
	CHILD_DRAINING, /* not wanted: was asked to finish its turns */
	CHILD_ENDING,	/* not wanted: got SIGTERM */
	CHILD_KILLED,	/* not wanted: got SIGKILL */
	CHILD_BACKOFF,	/* not running, will be started again */
	CHILD_FATAL,	/* not running, given up */
	CHILD_STATES
};

enum child_event {
	ON_START,   /* the child shall run */
	ON_STOP,    /* the child shall stop, after its turns */
	ON_HURRY,   /* the child shall stop at once */
	ON_READY,   /* the child said READY */
	ON_WRONG,   /* the child broke the protocol */
	ON_EXIT,    /* the process has ended, or could not be started */
	ON_TIME,    /* the time limit of this state is over */
	ON_WORK,    /* the time limit is over, but the child is at work */
	ON_DESPAIR, /* the child died too often, or can't work at all */
	CHILD_EVENTS
};

struct child;

struct child_verbs {
	bool (*start)(struct child *); /* false: nothing was started */
	void (*drain)(struct child *);
	void (*end)(struct child *);
	void (*kill)(struct child *);

	/*
	 * works() says whether the process is at work now or was since the last
	 * call; false if it used more than `max_ms` of processor time since
	 * doubt().
	 */
	void (*doubt)(struct child *);
	bool (*works)(struct child *, uint64_t max_ms);

	/* The state has changed; called before the verb of the new state. */
	void (*changed)(struct child *);
};

struct child {
	const struct child_verbs *verbs;
	struct loop *loop;
	struct timer timer;
	enum child_state state;
	uint64_t drain_ms, hung_ms;
	unsigned max_deaths;  /* MAX_DEATHS, unless the owner sets another */
	bool again;	      /* start the child again once it has stopped */
	bool tried;	      /* was up once, or failed once */
	unsigned pause;	      /* before the next start, in ms; 0: none */
	unsigned deaths;      /* in a row, without having been ALIVE_MS */
	uint64_t ready_since; /* loop_now(); 0: not ready since its start */
	uint64_t heard;	      /* loop_now() of the last READY */
	uint64_t since;	      /* Unix time in ms at which the state began */
	uint32_t noise;	      /* state of jitter(); 0: no jitter */
};

void child_init(struct child *, struct loop *, const struct child_verbs *);
void child_fini(struct child *);
void child_event(struct child *, enum child_event);

/* True if no process runs and none will be started before ON_START. */
bool child_is_at_rest(const struct child *);

/* True if a process runs and is expected to do its work. */
bool child_is_up(const struct child *);

/* The state in supervisord's words: "RUNNING".  Several states share one. */
const char *child_state_name(enum child_state);
