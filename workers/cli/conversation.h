#pragma once
/*
 * warm - one conversation with a CLI, from its start to its end
 *
 * A conversation has a place in a process (run.h), its state (below), and at
 * most one turn at a time.  Its harness turns the CLI's lines into the events
 * that change the state.  Whoever gives it a turn hears of the turn's end
 * exactly once, by pool->over.
 *
 * Each state that waits for the CLI has a deadline of its own, on `clock`: the
 * start (start_ms), silence in a turn (timeout_ms), the stop of a turn
 * (cancel_ms), idleness (idle_ms).  A sign of life begins the deadline of the
 * start or of the silence anew.  When one passes, the conversation is given
 * up, and its turn fails.
 */
#include "workers/cli/harness.h"
#include "workers/cli/instance.h"
#include "workers/worker/worker.h"

/* How a turn ended, for whoever gave it. */
struct outcome {
	bool lost;		   /* the CLI does not know the session */
	const struct error *error; /* NULL: it ended well */
	const char *reason, *usage, *model; /* of a good end */
};

/* What a conversation is started for; strings are copied. */
struct conversation_plan {
	const char *session, *cli_id, *position, *cwd, *system, *model;
	size_t system_len;
	const json_t *history;
	bool resumed;
	bool kept;  /* see struct conversation */
	bool spare; /* it is started ahead, for a session to come */
	bool trial; /* see is_trial */
};

/* NULL on failure. */
struct conversation *conversation_start(struct pool *,
					const struct conversation_plan *,
					struct error *);

/* A spare becomes the conversation of a session; its cli_id stays. */
void conversation_adopt(struct conversation *,
			const struct conversation_plan *);

/* Gives it a turn, which begins at once or when the CLI is ready.  The turn
 * may be over when this returns. */
void conversation_give(struct conversation *, struct turn *);

/* Says the messages of its turn to the CLI.  Called by pool->ready only. */
void conversation_say(struct conversation *, const char *model,
		      const json_t *messages, size_t from);

/* Stops the turn: pool->over follows, with this error. */
void conversation_stop(struct conversation *, const struct error *);

/* Ends the conversation.  The process of an idle one gets time to end. */
void conversation_retire(struct conversation *);

/* The client of its turn, which was slow, has read on. */
void conversation_unblock(struct conversation *);

/* For run.c. */
void conversation_greet(struct conversation *);
void conversation_hear(struct conversation *, struct str line);
void conversation_is_alive(struct conversation *);
/* Lets the harness explain why the process ended: it may change the error. */
void conversation_explain_end(struct conversation *, struct error *);
void conversation_ended(struct conversation *,
			const struct error *); /* with its process */

/* For talk.c: what the CLI has said of it. */
void conversation_became_ready(struct conversation *);
void conversation_was_lost(struct conversation *);
void conversation_conclude(struct conversation *, const struct outcome *);

/* Ends the conversation at once, and fails its turn. */
void conversation_give_up(struct conversation *, const struct error *);

/* For the pool: takes it out of all lists, and frees it later. */
void conversation_leave(struct conversation *);
timer_fn conversation_free_later, conversation_on_idle_for_long;
