#pragma once
/*
 * engine - what a worker knows of how its turns are really done
 *
 * worker.c hears the gateway, admits, queues, counts and reports; an engine
 * does the work of one turn.  There is an engine for coding CLIs (cli/engine.c
 * with a harness.h) and one for vendors' APIs (passthrough/).  A program is
 * worker/ linked with one `const struct engine engine`.
 *
 * A turn is the worker's object and lives until the engine has called
 * turn_finish() or turn_fail(), exactly once, which frees it at once.  The
 * other turn_...() functions send events in the order of the calls.  All of
 * it happens in the worker's one loop; nothing blocks.
 */
#include "proto/loop.h"
#include "proto/msg.h"
#include "proto/settings.h"
#include "workers/executor/places.h"
#include "workers/worker/rows.h"
#include "workers/worker/story.h"

struct worker;

/* What an engine keeps for its worker, turn->worker->self: an engine defines it
 * as it likes. */
struct engine_self;

/* What clients are told of a turn as soon as it is known.  NULL: nothing. */
struct standing {
	char *session, *how, *reason, *cache, *mode, *profile, *ignored;
};

void standing_fini(struct standing *);

/*
 * What a CLI or a vendor is asked to do.  A turn may be answered to several
 * orders, if a client repeats its request: see listener.h and repeats.h.
 */
struct turn {
	struct worker *worker;
	uint64_t id;	      /* of the order that began it */
	enum dialect dialect; /* of the body */
	bool streamed;
	char *harness;	 /* the prefix that was used: "claude", "openai" */
	char *model;	 /* NULL: the default */
	char *session;	 /* NULL: the turn stands alone */
	char *cwd;	 /* NULL: not said */
	char *key;	 /* the caller's Idempotency-Key; NULL: none */
	char *headers;	 /* of options.def, as JSON; NULL: none */
	struct str body; /* the request as the caller sent it, model included;
			  * absent after turn_drop_body() */

	/* accept() MAY set it: the conversation of the session that the turn is
	 * about.  Turns of one session run at the same time if both of them
	 * have a lane, and not the same one.  0: not known. */
	unsigned lane;
	uint64_t system; /* accept()'s own, kept with the lane */
	void *place;	 /* the same: where it must run; NULL: anywhere */

	/* The engine's own; NULL until it sets it. */
	void *work;

	/* The rest is for worker/ only. */
	enum { TURN_WAITING, TURN_RUNNING } state;
	bool cancelled;
	bool is_read;	  /* engine.accept() was called for the work there is */
	bool was_read;	  /* and what it says has been told */
	bool was_cut;	  /* the clients were told that it has failed */
	nng_msg *order;	  /* owned: what `body` is in; NULL: it is a copy */
	size_t owed;	  /* bytes of the order, for which ROOM is to be told */
	struct node node; /* in the worker's list of its state */
	struct list listeners; /* the orders that it answers: at least one */
	struct timer deadline; /* of its time in the queue */
	uint64_t submitted;    /* loop_now() */
	struct standing standing;

	/* Of a turn that later orders may be answered by. */
	uint64_t identity;   /* 0: it is none */
	bool runs_once;	     /* the same order is answered by this turn, be it
			      * over or not: the engine sets it */
	struct story story;  /* what it has said */
	bool has_used_tools; /* repeating it might do something twice */
	bool has_spoken; /* text, thoughts or tools: its CLI may have acted */
};

/* What an engine says of a turn that it will do.  Strings are lent. */
struct acceptance {
	bool relay;	     /* a HEAD will begin the answer */
	const char *session; /* NULL: none */
	const char *how;    /* "new", "resumed", "replayed"; NULL: no session */
	const char *reason; /* why that; NULL: obvious */
	const char *cache;  /* "warm": the process that had the last turn has
			     * this one; otherwise as `how`; NULL: not known */
	const char *mode;   /* that the turn runs under; NULL: none is kept */
	char profile[MAX_DETAIL]; /* what has become of agent_profile, as a
				   * JSON object; "": there is none */
	char ignored[MAX_DETAIL]; /* parameters that can't be honoured: "n,
				     seed" */
};

#define DIALECT_BIT(dialect) (1u << (dialect))

struct engine {
	/* MUST be set: the dialects that accept() reads, each as a bit:
	 * DIALECT_BIT(DIALECT_CHAT).  What is written in another one is refused
	 * by the worker. */
	unsigned dialects;

	/* MAY be false: turns are not limited by max_running, do not wait for
	 * their session, and accept() does not read their body. */
	bool has_slots;

	/* MAY be false: a turn's session is nothing to wait for, and each order
	 * begins a turn, also if it repeats another (see repeats.h). */
	bool has_sessions;

	/* MUST be set.  init sets worker->self, if only to what fini can free:
	 * fini comes also after an init that failed.  It ends everything that
	 * runs, at once, and leaves the turns to the worker. */
	bool (*init)(struct worker *, struct error *);
	void (*fini)(struct engine_self *);

	/* MAY be NULL: there is nothing to log in to.  Has the CLI of the
	 * worker `name` log in on our terminal, instead of serving.  Returns
	 * the exit code, and has said why if it is not 0.  `slot` MAY be NULL.
	 */
	int (*login)(const char *name, const char *slot);

	/* MUST be set.  The worker's settings and the environment are others
	 * now: turns under way go on with what they began with, and whatever
	 * begins from here on is done by the new ones.  On failure the worker
	 * is started again. */
	bool (*configure)(struct engine_self *, struct error *);

	/* MUST be set.  Checks the request, without side effects, and makes
	 * turn->work of it; on failure the turn is refused.  Called before the
	 * turn may have to wait, unless its body is large, and, after
	 * forget(), again before start(): what waits is kept as bytes. */
	bool (*accept)(struct turn *, struct acceptance *, struct error *);

	/* MUST be set.  The turn has its slot and its session to itself. */
	void (*start)(struct turn *);

	/* MUST be set.  Only of turns that were started and have not ended:
	 * they must soon, with turn_fail(ERR_CANCELLED). */
	void (*cancel)(struct turn *);

	/* MAY be NULL.  Frees turn->work, if there is any: the turn has
	 * ended, or will be accept()ed again. */
	void (*forget)(struct turn *);

	/* MUST be set.  turn_is_blocked() has become false again. */
	void (*unblock)(struct turn *);

	/* MUST be set.  Find out whether the harness could work, without
	 * spending anything, and then call worker_set_health(), or, if nobody
	 * has asked and it is as it was, worker_keep_health(). */
	void (*probe)(struct engine_self *, bool asked);

	/* MUST be set.  Adds objects with {"id","owned_by",...}; ids begin
	 * with the harness's name. */
	void (*list_models)(struct engine_self *, struct rows *);

	/* MUST be set.  Adds what requests can ask of it, as an object of
	 * description.h.  With `prefix`, what those with that prefix and
	 * `model` can, which MAY be NULL; fails as accept() would. */
	bool (*describe)(struct engine_self *, const char *prefix,
			 const char *model, struct buf *, struct error *);

	/* MAY be NULL: there are no sessions. */
	void (*list_sessions)(struct engine_self *, struct rows *,
			      unsigned limit);
	unsigned (*forget_session)(struct engine_self *, const char *session);

	/* MAY be NULL.  Whether the turn can be started; if not, it waits
	 * until queue_run_waiting(). */
	bool (*may_run)(const struct turn *);

	/* MAY be NULL.  The places where turns run, if they are counted, and
	 * who has which: behind "claude has 2 turns running". */
	void (*count_places)(const struct engine_self *, struct place_counts *);
	void (*describe_places)(const struct engine_self *, struct buf *);

	/* MAY be NULL.  How many warm processes there are. */
	unsigned (*count_warm)(const struct engine_self *);

	/* MAY be NULL.  How many commands run in the background, between turns.
	 */
	unsigned (*count_background)(const struct engine_self *);

	/* MAY be NULL.  How many conversations wait for results of the caller's
	 * tools. */
	unsigned (*count_parked)(const struct engine_self *);
};

extern const struct engine engine;

/* For engines to call. */

/* `session`, `how`, `reason` and `cache` of the acceptance are known now. */
void turn_started(struct turn *, const struct acceptance *);

/* Any length; cut into events between characters.  UTF-8. */
void turn_text(struct turn *, struct str);
void turn_reasoning(struct turn *, struct str);

/* The harness has said something that is not told yet: it may have acted. */
void turn_holds(struct turn *);

/* What the harness has said before the turn, and in no other: it is not a part
 * of the answer. */
void turn_meanwhile(struct turn *, struct str);
void turn_tool(struct turn *, struct str json);

/* The model calls a tool of the caller's: {"id","name"}, and with what. */
void turn_call(struct turn *, struct str json, struct str arguments);

/* One line about how far something is that takes long.  Not a part of the
 * answer; UTF-8. */
void turn_note(struct turn *, struct str text);

/* A relayed answer: its head, then its body.  `last` ends the turn. */
void turn_head(struct turn *, int status, struct str headers_json,
	       struct str bytes, bool last);
void turn_body(struct turn *, struct str bytes, bool last);

/* Not for FINISH_NONE.  `usage` and `model`, who has answered, may be NULL:
 * not known. */
void turn_finish(struct turn *, enum finish_reason, const struct usage *,
		 const char *model);
void turn_fail(struct turn *, const struct error *);

/* The body was read, and its memory is free. */
void turn_drop_body(struct turn *);

/*
 * So is whatever was made of it: the gateway may send others.  Comes by itself
 * at the turn's end; of use where turns take long and bodies are sent on.
 */
void turn_give_room(struct turn *);

/* How many bytes of memory wait for the clients to read on; of several clients
 * the fastest counts. */
size_t turn_backlog(const struct turn *);

/* Each client is slower than the harness: stop reading until unblock().  The
 * turn goes on at the pace of the fastest client, so that one that reads no
 * more does not stop it for the others. */
bool turn_is_blocked(const struct turn *);
