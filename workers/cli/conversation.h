#pragma once
/*
 * conversation - one conversation with a CLI, from its start to its end
 *
 * A conversation has a place in an instance (instance.h), a state, and at most
 * one turn.  The state and the event that happened decide what it does next: a
 * table in conversation.c says so, and a unit test walks its cells.  The
 * conversation outlives its turns: it may be idle, it may stop a turn whose
 * client has gone, and the CLI may say things in it that belong to no turn.
 *
 * A turn is given to a conversation that is idle, or that soon will be.  It is
 * told how the turn ended exactly once, by pool->over: that it ended well, that
 * it failed, that the CLI does not know the conversation, or that the turn was
 * not begun, because the conversation ended before it could be.
 *
 * Each state that waits for the CLI has a deadline (deadline.h).  When it
 * passes, the conversation is over.  A turn that waits at that moment for what
 * the CLI does by itself begins elsewhere.
 */
#include "workers/cli/harness.h"
#include "workers/cli/instance.h"
#include "workers/worker/worker.h"

enum conversation_event {
	ON_SPARE,  /* it was started ahead, for a session to come */
	ON_TAKEN,  /* a spare becomes the conversation of a session */
	ON_TURN,   /* a turn was given, or a trial begins */
	ON_READY,  /* the CLI has opened the conversation */
	ON_END,	   /* the CLI has ended the turn, well or not: see `outcome` */
	ON_PARK,   /* the turn has ended with calls: see `outcome` */
	ON_BREAK,  /* the conversation cannot go on: see `outcome` */
	ON_LOST,   /* the CLI does not know the conversation */
	ON_ALONE,  /* the CLI has begun a turn of its own... */
	ON_SILENT, /* ...and has ended it */
	ON_SIGN,   /* the CLI goes on with what the state waits for */
	ON_BACKGROUND, /* work in the background has begun, or all of it has
			* ended */
	ON_STOP,       /* the turn is not wanted any more: see `outcome` */
	ON_TIME,       /* the deadline of the state has passed */
	ON_RETIRE,     /* the conversation is not wanted any more */
	ON_EXIT,       /* the process has ended: see `outcome` */
	CONVERSATION_EVENTS
};

/* What a conversation is started for; strings are copied. */
struct conversation_plan {
	struct executor *place; /* where it is started; NULL: anywhere */
	const char *session, *cli_id, *position, *cwd, *system, *model;
	const char *instead, *directory; /* as in struct conversation */
	const struct options *options;	 /* NULL: nothing is asked for */
	unsigned number; /* of the conversation in the session */
	size_t system_len;
	const json_t *history;
	bool resumed;
	bool is_rewound;    /* see struct conversation */
	bool knows_system;  /* the same */
	bool drops_instead; /* the same */
	bool kept;	    /* the same */
	bool spare;	    /* it is started ahead, for a session to come */
	bool trial;	    /* see is_trial */
};

/* NULL on failure. */
struct conversation *conversation_start(struct pool *,
					const struct conversation_plan *,
					struct error *);

/* A spare becomes the conversation of a session; its cli_id stays. */
void conversation_adopt(struct conversation *,
			const struct conversation_plan *);

/* Whether a turn can be given to it. */
bool conversation_is_free(const struct conversation *);

/* Gives it a turn, which begins at once or when the CLI is ready.  The turn may
 * be over when this returns. */
void conversation_give(struct conversation *, struct turn *);

/* What its next turn is for; NULL or "default": what the CLI takes by itself.
 */
void conversation_take_model(struct conversation *, const char *model);

/* What its next turn asks for; NULL: nothing. */
void conversation_take_options(struct conversation *, const struct options *);

/* Says the messages of its turn to the CLI.  Called by pool->ready only. */
void conversation_say(struct conversation *, const char *model,
		      const struct options *, const json_t *messages,
		      size_t from);

/* Gives the CLI the results that its turn has for it.  Called by pool->ready
 * only, of a conversation that was parked. */
void conversation_answer(struct conversation *, const char *model,
			 const struct options *, const json_t *results,
			 const json_t *messages);

/* Ends the turn: pool->over follows at once, with this error.  The CLI may take
 * longer to stop; the next turn waits for that. */
void conversation_stop(struct conversation *, const struct error *);

/* Ends the conversation.  The process of an idle one gets time to end. */
void conversation_retire(struct conversation *);

/* Ends it too, but not before the CLI has stopped the turn that is being
 * stopped; no other turn is given to it. */
void conversation_dismiss(struct conversation *);

/* The client of its turn, which was slow, has read on. */
void conversation_unblock(struct conversation *);

/* What the CLI has said between turns, which the caller frees; NULL: nothing.
 * It is told once. */
char *conversation_take_meanwhile(struct conversation *);

/* The event, with an outcome for those that have one; NULL: a good one. */
void conversation_event(struct conversation *, enum conversation_event,
			const struct outcome *);
void conversation_break(struct conversation *, const struct error *);

/*
 * How the turn, or the trial, has ended is told once.  conversation_tell_end()
 * says what the outcome of the event has, and whether the turn was begun: one
 * that only waited was not said, and can begin elsewhere.
 */
void conversation_tell(struct conversation *, const struct outcome *);
void conversation_tell_end(struct conversation *);
void conversation_conclude_trial(struct conversation *, const struct error *);

/* Its instance is ready, or has said a line. */
void conversation_shake_hands(struct conversation *);
void conversation_hear(struct conversation *, struct str line);
/* Lets the harness explain why the process ended: it may change the error. */
void conversation_explain_end(struct conversation *, struct error *);

/* Takes it out of all lists, and frees it later. */
void conversation_leave(struct conversation *);
timer_fn conversation_free_later;
