#pragma once
/*
 * job - what the engine of coding CLIs does for one turn
 *
 * accept.c reads the request, and decides where in its session it goes on
 * (continuation.h) and under which terms.  job.c starts it: it decides again,
 * for another turn may have ended meanwhile, and finds the warm conversation or
 * starts one, which hears the messages that it does not have yet.  How the turn
 * ended becomes its FINISH or FAILED, and is written into the session's row,
 * with a checkpoint.
 *
 * If the CLI cannot resume a conversation, it is tried once without the
 * checkpoint, and then anew with all messages of the caller, who is told so: no
 * session fails for ever.  That is possible because the CLI shows it before the
 * turn has said anything.
 */
#include "workers/cli/continuation.h"
#include "workers/cli/health.h"
#include "workers/cli/pool.h"
#include "workers/cli/prompt.h"
#include "workers/worker/engine.h"

/* All that the engine of one worker has. */
struct engine_self {
	struct worker *worker;
	struct pool pool;
	struct sessions sessions;
	struct cli_health health;
};

/* turn->work: what this engine keeps of a turn. */
struct job {
	struct prompt prompt;
	struct continuation on; /* where it goes on; what is in its session's
				 * terms is what it runs under */
	struct conversation *conversation; /* that has the turn; NULL: none */
	struct turn *turn;		   /* whose work this is */
	struct timer pause;		   /* until a process may be started */
	unsigned waits_for_room;	   /* in a row, of MAKE_ROOM_MS each */
	bool forgotten;	  /* deleted while the turn was running */
	bool same_system; /* its conversation was begun with that prompt */
	bool standing_is_told;
	bool was_tried_again; /* after a crash at the start */
	bool was_begun_again; /* the CLI did not find the conversation, or the
			       * place in it */
	bool at_end;	 /* resumed at the end of the CLI's records, since the
			  * checkpoint was not found */
	json_t *history; /* messages that a new conversation begins with */
	uint64_t asked;	 /* as prompt_question() has it */
};

static inline struct engine_self *
self_of(const struct turn *t)
{
	return t->worker->self;
}

static inline struct job *
job_of(const struct turn *t)
{
	return t->work;
}

/* As struct engine has them. */
bool job_accept(struct turn *, struct acceptance *, struct error *);
void job_start(struct turn *);
void job_cancel(struct turn *);
void job_unblock(struct turn *);
void job_forget(struct turn *);

/* As struct pool has them. */
void job_ready(struct conversation *);
void job_spoke(struct conversation *);
void job_over(struct turn *, struct conversation *, const struct outcome *);

/* Where the turn goes on, and under which terms. */
must_check bool job_decide(struct turn *, struct error *);

/* The session's directory is of use.  One that neither the caller nor the
 * session has named is one of the operator's settings. */
bool job_check_cwd(const struct turn *, bool is_named, struct error *);

/* How the session is continued, as struct acceptance has it. */
const char *job_how(const struct job *);
