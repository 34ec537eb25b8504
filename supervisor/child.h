#pragma once
/*
 * child - keeps one process running
 *
 * What a child does next is a function of its state and of what happened,
 * and is written down as a table in child.c.  The table calls verbs which are
 * given from outside: real processes in service.c, counters in the tests.
 *
 * A child is up when it says READY, not when exec() succeeds, and has to go
 * on saying so, or at least be at work: one that reads a large request answers
 * later.  One that dies, or falls silent and is killed for it, is started
 * again: at once if that is the first time, then after a pause which doubles
 * from MIN_PAUSE_MS to MAX_PAUSE_MS and is forgotten once it was up for
 * STEADY_MS.  One that dies max_deaths times in a row without ever having been
 * up for ALIVE_MS is given up, until somebody wants it started.
 *
 * To stop one is to ask it to finish, then SIGTERM, then SIGKILL.
 */
#include "proto/loop.h"

enum { /* milliseconds */
       MIN_PAUSE_MS = 100,
       MAX_PAUSE_MS = 30000,
       START_MS = 10000,
       END_MS = 2000,  /* from SIGTERM to SIGKILL */
       KILL_MS = 1000, /* from SIGKILL to the next one */
       DOUBT_MS = 250, /* lest our own absence be taken for its silence */
       STEADY_MS = 60000,
       ALIVE_MS = 1000,
};

enum {
	MAX_DEATHS = 10,
	MAX_FIRST_DEATHS = 5, /* of one that everything else waits for */
	/* Times hung_ms that one which is at work may use, without an answer,
	 * of a processor's time, and of time. */
	MAX_WORK = 10,
	MAX_SILENCE = 60,
};

enum child_state {
	CHILD_STOPPED,	/* not running, and not wanted */
	CHILD_STARTING, /* running, has not said READY */
	CHILD_RUNNING,	/* running, and READY */
	CHILD_SILENT,	/* did not say READY for long; did we sleep? */
	CHILD_FAILING,	/* killed, will be started again */
	CHILD_DRAINING, /* not wanted: asked to finish what it does */
	CHILD_ENDING,	/* not wanted: got SIGTERM */
	CHILD_KILLED,	/* not wanted: got SIGKILL */
	CHILD_BACKOFF,	/* not running, will be started again */
	CHILD_FATAL,	/* not running, given up */
	CHILD_STATES
};

enum child_event {
	ON_START,   /* somebody wants it to run */
	ON_STOP,    /* somebody wants it not to */
	ON_HURRY,   /* the same, and now */
	ON_READY,   /* it says that it is ready */
	ON_WRONG,   /* it says what it must not */
	ON_EXIT,    /* it has ended, or could not be started */
	ON_TIME,    /* the time for this state is over */
	ON_WORK,    /* the same, but it is at work */
	ON_DESPAIR, /* it has died too often, or says that it can't work */
	CHILD_EVENTS
};

struct child;

struct child_verbs {
	bool (*start)(struct child *); /* false: it could not be */
	void (*drain)(struct child *);
	void (*end)(struct child *);
	void (*kill)(struct child *);

	/* From here on: is it at work, or was it since the last call, and has
	 * it used no more than `max_ms` of a processor's time? */
	void (*doubt)(struct child *);
	bool (*works)(struct child *, uint64_t max_ms);

	/* Its state has; called before the state's verb. */
	void (*changed)(struct child *);
};

struct child {
	const struct child_verbs *verbs;
	struct loop *loop;
	struct timer timer;
	enum child_state state;
	uint64_t drain_ms, hung_ms;
	unsigned max_deaths;  /* MAX_DEATHS, unless its owner knows better */
	bool again;	      /* to be started when it has stopped */
	bool tried;	      /* was up once, or has failed once */
	unsigned pause;	      /* before the next start, in ms; 0: none */
	unsigned deaths;      /* in a row, without having been ALIVE_MS */
	uint64_t ready_since; /* loop_now(); 0: not since it was started */
	uint64_t heard;	      /* loop_now() of the last READY */
	uint64_t since;	      /* of the state, Unix time in ms */
	uint32_t noise;	      /* jitters pauses; 0: does not */
};

void child_init(struct child *, struct loop *, const struct child_verbs *);
void child_fini(struct child *);
void child_event(struct child *, enum child_event);

/* Is there no process, and will there be none unless somebody wants it? */
bool child_is_at_rest(const struct child *);

/* Has it a process that is expected to do its work? */
bool child_is_up(const struct child *);

/* In supervisord's words: "RUNNING".  Several states share one. */
const char *child_state_name(enum child_state);
