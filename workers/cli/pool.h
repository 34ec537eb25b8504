#pragma once
/*
 * pool - the conversations of a worker with its CLI, and their processes
 *
 * A warm conversation belongs to one session for its whole life, or to one
 * turn without a session.  Between turns it is idle, until it is evicted
 * (eviction.h) or its idle time is over.  The next turn of its session then
 * resumes it in a new conversation.  instance.h says which conversations share
 * a process, spares.h which are started ahead, and orphans.h what happens to
 * processes that a CLI has left behind.
 */
#include "workers/cli/conversation.h"
#include "workers/cli/crashes.h"
#include "workers/tools/server.h"

struct pool {
	struct worker *worker;
	struct executor *executor;
	const struct harness *harness;
	const char *permission_mode;
	enum loads loads;
	struct error unfit; /* a setting that the CLI cannot keep to; code 0:
			     * there is none */
	struct list conversations; /* all conversations; the idle ones in the
				    * order in which they became idle */
	struct list instances;	   /* all processes */
	uint64_t last_number;	   /* of an instance */
	unsigned generation;	   /* counts changes of how they are started */
	char *program;		   /* NULL: not found */
	char *workspace;	   /* directory of turns that name none */
	struct words environment;  /* of the CLI, without the mark */
	json_t *models;	 /* as conversation_models() has it; NULL: not told so
			    far */
	json_t *unknown; /* kinds of events that the harness does not know */
	uint64_t unknown_count; /* such events */
	struct timer sweep_timer, spare_timer, tick;
	char *spare_cwd;     /* where the last new conversation has begun */
	bool wants_spare[2]; /* [0] of conversations that are not kept, [1] of
			      * those that are */
	uint64_t sweep_cost; /* ms that the last sweep took */
	struct list leavings, ended_instances; /* to be freed */
	unsigned sweeps; /* in a row that have found something */
	struct crashes crashes;
	struct tool_server tools; /* opened when it is needed first */
	struct list
		partings; /* of client_tools.c: doors without conversation */

	/* The prober's process: a child that is not of the pool. */
	const struct process *other;

	/* The conversation can hear the messages of its turn now; a turn has
	 * ended. */
	void (*ready)(struct conversation *);
	void (*spoke)(struct conversation *); /* the first words of a turn */
	void (*over)(struct turn *, struct conversation *,
		     const struct outcome *);

	/* MAY be NULL.  The CLI has ended the turn of the conversation well.
	 * True: the turn goes on, for the answer is not what was asked for;
	 * ready() follows, or over() if the conversation ends with this.  If
	 * the turn is to fail, the outcome is made to say so. */
	bool (*asks_again)(struct conversation *, struct outcome *);

	/* MAY be NULL.  The conversation is gone, and conversation->parked must
	 * be. */
	void (*forget)(struct conversation *);

	/* How pool_try() has ended; NULL: the CLI was ready. */
	void (*tried)(struct pool *, const struct error *);
	struct cli_health *health; /* which has asked for the trial */
	bool is_trying;
};

/* `executor`, the callbacks and `other` must be set, and the rest zero. */
must_check bool pool_init(struct pool *, struct worker *, struct error *);
void pool_fini(struct pool *);

/*
 * The worker's settings have changed.  If that makes a difference to how a CLI
 * is started, those that do nothing end, and those that work end when they
 * have done it.
 */
must_check bool pool_configure(struct pool *, struct error *);

/* The CLI is talked with by another harness from now on. */
void pool_use(struct pool *, const struct harness *);

/* No process runs, and nothing waits to be freed. */
bool pool_is_empty(const struct pool *);

/* Looks for the program again: it may have been installed meanwhile. */
void pool_find_program(struct pool *);

/* Says why there is no program, and what to do about it. */
bool pool_fail_missing(const struct pool *, struct error *);

/* Begins a trial conversation, and ends it when it is ready; `tried` follows.
 */
void pool_try(struct pool *);

/* The conversation of that number in the session, or with 0 any of it, that a
 * turn can be given to; NULL: there is none. */
struct conversation *pool_find(struct pool *, const char *session,
			       unsigned number);

/* The same, of conversations that wait for results of the caller's tools. */
struct conversation *pool_find_parked(struct pool *, const char *session,
				      unsigned number);

/* A spare, if there is one that suits, or a new one.  NULL on failure. */
struct conversation *pool_start(struct pool *, const struct conversation_plan *,
				struct error *);

/* The number of processes. */
unsigned pool_count(const struct pool *);

/* The number of commands and agents that run in the background. */
unsigned pool_count_background(const struct pool *);

/* Conversations that wait for results of the caller's tools. */
unsigned pool_count_parked(const struct pool *);

/* The directory of turns that name none, which the caller frees; NULL on
 * failure. */
char *pool_choose_workspace(const struct pool *, struct error *);

/* How a trial conversation has ended. */
void pool_trial_is_over(struct pool *, const struct error *);

/* How a process has ended. */
void pool_explain_end(const struct instance *, struct error *);

/* What a CLI has said. */
void pool_learn_models(struct pool *, json_t *models); /* takes them */
void pool_note_unknown(struct pool *, const char *kind, const char *what);
